"""Sampling: drawing one character, the loop, and the surprisal of what is drawn."""

import tracemalloc
from itertools import islice, product

import numpy as np
import pytest
from factories import fuzz, logits_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from charrnn_cli.models.decoder import Decoder
from charrnn_cli.sampling import drawing as drawing_module
from charrnn_cli.sampling.drawing import (
    draw,
    generate,
    generate_in_threads,
    generate_with_bits,
    generate_with_logits,
    surprisal,
)
from charrnn_cli.settings.configs import SamplingConfig

LAST_UNIFORM = 1 - 2**-53  # the largest number that a generator's random() gives


class Chain(Decoder):
    """A decoder whose next character depends on the last one read alone: its row of a table."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = np.asarray(table, np.float32)
        self.vocabulary_size = len(self.table)
        self.seen: list = []

    def step(self, ids):
        self.seen.append(np.asarray(ids).tolist())
        return self.table[ids]

    def set_state(self, state, rows=slice(None)):
        """It has none."""


def random_chain(size: int = 11, seed: int = 3) -> Chain:
    return Chain(np.random.default_rng(seed).normal(0, 1.5, (size, size)))


# drawing one


def test_a_draw_divides_the_unit_interval_in_the_order_of_the_ids():
    chances = np.array([0.25, 0.0, 0.5, 0.25])
    uniforms = [0.0, 0.2, 0.25, 0.5, 0.74, 0.75, LAST_UNIFORM]
    assert [draw(chances, uniform) for uniform in uniforms] == [0, 0, 2, 2, 2, 3, 3]


@fuzz
@given(
    arrays.arrays(
        np.float64, st.integers(1, 30), elements=st.just(0.0) | st.floats(1e-12, 1)
    ).filter(np.any),
    st.sampled_from([0.0, LAST_UNIFORM]) | st.floats(0, LAST_UNIFORM),
)
def test_a_draw_never_picks_what_has_no_chance(weights, uniform):
    chances = weights / weights.sum()
    assert chances[draw(chances, uniform)] > 0
    batch = draw(np.stack([chances, chances[::-1]]), np.array([uniform, uniform]))
    assert chances[batch[0]] > 0
    assert chances[::-1][batch[1]] > 0


@fuzz
@given(
    arrays.arrays(np.float64, (3, 8), elements=st.floats(1e-6, 1)),
    arrays.arrays(np.float64, 3, elements=st.floats(0, LAST_UNIFORM)),
)
def test_a_batch_draws_as_its_streams_do_alone(weights, uniforms):
    chances = weights / weights.sum(1, keepdims=True)
    alone = [draw(row, uniform) for row, uniform in zip(chances, uniforms, strict=True)]
    assert draw(chances, uniforms).tolist() == alone


# the loop


CHANCES = (0.3, 0.02, 0.2, 0.08, 0.15, 0.05, 0.1, 0.1)
# A sum of squares with 7 degrees of freedom exceeds this once in ten thousand times: the 0.9999
# quantile of the chi-square distribution. A generator that draws by other chances gives hundreds.
CHI_SQUARE_LIMIT = 29.88


def chi_square(drawn: np.ndarray, chances: np.ndarray) -> float:
    """Pearson's statistic of drawn ids against the chances that they should have."""
    expected = len(drawn) * chances
    counts = np.bincount(drawn, minlength=len(chances))
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("streams", [None, 4])
def test_characters_are_drawn_as_often_as_they_are_likely(streams):
    engine = Chain(np.tile(logits_of(*CHANCES), (8, 1)))
    steps = generate(engine, [0], SamplingConfig(), random_seed=1, streams=streams)
    drawn = np.array(list(islice(steps, 20_000 // (streams or 1)))).ravel()
    assert len(drawn) == 20_000
    assert chi_square(drawn, np.array(CHANCES)) < CHI_SQUARE_LIMIT


def test_each_stream_draws_as_often_as_is_likely():
    engine = Chain(np.tile(logits_of(*CHANCES), (8, 1)))
    steps = generate(engine, [0], SamplingConfig(), random_seed=2, streams=3)
    drawn = np.array(list(islice(steps, 5000)))
    for stream in range(3):
        assert chi_square(drawn[:, stream], np.array(CHANCES)) < CHI_SQUARE_LIMIT


def test_characters_are_drawn_by_the_distribution_after_temperature():
    engine = Chain(np.tile(logits_of(*CHANCES), (8, 1)))
    hot = np.sqrt(CHANCES) / np.sqrt(CHANCES).sum()
    steps = generate(engine, [0], SamplingConfig(temperature=2.0), random_seed=1)
    drawn = np.array(list(islice(steps, 20_000)))
    assert chi_square(drawn, hot) < CHI_SQUARE_LIMIT < chi_square(drawn, np.array(CHANCES))


@pytest.mark.parametrize("streams", [None, 3])
def test_the_same_seed_gives_the_same_text(streams):
    texts = [
        np.array(list(islice(generate(random_chain(), [0], SamplingConfig(), 5, streams), 600)))
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*texts)


def test_another_seed_gives_another_text():
    texts = [
        list(islice(generate(random_chain(), [0], SamplingConfig(), seed), 50)) for seed in (5, 6)
    ]
    assert texts[0] != texts[1]


def test_a_stream_does_not_depend_on_how_many_there_are():
    def drawn(streams):
        steps = generate(random_chain(), [0], SamplingConfig(), 5, streams)
        return np.array(list(islice(steps, 600))).reshape(600, -1)

    five = drawn(5)
    np.testing.assert_array_equal(drawn(2), five[:, :2])
    np.testing.assert_array_equal(drawn(None), five[:, :1])


def test_streams_are_the_same_in_threads():
    how = [0], SamplingConfig(), 5
    together = generate_with_bits(random_chain(), *how, 7, first_stream=2, measure=True)
    chains = [random_chain() for _ in range(3)]
    divided = generate_in_threads(chains, *how, [3, 2, 2], first_stream=2, measure=True)
    for (ids, bits), (others, other_bits) in islice(zip(together, divided, strict=True), 300):
        np.testing.assert_array_equal(ids, others)
        np.testing.assert_array_equal(bits, other_bits)


class ManyCharacters(Decoder):
    """A decoder of a large vocabulary whose characters are all as likely, always."""

    vocabulary_size = 2000

    def step(self, ids):
        return np.zeros((len(ids), self.vocabulary_size), np.float32)

    def set_state(self, state, rows=slice(None)):
        """It has none."""


@pytest.mark.parametrize("measure", [False, True])
def test_threads_keep_no_logits_of_steps_ahead(monkeypatch, measure):
    steps, streams = 64, 20
    monkeypatch.setattr(drawing_module, "STEPS_AT_ONCE", steps)
    decoders = [ManyCharacters(), ManyCharacters()]
    drawn = generate_in_threads(
        decoders, [0], SamplingConfig(), 5, [streams // 2] * 2, measure=measure
    )
    tracemalloc.start()
    for _ in islice(drawn, steps + 1):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < steps * streams * ManyCharacters.vocabulary_size * 4  # bytes of their logits


def test_streams_differ_from_each_other():
    drawn = np.array(list(islice(generate(random_chain(), [0], SamplingConfig(), 5, 4), 50)))
    assert all((drawn[:, i] != drawn[:, j]).any() for i, j in product(range(4), repeat=2) if i < j)


def test_greedy_text_does_not_depend_on_the_seed():
    texts = [
        list(islice(generate(random_chain(), [0], SamplingConfig(temperature=0), seed), 50))
        for seed in (5, 6)
    ]
    assert texts[0] == texts[1]


def test_greedy_text_follows_the_most_likely_character():
    engine = random_chain()
    drawn = list(islice(generate(engine, [4], SamplingConfig(temperature=0), 0), 20))
    assert drawn == engine.table[[4, *drawn[:-1]]].argmax(1).tolist()


def test_the_whole_prompt_is_read_and_then_each_character_drawn():
    engine = random_chain()
    drawn = list(islice(generate(engine, [3, 1, 4], SamplingConfig(), 0), 10))
    assert engine.seen == [3, 1, 4, *drawn[:-1]]


def test_every_stream_reads_the_whole_prompt():
    engine = random_chain()
    next(generate(engine, [3, 1], SamplingConfig(), 0, streams=2))
    assert engine.seen == [[3, 3], [1, 1]]


@pytest.mark.parametrize("prompt", [[], np.array([], np.uint8)])
def test_an_empty_prompt_is_refused(prompt):
    with pytest.raises(ValueError, match="empty"):
        next(generate(random_chain(), prompt, SamplingConfig(), 0))


# the surprisal of what is drawn


def drawn_with_bits(engine, prompt, count, streams=None):
    """Ids and their surprisal, both (T,), or (T, B) of several streams."""
    steps = generate_with_logits(engine, prompt, SamplingConfig(), 5, streams)
    drawn = [(ids, surprisal(logits, ids)) for ids, logits in islice(steps, count)]
    return np.array([ids for ids, _ in drawn]), np.array([bits for _, bits in drawn])


@pytest.mark.parametrize("streams", [None, 3])
def test_surprisal_is_what_each_character_costs_after_those_before_it(streams):
    engine = random_chain()
    chances = np.exp(engine.table.astype(np.float64))
    chances /= chances.sum(1, keepdims=True)
    ids, bits = drawn_with_bits(engine, [7, 2], 40, streams)
    before = np.concatenate([np.full_like(ids[:1], 2), ids[:-1]])
    np.testing.assert_allclose(bits, -np.log2(chances[before, ids]), atol=1e-5)


def test_the_surprisal_of_dice_is_the_logarithm_of_their_faces():
    _, bits = drawn_with_bits(Chain(np.zeros((8, 8))), [0], 4)
    np.testing.assert_allclose(bits, [3, 3, 3, 3])


@pytest.mark.parametrize("streams", [None, 3])
def test_the_same_characters_are_drawn_with_and_without_logits(streams):
    plain = list(islice(generate(random_chain(), [0], SamplingConfig(), 5, streams), 50))
    ids, _ = drawn_with_bits(random_chain(), [0], 50, streams)
    np.testing.assert_array_equal(plain, ids)
