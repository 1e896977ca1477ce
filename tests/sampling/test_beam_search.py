"""Beam search: what it finds is the most probable, alone and in a batch."""

import itertools

import numpy as np
import pytest
from pairs import EVERY_MODEL, make_pair_config, make_pair_weights, pad, random_pairs

from charrnn_cli.models.registry import build_pair_decoder
from charrnn_cli.models.seq2seq.decoder import PairDecoder
from charrnn_cli.sampling.beam_search import LENGTH_POWER, attention_of, search, search_all
from charrnn_cli.text.dataset import IGNORE


def made(name, **sizes):
    config = make_pair_config(name, **sizes)
    return build_pair_decoder(config, make_pair_weights(config))


def sources_of(count=6):
    return [np.array(source) for source, _ in random_pairs(count)]


def log_probability(decoder, source, target):
    """Of a target with its END, by teacher forcing."""
    rows = pad([[*source, decoder.config.source_end]], IGNORE)
    logits = decoder.logits(rows, np.array([[decoder.end, *target]]).T)[:, 0]
    logits = logits.astype(np.float64)
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    return logits[np.arange(len(target) + 1), [*target, decoder.end]].sum()


def texts(found):
    return [[tuple(one.ids.tolist()) for one in some] for some in found]


@EVERY_MODEL
def test_beam_one_is_greedy(name):
    decoder = made(name)
    for source in sources_of():
        ((best,),) = search(decoder, [source], [8])
        decoder.encode(pad([[*source, decoder.config.source_end]], IGNORE))
        greedy, index = [], decoder.end
        while len(greedy) < 9:
            index = int(decoder.step(np.array([[index]])).argmax())
            if index == decoder.end:
                break
            greedy.append(index)
        assert best.ids.tolist() == greedy[:8]


@EVERY_MODEL
def test_the_probability_is_that_of_the_target_and_its_end(name):
    decoder = made(name)
    for source in sources_of():
        for one in search(decoder, [source], [9], beam_size=3, n_best=3)[0]:
            expected = log_probability(decoder, source, one.ids)
            assert one.log_probability == pytest.approx(expected, abs=1e-4)
            power = ((5 + len(one.ids) + 1) / 6) ** LENGTH_POWER
            assert one.score == pytest.approx(expected / power, abs=1e-4)


@EVERY_MODEL
@pytest.mark.parametrize("beam_size", [1, 4])
def test_what_is_found_does_not_depend_on_the_batch(name, beam_size):
    decoder, sources = made(name), sources_of(9)
    limits = [2 + len(source) for source in sources]
    wanted = {"beam_size": beam_size, "n_best": beam_size}
    together = search(decoder, sources, limits, **wanted)
    for row, source in enumerate(sources):
        (alone,) = search(decoder, [source], limits[row : row + 1], **wanted)
        assert texts([alone]) == texts([together[row]])
        for one, other in zip(alone, together[row], strict=True):
            assert one.log_probability == pytest.approx(other.log_probability, abs=1e-5)


@pytest.mark.parametrize("threads", [1, 3])
@EVERY_MODEL
def test_many_sources_are_found_in_their_order_whatever_the_threads(name, threads):
    decoder, sources = made(name), sources_of(20)
    limits = [len(source) for source in sources]
    found = search_all(decoder, sources, limits, 2, 2, rows_at_once=4, threads=threads)
    assert texts(found) == texts(search(decoder, sources, limits, 2, 2))


@EVERY_MODEL
def test_a_beam_as_wide_as_all_targets_finds_the_most_probable_one(name):
    decoder = made(name, vocabulary_size=4)
    for source in sources_of(3):
        every = [t for n in range(3) for t in itertools.product(range(3), repeat=n)]
        ranked = {
            t: log_probability(decoder, source, t) / ((6 + len(t)) / 6) ** LENGTH_POWER
            for t in every
        }
        best = sorted(ranked, key=ranked.get, reverse=True)
        ((*found,),) = search(decoder, [source], [2], beam_size=len(every), n_best=5)
        assert [tuple(one.ids.tolist()) for one in found] == best[:5]


@EVERY_MODEL
def test_several_targets_are_distinct_and_the_best_comes_first(name):
    for found in search(made(name), sources_of(), [9] * 6, beam_size=5, n_best=4):
        assert len({tuple(one.ids) for one in found}) == len(found) == 4
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)


@EVERY_MODEL
@pytest.mark.parametrize("n_best", [1, 2, 4])
def test_fewer_targets_are_the_first_of_more(name, n_best):
    config = make_pair_config(name)
    weights = make_pair_weights(config)
    weights["head.weight"] = weights["head.weight"] * 8  # surer of its targets, so searches end
    decoder, sources = build_pair_decoder(config, weights), sources_of(30)
    limits = [4 + len(source) for source in sources]
    more = search(decoder, sources, limits, 5, 5)
    fewer = search(decoder, sources, limits, 5, n_best)
    assert texts(fewer) == [some[:n_best] for some in texts(more)]


@EVERY_MODEL
@pytest.mark.parametrize("beam_size", [1, 3])
def test_no_target_is_longer_than_its_limit(name, beam_size):
    limits = [1, 2, 3, 4, 5, 6]
    found = search(made(name), sources_of(), limits, beam_size=beam_size, n_best=beam_size)
    for some, limit in zip(found, limits, strict=True):
        assert some
        assert all(len(one.ids) <= limit for one in some)


def test_no_sources_have_no_targets():
    assert search(made("attention"), [], []) == []


class Stuck(PairDecoder):
    """Repeats a block of symbols for ever: each has the highest probability after the one before,
    and END the next highest."""

    block = (3, 4, 5)

    def _encode(self, ids, real, beams):
        self.state = {"length": np.zeros((ids.shape[1], beams), int)}

    def step(self, ids):
        length = self.state["length"]
        logits = np.zeros((*np.shape(ids), self.vocabulary_size), np.float32)
        logits[..., self.end] = 1
        np.put_along_axis(logits, np.array(self.block)[length % len(self.block)][..., None], 9, 2)
        self.state = {"length": length + 1}
        return logits


@pytest.mark.parametrize("beam_size", [1, 2])
def test_an_endless_repetition_is_ended(beam_size):
    decoder = Stuck(make_pair_config("attention"))
    (found,) = search(decoder, [np.array([1, 2])], [1000], beam_size=beam_size)
    assert found[0].ids.tolist() == [3, 4, 5] * 4


class Sure(PairDecoder):
    """Certain but for one in a billion that a target is two symbols long."""

    def _encode(self, ids, real, beams):
        self.steps = 0

    def step(self, ids):
        self.steps += 1
        logits = np.zeros((*np.shape(ids), self.vocabulary_size), np.float32)
        logits[..., self.end if self.steps > 2 else 3] = 20
        return logits


def test_a_search_ends_when_no_other_target_can_become_better():
    decoder = Sure(make_pair_config("attention"))
    (found,) = search(decoder, [np.array([1, 2])], [100], beam_size=4)
    assert found[0].ids.tolist() == [3, 3]
    assert decoder.steps == 3


def test_a_repetition_that_the_source_has_is_not_ended():
    decoder = Stuck(make_pair_config("attention"))
    (found,) = search(decoder, [np.array([1, 2] * 20)], [100])
    assert found[0].ids.tolist() == [3, 4, 5] * 20


@pytest.mark.parametrize("name", ["attention", "transformer"])
def test_attention_of_a_target_has_a_row_for_each_of_its_symbols(name):
    weights = attention_of(made(name), np.array([1, 2, 3]), np.array([4, 5]))
    assert weights.shape == (3, 4)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)


def test_attention_of_a_model_without_any_is_refused():
    with pytest.raises(ValueError, match="a model of kind seq2seq has no attention"):
        attention_of(made("seq2seq"), np.array([1, 2, 3]), np.array([4, 5]))
