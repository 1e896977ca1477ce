"""Dynamic evaluation: the model learns as it reads."""

import numpy as np
import pytest
import torch
from factories import make_checkpoint, plain, surprisal_of

from charrnn_cli.scoring.dynamic_evaluation import SEGMENT, AdaptiveMeter

CPU = torch.device("cpu")
CYCLE = np.arange(600) % 3  # nothing a random model expects, and easily learned


def meter(checkpoint=None, **settings):
    return AdaptiveMeter(checkpoint or make_checkpoint(), CPU, **settings)


@pytest.mark.parametrize("model", ["gru", "lstm", "rnn"])
def test_without_a_rate_it_is_the_static_model(model):
    checkpoint = make_checkpoint(model)
    static = surprisal_of(checkpoint).bits(CYCLE)
    assert meter(checkpoint, rate=0.0).bits(CYCLE) == pytest.approx(static, abs=1e-4, nan_ok=True)


@pytest.mark.parametrize("model", ["gru", "lstm", "rnn"])
def test_it_learns_what_it_reads(model):
    checkpoint = make_checkpoint(model, hidden_size=16)
    static = surprisal_of(checkpoint).bits(CYCLE)
    adapted = meter(checkpoint, rate=0.01).bits(CYCLE)
    assert np.mean(adapted[-100:]) < 0.5 < np.mean(static[-100:])


def test_a_segment_is_measured_before_it_is_learned():
    checkpoint = make_checkpoint()
    static = surprisal_of(checkpoint).bits(CYCLE)
    adapted = meter(checkpoint, rate=0.1).bits(CYCLE)
    same = np.flatnonzero(np.abs(adapted - static) < 1e-4)
    assert same[:SEGMENT].tolist() == list(range(1, SEGMENT + 1))
    assert abs(adapted[SEGMENT + 1] - static[SEGMENT + 1]) > 1e-3


def test_the_checkpoint_stays_as_it_is():
    checkpoint = make_checkpoint()
    before = plain(checkpoint)
    meter(checkpoint, rate=0.1).bits(CYCLE)
    assert plain(checkpoint) == before


def test_blocks_of_whole_segments_continue_the_text():
    blocks = meter()
    edge = 5 * SEGMENT + 1  # the first character of all is in no segment
    pieces = [blocks.bits(CYCLE[:edge]), blocks.bits(CYCLE[edge:edge]), blocks.bits(CYCLE[edge:])]
    assert np.concatenate(pieces) == pytest.approx(meter().bits(CYCLE), abs=1e-6, nan_ok=True)


def test_decay_keeps_the_weights_near_where_they_began():
    def distance(decay):
        adapted = meter(rate=0.01, decay=decay)
        adapted.bits(CYCLE)
        pairs = zip(adapted.weights, adapted.start, strict=True)
        return sum(float((weight - start).detach().square().sum()) for weight, start in pairs)

    assert distance(0.1) < 0.5 * distance(0.0)


def test_the_gradient_is_scaled_by_its_root_mean_square():
    """The first step of every weight with a gradient is then of the same length: the rate."""
    adapted = meter(rate=0.125, decay=0.0)
    adapted.bits(CYCLE[: SEGMENT + 1])
    pairs = zip(adapted.weights, adapted.start, strict=True)
    steps = torch.cat([(weight - start).detach().abs().flatten() for weight, start in pairs])
    moved = steps[steps > 0]
    assert len(moved) > 0.5 * len(steps)
    assert moved.numpy() == pytest.approx(np.full(len(moved), 0.125), rel=1e-2)
