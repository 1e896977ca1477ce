"""Bits per character: that rows, blocks and decoders change nothing but the speed."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
from factories import corpus_of_ids, make_checkpoint, surprisal_of

from charrnn_cli.models.registry import build_decoder
from charrnn_cli.models.torch_decoder import TorchDecoder
from charrnn_cli.models.weights import trained_model
from charrnn_cli.scoring import surprisal
from charrnn_cli.scoring.surprisal import SPAN, Surprisal, bits_of
from charrnn_cli.text.rows import MAX_ROWS
from charrnn_cli.training.evaluation import held_out_loss

VOCABULARY = "abcdefgh\n"
EVERY_CELL = pytest.mark.parametrize(
    "model", ["gru", *(pytest.param(one, marks=pytest.mark.slow) for one in ("lstm", "rnn"))]
)


def checkpoint_of(model="gru"):
    checkpoint = make_checkpoint(model, hidden_size=12, vocabulary=VOCABULARY)
    for name, weights in checkpoint.weights.items():
        if "weight_hh" in name:
            weights *= 0.6  # its memory fades within the warm-up, and it is not chaotic
    return checkpoint


def random_ids(length):
    return np.random.default_rng(length).integers(0, len(VOCABULARY), length)


def one_pass(checkpoint, ids):
    """The bits of one stream, each character after all before it."""
    decoder = build_decoder(checkpoint.model, checkpoint.weights)
    logits = np.stack([decoder.step(index).copy() for index in ids])
    return np.concatenate([[math.nan], bits_of(logits[:-1], ids[1:])])


def expected(values):
    return pytest.approx(values, abs=1e-4, nan_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize(
    "length",
    [1, 2, 50, SPAN, 2 * SPAN, 2 * SPAN + 1, 2 * SPAN + 2, 3 * SPAN + 2, MAX_ROWS * SPAN + 2],
)
def test_rows_measure_what_one_pass_does(model, length):
    checkpoint, ids = checkpoint_of(model), random_ids(length)
    assert surprisal_of(checkpoint).bits(ids) == expected(one_pass(checkpoint, ids))


@EVERY_CELL
@pytest.mark.parametrize("cuts", [[0, 1, 1, 2, 600, 601, 3200, 3601], range(0, 3601, 300)])
def test_blocks_continue_the_text(model, cuts):
    checkpoint, ids = checkpoint_of(model), random_ids(cuts[-1])
    meter = surprisal_of(checkpoint)
    blocks = [meter.bits(ids[a:b]) for a, b in itertools.pairwise(cuts)]
    assert np.concatenate(blocks) == expected(one_pass(checkpoint, ids))


def test_a_text_too_short_for_two_rows_is_read_in_one_pass():
    checkpoint, ids = make_checkpoint("rnn", vocabulary=VOCABULARY), random_ids(2 * SPAN)
    bits = surprisal_of(checkpoint).bits(ids)  # of a model that may remember for ever
    assert bits == pytest.approx(one_pass(checkpoint, ids), abs=1e-6, nan_ok=True)


def test_a_text_that_is_read_in_parts_costs_the_same(monkeypatch):
    checkpoint, ids = checkpoint_of(), random_ids(3000)
    whole = surprisal_of(checkpoint).bits(ids)
    monkeypatch.setattr(surprisal, "MAX_LOGITS", 1000)
    assert surprisal_of(checkpoint).bits(ids) == pytest.approx(whole, abs=1e-6, nan_ok=True)


@EVERY_CELL
@pytest.mark.parametrize("cuts", [[0, 200, 400], [0, 2200, 2500]])
def test_pytorch_measures_the_same(model, cuts):
    checkpoint, ids = checkpoint_of(model), random_ids(cuts[-1])
    trained = trained_model(checkpoint.model, checkpoint.weights, torch.device("cpu"))
    by_pytorch = Surprisal(partial(TorchDecoder, trained), None)
    blocks = [by_pytorch.bits(ids[a:b]) for a, b in itertools.pairwise(cuts)]
    assert np.concatenate(blocks) == expected(one_pass(checkpoint, ids))


@pytest.mark.parametrize("length", [2, 300, 5000])
def test_the_mean_is_the_held_out_loss_of_training(length):
    checkpoint, ids = checkpoint_of(), random_ids(length)
    trained = trained_model(checkpoint.model, checkpoint.weights, torch.device("cpu"))
    bits = surprisal_of(checkpoint).bits(ids)
    loss = held_out_loss(trained, corpus_of_ids(ids))
    assert np.nanmean(bits) * math.log(2) == pytest.approx(loss, abs=1e-5)


def test_only_the_first_character_costs_nothing():
    bits = surprisal_of(checkpoint_of()).bits(random_ids(100))
    assert np.flatnonzero(np.isnan(bits)).tolist() == [0]


def test_the_state_matters():
    """Without this the tests above would say little: in this model, what came before counts."""
    checkpoint, ids = checkpoint_of(), random_ids(400)
    alone = surprisal_of(checkpoint).bits(ids[200:])
    assert np.abs(alone - surprisal_of(checkpoint).bits(ids)[200:])[1:20].max() > 0.01


def test_equal_logits_cost_as_much_as_a_die():
    bits = bits_of(np.full((2, 3, 6), 7.5, np.float32), np.array([[0, 1, 2], [3, 4, 5]]))
    assert bits == pytest.approx(np.full((2, 3), math.log2(6)))


def test_huge_logits_cost_finite_bits():
    bits = bits_of(np.array([[-4e4, 4e4]], np.float32), np.array([0]))
    assert bits == pytest.approx([8e4 / math.log(2)])
