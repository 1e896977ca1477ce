"""Bits per character: that lanes, blocks and engines change nothing but the speed."""

import itertools
import math

import numpy as np
import pytest
import torch
from charrnn_cli.models.torch_reader import TorchReader
from factories import make_checkpoint

from charrnn_cli.scoring.surprisal import SPAN, NumpyReader, Surprise, bits_of

VOCABULARY = "abcdefgh\n"


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
    return Surprise(NumpyReader(checkpoint, lanes=1)).bits(ids)


def expected(values):
    return pytest.approx(values, abs=1e-4, nan_ok=True)


@pytest.mark.parametrize("model", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize("length", [1, 2, 50, SPAN, 2 * SPAN, 2 * SPAN + 1, 3 * SPAN + 2])
def test_lanes_measure_what_one_pass_does(model, length):
    checkpoint, ids = checkpoint_of(model), random_ids(length)
    lanes = Surprise(NumpyReader(checkpoint, lanes=7)).bits(ids)
    assert lanes == expected(one_pass(checkpoint, ids))


@pytest.mark.parametrize("model", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize("lanes", [1, 4])
def test_blocks_continue_the_text(model, lanes):
    checkpoint, ids = checkpoint_of(model), random_ids(3601)
    surprise = Surprise(NumpyReader(checkpoint, lanes))
    cuts = [0, 1, 1, 2, 600, 601, 3200, 3601]
    blocks = [surprise.bits(ids[a:b]) for a, b in itertools.pairwise(cuts)]
    assert np.concatenate(blocks) == expected(one_pass(checkpoint, ids))


@pytest.mark.parametrize("model", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize("lanes", [1, 2])
def test_pytorch_measures_the_same(model, lanes):
    checkpoint, ids = checkpoint_of(model), random_ids(2500)
    reader = TorchReader(checkpoint, torch.device("cpu"), lanes)
    surprise = Surprise(reader)
    blocks = [surprise.bits(ids[:2200]), surprise.bits(ids[2200:])]
    assert np.concatenate(blocks) == expected(one_pass(checkpoint, ids))


def test_only_the_first_character_costs_nothing():
    bits = one_pass(checkpoint_of(), random_ids(100))
    assert np.flatnonzero(np.isnan(bits)).tolist() == [0]


def test_the_state_matters():
    """Without this the tests above would say little: in this model, what came before counts."""
    checkpoint, ids = checkpoint_of(), random_ids(400)
    alone = one_pass(checkpoint, ids[200:])
    assert np.abs(alone - one_pass(checkpoint, ids)[200:])[1:20].max() > 0.01


def test_equal_logits_cost_as_much_as_a_die():
    bits = bits_of(np.full((2, 3, 6), 7.5, np.float32), np.array([[0, 1, 2], [3, 4, 5]]))
    assert bits == pytest.approx(np.full((2, 3), math.log2(6)))


def test_huge_logits_cost_finite_bits():
    bits = bits_of(np.array([[-4e4, 4e4]], np.float32), np.array([0]))
    assert bits == pytest.approx([8e4 / math.log(2)])
