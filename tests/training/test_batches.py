"""Batches, lanes and windows: every character is read in its order and predicted once."""

import random

import numpy as np
from factories import fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text.corpus import MIN_TRAIN, cut_lanes, fit_batch, steps_per_epoch

lengths = st.integers(MIN_TRAIN, 3000)
sizes = st.integers(1, 100)


@fuzz
@given(lengths, sizes, sizes)
def test_a_fitted_batch_always_holds_a_step(characters, batch_size, seq_length):
    batch, seq = fit_batch(characters, batch_size, seq_length)
    assert 1 <= batch <= batch_size
    assert 1 <= seq <= seq_length
    assert steps_per_epoch(characters, batch, seq) >= 1


@fuzz
@given(lengths, sizes, sizes)
def test_a_batch_that_fits_is_left_alone(extra, batch_size, seq_length):
    characters = batch_size * seq_length + extra
    assert fit_batch(characters, batch_size, seq_length) == (batch_size, seq_length)


@fuzz
@given(lengths, sizes, sizes)
def test_a_fitted_batch_could_not_be_larger(characters, batch_size, seq_length):
    batch, seq = fit_batch(characters, batch_size, seq_length)
    assert batch == batch_size or (batch + 1) * seq >= characters
    assert seq == seq_length or seq == characters - 1


def test_lanes_are_given_up_before_the_window():
    assert fit_batch(97, 64, 32) == (3, 32)
    assert fit_batch(96, 64, 32) == (2, 32)  # the last character has no target
    assert fit_batch(20, 64, 32) == (1, 19)


@st.composite
def cuts(draw):
    """Arguments of `cut_lanes`, the ids being their own positions."""
    characters = draw(lengths)
    batch, seq = fit_batch(characters, draw(sizes), draw(sizes))
    seed, epoch = draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 1000))
    return np.arange(characters, dtype=np.uint16), batch, seq, seed, epoch


@fuzz
@given(cuts())
def test_targets_are_the_characters_after_the_inputs(cut):
    inputs, targets = cut_lanes(*cut)
    assert (targets == inputs + 1).all()


@fuzz
@given(cuts())
def test_each_lane_is_contiguous_and_the_next_goes_on_where_it_ends(cut):
    inputs, _ = cut_lanes(*cut)
    assert (np.diff(inputs.ravel()) == 1).all()


@fuzz
@given(cuts())
def test_lanes_hold_as_many_whole_windows_as_the_text_allows(cut):
    ids, batch, seq, *_ = cut
    inputs, _ = cut_lanes(*cut)
    rows, columns = inputs.shape
    assert rows == batch
    assert columns % seq == 0
    assert batch * columns < len(ids) <= batch * (columns + seq)


@fuzz
@given(cuts(), st.integers(0, 1000))
def test_lanes_depend_on_the_arguments_only(cut, noise):
    first = cut_lanes(*cut)
    random.seed(noise)
    np.random.seed(noise)
    second = cut_lanes(*cut)
    assert [part.tolist() for part in first] == [part.tolist() for part in second]


def test_lanes_are_views_that_copy_nothing():
    ids = np.zeros(1000, dtype=np.uint8)
    inputs, targets = cut_lanes(ids, 4, 16, 0, 0)
    assert np.shares_memory(inputs, ids)
    assert np.shares_memory(targets, ids)


def test_over_the_epochs_every_character_is_read_and_predicted():
    ids = np.arange(60)
    cut = [cut_lanes(ids, 2, 8, 0, epoch) for epoch in range(200)]
    assert set(np.ravel([inputs for inputs, _ in cut])) == set(range(59))
    assert set(np.ravel([targets for _, targets in cut])) == set(range(1, 60))


def test_another_random_seed_cuts_elsewhere():
    starts = {int(cut_lanes(np.arange(60), 2, 8, seed, 0)[0][0, 0]) for seed in range(50)}
    assert len(starts) > 5
