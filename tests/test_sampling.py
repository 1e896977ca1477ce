"""Sampling: which characters are kept and how likely each is, drawing one, and the loop."""

from itertools import islice, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from charrnn_cli.config import SamplingConfig
from charrnn_cli.sampling import draw, generate, probabilities, surprise

FIFTY = settings(max_examples=50, deadline=None, derandomize=True)
LAST_UNIFORM = 1 - 2**-53  # the largest number that a generator's random() gives


class ChainEngine:
    """An engine whose next character depends on the last one read alone: its row of a table."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = np.asarray(table, np.float32)
        self.read: list = []

    def step(self, ids):
        self.read.append(ids if isinstance(ids, int) else ids.tolist())
        return self.table[ids]


def random_chain(size: int = 11, seed: int = 3) -> ChainEngine:
    return ChainEngine(np.random.default_rng(seed).normal(0, 1.5, (size, size)))


def logits_of(*chances: float) -> np.ndarray:
    return np.log(np.array(chances)).astype(np.float32)


def kept(chances: np.ndarray) -> set[int]:
    return set(np.flatnonzero(chances).tolist())


# which characters may follow


def test_temperature_one_without_filters_gives_the_models_own_distribution():
    chances = probabilities(logits_of(0.5, 0.3, 0.2), SamplingConfig())
    np.testing.assert_allclose(chances, [0.5, 0.3, 0.2], atol=1e-6)


def test_logits_that_differ_by_a_constant_give_the_same_distribution():
    logits = logits_of(0.5, 0.3, 0.2)
    shifted = probabilities(logits + 100, SamplingConfig(temperature=0.7))
    np.testing.assert_allclose(
        shifted, probabilities(logits, SamplingConfig(temperature=0.7)), atol=1e-4
    )


def test_temperature_divides_the_logits():
    chances = probabilities(logits_of(0.5, 0.3, 0.2), SamplingConfig(temperature=0.5))
    squares = np.array([0.25, 0.09, 0.04])  # p ** (1 / 0.5)
    np.testing.assert_allclose(chances, squares / squares.sum(), atol=1e-6)


def test_temperature_zero_is_certain_of_the_most_likely_character():
    chances = probabilities(logits_of(0.2, 0.3, 0.5), SamplingConfig(temperature=0))
    assert chances.tolist() == [0, 0, 1]


def test_temperature_zero_takes_the_lowest_id_of_a_tie():
    chances = probabilities(logits_of(0.2, 0.4, 0.4), SamplingConfig(temperature=0))
    assert chances.tolist() == [0, 1, 0]


def test_temperature_zero_acts_on_each_stream():
    logits = np.array([[1, 2, 3], [3, 2, 1]], np.float32)
    chances = probabilities(logits, SamplingConfig(temperature=0))
    assert chances.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("temperature", [0.01, 1.0, 1000.0])
def test_top_k_one_is_greedy(temperature):
    config = SamplingConfig(temperature=temperature, top_k=1)
    assert probabilities(logits_of(0.2, 0.4, 0.4), config).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("chances", "k", "expected"),
    [
        ((0.1, 0.4, 0.2, 0.3), 2, {1, 3}),
        ((0.1, 0.4, 0.2, 0.3), 3, {1, 2, 3}),
        ((0.1, 0.4, 0.2, 0.3), 4, {0, 1, 2, 3}),
        ((0.1, 0.4, 0.2, 0.3), 99, {0, 1, 2, 3}),
        ((0.25, 0.25, 0.25, 0.25), 2, {0, 1}),
        ((0.2, 0.4, 0.2, 0.2), 2, {0, 1}),
        ((0.2, 0.2, 0.2, 0.4), 3, {0, 1, 3}),
    ],
)
def test_top_k_keeps_the_k_most_likely_and_of_a_tie_the_lowest_ids(chances, k, expected):
    assert kept(probabilities(logits_of(*chances), SamplingConfig(top_k=k))) == expected


@pytest.mark.parametrize(
    ("chances", "p", "expected"),
    [
        ((0.1, 0.15, 0.25, 0.5), 0.01, {3}),
        ((0.1, 0.15, 0.25, 0.5), 0.49, {3}),
        ((0.1, 0.15, 0.25, 0.5), 0.51, {2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.74, {2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.76, {1, 2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.91, {0, 1, 2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 1.0, {0, 1, 2, 3}),
        ((0.25, 0.25, 0.25, 0.25), 0.4, {0, 1}),
        ((0.2, 0.2, 0.4, 0.2), 0.55, {0, 2}),
    ],
)
def test_top_p_keeps_the_most_likely_that_together_reach_p(chances, p, expected):
    assert kept(probabilities(logits_of(*chances), SamplingConfig(top_p=p))) == expected


@pytest.mark.parametrize(
    ("chances", "p", "expected"),
    [
        ((0.1, 0.15, 0.25, 0.5), 0.0, {0, 1, 2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.19, {0, 1, 2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.21, {1, 2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.31, {2, 3}),
        ((0.1, 0.15, 0.25, 0.5), 0.51, {3}),
        ((0.1, 0.4, 0.1, 0.4), 1.0, {1, 3}),
    ],
)
def test_min_p_keeps_those_at_least_p_times_as_likely_as_the_best(chances, p, expected):
    assert kept(probabilities(logits_of(*chances), SamplingConfig(min_p=p))) == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (SamplingConfig(top_k=2), [0, 4 / 7, 3 / 7, 0]),
        (SamplingConfig(top_p=0.75), [0, 4 / 9, 3 / 9, 2 / 9]),
        (SamplingConfig(min_p=0.45), [0, 4 / 9, 3 / 9, 2 / 9]),
    ],
)
def test_what_is_kept_keeps_its_proportions(config, expected):
    chances = probabilities(logits_of(0.1, 0.4, 0.3, 0.2), config)
    np.testing.assert_allclose(chances, expected, atol=1e-6)


def test_temperature_comes_before_top_p():
    """Squared and scaled to 1, the first of these chances reaches a half alone; as it is, not."""
    config = SamplingConfig(temperature=0.5, top_p=0.5)
    assert kept(probabilities(logits_of(0.4, 0.3, 0.2, 0.1), config)) == {0}


def test_top_k_comes_before_top_p():
    """Of the best two alone, the first has four sevenths; of all four, less than a half."""
    config = SamplingConfig(top_k=2, top_p=0.5)
    assert kept(probabilities(logits_of(0.4, 0.3, 0.2, 0.1), config)) == {0}


def test_top_p_comes_before_min_p():
    """Were the last two gone before top-p, the first alone would reach a half."""
    config = SamplingConfig(top_p=0.5, min_p=0.6)
    assert kept(probabilities(logits_of(0.4, 0.3, 0.2, 0.1), config)) == {0, 1}


def test_the_logits_are_left_as_they_were():
    logits = logits_of(0.4, 0.3, 0.2, 0.1)
    before = logits.copy()
    probabilities(logits, SamplingConfig(temperature=0.5, top_k=3, top_p=0.9, min_p=0.1))
    np.testing.assert_array_equal(logits, before)


# eighths are exact in float32: no two of them become one where they are shifted
SOME_LOGITS = arrays.arrays(
    np.float32,
    st.integers(1, 30),
    elements=st.integers(-400, 400).map(lambda n: n / 8) | st.sampled_from([-1.0, 0.0, 2.0]),
)
ANY_CONFIG = st.builds(
    SamplingConfig,
    temperature=st.floats(0, 1000) | st.sampled_from([0.0, 5e-324, 1e-300, 1e-40, 1e-3, 1.0]),
    top_k=st.none() | st.integers(1, 40),
    top_p=st.none() | st.floats(0, 1, exclude_min=True),
    min_p=st.none() | st.floats(0, 1),
)


@FIFTY
@given(SOME_LOGITS, ANY_CONFIG)
def test_probabilities_are_none_negative_and_sum_to_one(logits, config):
    chances = probabilities(logits, config)
    assert chances.shape == logits.shape
    assert (chances >= 0).all()
    assert chances.sum() == pytest.approx(1, abs=1e-9)


@FIFTY
@given(SOME_LOGITS, ANY_CONFIG)
def test_filters_never_turn_the_order_of_likelihood_round(logits, config):
    chances = probabilities(logits, config)
    rising = np.lexsort((-np.arange(len(logits)), logits))  # of a tie, the lowest id is the best
    assert (np.diff(chances[rising]) >= -1e-12).all()


@FIFTY
@given(
    arrays.arrays(np.float32, (4, 9), elements=st.sampled_from([-3.0, -1.0, 0.0, 0.5, 2.0])),
    ANY_CONFIG,
)
def test_streams_are_filtered_each_on_its_own(logits, config):
    together = probabilities(logits, config)
    alone = np.stack([probabilities(row, config) for row in logits])
    np.testing.assert_allclose(together, alone, atol=1e-12)


# drawing one


def test_a_draw_divides_the_unit_interval_in_the_order_of_the_ids():
    chances = np.array([0.25, 0.0, 0.5, 0.25])
    uniforms = [0.0, 0.2, 0.25, 0.5, 0.74, 0.75, LAST_UNIFORM]
    assert [draw(chances, uniform) for uniform in uniforms] == [0, 0, 2, 2, 2, 3, 3]


@FIFTY
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


@FIFTY
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
    engine = ChainEngine(np.tile(logits_of(*CHANCES), (8, 1)))
    steps = generate(engine, [0], SamplingConfig(), random_seed=1, streams=streams)
    drawn = np.array(list(islice(steps, 20_000 // (streams or 1)))).ravel()
    assert len(drawn) == 20_000
    assert chi_square(drawn, np.array(CHANCES)) < CHI_SQUARE_LIMIT


def test_each_stream_draws_as_often_as_is_likely():
    engine = ChainEngine(np.tile(logits_of(*CHANCES), (8, 1)))
    steps = generate(engine, [0], SamplingConfig(), random_seed=2, streams=3)
    drawn = np.array(list(islice(steps, 5000)))
    for stream in range(3):
        assert chi_square(drawn[:, stream], np.array(CHANCES)) < CHI_SQUARE_LIMIT


def test_characters_are_drawn_by_the_distribution_after_temperature():
    engine = ChainEngine(np.tile(logits_of(*CHANCES), (8, 1)))
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
    assert engine.read == [3, 1, 4, *drawn[:-1]]


def test_every_stream_reads_the_whole_prompt():
    engine = random_chain()
    next(generate(engine, [3, 1], SamplingConfig(), 0, streams=2))
    assert engine.read == [[3, 3], [1, 1]]


@pytest.mark.parametrize("prompt", [[], np.array([], np.uint8)])
def test_an_empty_prompt_is_refused(prompt):
    with pytest.raises(ValueError, match="empty"):
        next(generate(random_chain(), prompt, SamplingConfig(), 0))


# how surprised the model is by what it wrote


def test_surprise_is_what_each_character_costs_after_those_before_it():
    engine = random_chain()
    chances = np.exp(engine.table.astype(np.float64))
    chances /= chances.sum(1, keepdims=True)
    bits = surprise(engine, [7, 2], np.array([5, 0, 9]))
    np.testing.assert_allclose(bits, -np.log2(chances[[2, 5, 0], [5, 0, 9]]), atol=1e-5)


def test_dice_surprise_by_the_logarithm_of_their_faces():
    bits = surprise(ChainEngine(np.zeros((8, 8))), [0], np.array([1, 7, 7, 0]))
    np.testing.assert_allclose(bits, [3, 3, 3, 3])


def test_no_text_surprises_nobody():
    assert len(surprise(random_chain(), [0], np.array([], np.uint8))) == 0
