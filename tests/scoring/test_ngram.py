"""The n-gram model of the text read so far, and its mixture with a model."""

import numpy as np
import pytest
from factories import words

from charrnn_cli.scoring import ngram
from charrnn_cli.scoring.ngram import SHARES, Mixture, NgramScore, TextSoFar

SIZE = 27
RNG = np.random.default_rng(0)
IDS = np.array([ord(c) - 96 if c != " " else 0 for c in words(120)], np.int64)
CHANCES = RNG.dirichlet(np.ones(SIZE), len(IDS))  # another model's probabilities
OURS = CHANCES[np.arange(len(IDS)), IDS]


def mixed(ids, ours) -> np.ndarray:
    text = TextSoFar(SIZE)
    theirs = text.read(ids)
    return Mixture(text.kinds).probabilities(ours, theirs.probabilities, theirs.kinds)


@pytest.mark.parametrize(
    "place",
    [0, 7, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 60, 400, len(IDS) - 1))],
)
def test_the_probabilities_of_all_next_characters_add_up_to_one(place):
    alone = both = 0.0
    for character in range(SIZE):
        ids = np.append(IDS[:place], character)
        alone += TextSoFar(SIZE).read(ids).probabilities[-1]
        ours = np.append(OURS[:place], CHANCES[place, character])
        both += mixed(ids, ours)[-1]
    assert (alone, both) == (pytest.approx(1), pytest.approx(1))


def test_no_character_is_predicted_by_itself_or_what_follows():
    whole = mixed(IDS, OURS)
    for place in (1, 50, 333):
        np.testing.assert_allclose(mixed(IDS[:place], OURS[:place]), whole[:place], rtol=1e-9)


def test_what_is_read_in_parts_has_the_probabilities_of_the_whole():
    text, parts = TextSoFar(SIZE), np.array_split(IDS, 7)
    whole = TextSoFar(SIZE).read(IDS).probabilities
    in_parts = np.concatenate([text.read(part).probabilities for part in parts])
    np.testing.assert_allclose(in_parts, whole, rtol=1e-9)


@pytest.mark.parametrize("better", ["the model", "the n-grams"])
def test_the_mixture_is_worse_than_neither_by_more_than_its_cost(better):
    ours = np.full(len(IDS), 0.9) if better == "the model" else OURS
    text = TextSoFar(SIZE)
    theirs = text.read(IDS)
    bits = -np.log2(mixed(IDS, ours)).sum()
    best = min(-np.log2(ours).sum(), -np.log2(theirs.probabilities).sum())
    assert bits <= best + len(np.unique(theirs.kinds)) * np.log2(len(SHARES))


def test_words_that_come_again_are_learned():
    alone = -np.log2(TextSoFar(SIZE).read(IDS).probabilities)
    assert alone[-200:].mean() < 0.75 < 3 < alone[:15].mean()


def test_what_was_read_long_ago_is_forgotten(monkeypatch):
    monkeypatch.setattr(ngram, "MAX_READ", 100)
    text = TextSoFar(SIZE)
    text.read(IDS[:300])
    after = TextSoFar(SIZE)
    after.read(IDS[200:300])
    np.testing.assert_allclose(*(t.read(IDS[300:]).probabilities for t in (text, after)))


def test_a_score_leaves_out_what_is_not_counted_and_does_not_depend_on_blocks(monkeypatch):
    bits = -np.log2(OURS)
    bits[0] = np.nan
    counted = RNG.random(len(IDS)) < 0.9
    expected = None
    for at_once, blocks in ((1, 5), (1 << 16, 5), (1 << 16, 1)):
        monkeypatch.setattr(ngram, "AT_ONCE", at_once)
        score = NgramScore(SIZE)
        for part in zip(*(np.array_split(x, blocks) for x in (IDS, bits, counted)), strict=True):
            score.add(*part)
        expected = expected or score.bits()
        assert score.bits() == pytest.approx(expected)
    alone = -np.log2(TextSoFar(SIZE).read(IDS).probabilities)
    assert expected[1] == pytest.approx(alone[counted & ~np.isnan(bits)].sum())


def test_where_nothing_is_counted_nothing_is_mixed():
    nothing = np.empty(0)
    assert len(Mixture(3).probabilities(nothing, nothing, nothing.astype(np.int64))) == 0
