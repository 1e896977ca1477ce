"""What a text costs: equal to the held-out loss, unknown characters."""

import math

import numpy as np
import pytest
from factories import make_checkpoint, surprisal_of

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.scoring.scorer import CODE_POINTS, Scorer
from charrnn_cli.text.corpus import read_corpus


def scorer_of(vocabulary="abc \n"):
    checkpoint = make_checkpoint(vocabulary=vocabulary)
    return Scorer(checkpoint.vocabulary, surprisal_of(checkpoint))


def bits_of(text, vocabulary="abc \n"):
    return scorer_of(vocabulary).feed(text).bits


def test_the_loss_of_the_held_out_part_is_that_of_the_training(trained):
    checkpoint = load(trained / "poems" / "best.safetensors")
    corpus = read_corpus(str(trained.parent / "poems.txt"))
    _, held_out = corpus.split(checkpoint.train.val_fraction)
    score = Scorer(checkpoint.vocabulary, surprisal_of(checkpoint))
    score.feed(corpus.vocabulary.decode(held_out.ids))
    assert score.loss == pytest.approx(checkpoint.val_loss, abs=1e-5)
    assert score.scored == len(held_out) - 1


def test_a_model_that_reads_the_replacement_pays_for_an_unknown_character_as_for_the_replacement():
    checkpoint = make_checkpoint(vocabulary="abc\ufffd")
    replacing, plain = (
        Scorer(checkpoint.vocabulary, surprisal_of(checkpoint), reads_it)
        for reads_it in (True, False)
    )
    bits = replacing.feed("日bâ本").bits
    assert bits == pytest.approx(plain.feed("\ufffdb\ufffd\ufffd").bits, nan_ok=True)
    assert replacing.unknown == {"日": 1, "â": 1, "本": 1}
    assert replacing.unknown_bits == pytest.approx(bits[2:].sum())
    assert replacing.known_bits_per_char == pytest.approx(bits[1])
    assert (replacing.scored, replacing.loss) == (3, pytest.approx(plain.loss))


def test_figures_are_means_of_what_the_characters_cost():
    score = scorer_of()
    bits = score.feed("abc cab\n").bits
    assert score.bits_per_char == pytest.approx(np.nanmean(bits))
    assert score.loss == pytest.approx(score.bits_per_char * math.log(2))
    assert score.perplexity == pytest.approx(math.exp(score.loss))
    assert (score.characters, score.scored, score.unknown_count) == (8, 7, 0)


def test_a_text_in_pieces_scores_as_the_whole():
    score = scorer_of()
    for piece in ("a", "bc", " ", "日c", "", "ab\n"):
        score.feed(piece)
    assert score.bits == pytest.approx(np.nansum(bits_of("abc 日cab\n")), abs=1e-5)


def test_an_unknown_character_costs_an_escape_and_any_code_point():
    assert bits_of("ab日c")[2] == pytest.approx(10 + math.log2(CODE_POINTS - 5))
    score = scorer_of()
    score.feed("ab日本c日")
    assert score.unknown == {"日": 2, "本": 1}
    assert score.unknown_bits == pytest.approx(3 * score.unknown_cost)
    assert score.bits_per_char == pytest.approx((score.known_bits + score.unknown_bits) / 5)
    assert score.known_bits_per_char == pytest.approx(score.known_bits / 2)


def test_the_model_reads_on_as_if_a_foreign_character_were_not_there():
    with_it, without = bits_of("ab日c a"), bits_of("abc a")
    assert np.delete(with_it, 2) == pytest.approx(without, nan_ok=True)


def test_the_model_reads_a_like_character_in_place_of_an_unknown_one():
    with_it, without = bits_of("abâc a"), bits_of("abac a")
    assert np.delete(with_it, 2) == pytest.approx(np.delete(without, 2), nan_ok=True)
    assert with_it[2] == pytest.approx(scorer_of().unknown_cost)


@pytest.mark.parametrize(("text", "free"), [("abc", [0]), ("日本ab", [2]), ("âb", []), ("日", [])])
def test_only_the_first_character_read_costs_nothing(text, free):
    assert np.flatnonzero(np.isnan(bits_of(text))).tolist() == free


def test_a_text_of_unknown_characters_alone_has_its_cost():
    score = scorer_of()
    score.feed("日本")
    assert score.bits_per_char == pytest.approx(score.unknown_cost)
    assert score.known_bits_per_char is None


@pytest.mark.parametrize("text", ["", "a"])
def test_what_has_no_prediction_has_no_mean(text):
    score = scorer_of()
    score.feed(text)
    assert (score.bits_per_char, score.loss, score.perplexity) == (None, None, None)
