"""An epoch's batches of a text: every character is read in its order and predicted once."""

import random

import numpy as np
from factories import corpus_of_ids, fuzz, make_train_config
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text.corpus import MIN_TRAIN
from charrnn_cli.text.windows import Windows, fit_batch, steps_per_epoch

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


def test_batch_rows_are_given_up_before_the_window():
    assert fit_batch(97, 64, 32) == (3, 32)
    assert fit_batch(96, 64, 32) == (2, 32)  # the last character has no target
    assert fit_batch(20, 64, 32) == (1, 19)


def windows_of(ids, batch: int, seq: int, seed: int = 0, epoch: int = 0, rows=None) -> Windows:
    """The windows of an epoch; of all batch rows, or of some."""
    config = make_train_config(batch_size=batch, seq_length=seq, random_seed=seed)
    return corpus_of_ids(ids).batches(config, epoch, rows or slice(0, batch))


def joined(windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """The inputs and targets (B, L) of all windows in a row."""
    inputs, targets = zip(*((batch.inputs, batch.targets) for batch in windows), strict=True)
    return np.concatenate(inputs).T, np.concatenate(targets).T


@st.composite
def cuts(draw):
    """Arguments of `windows_of`, the ids being their own positions."""
    characters = draw(lengths)
    batch, seq = fit_batch(characters, draw(sizes), draw(sizes))
    seed, epoch = draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 1000))
    return np.arange(characters, dtype=np.uint16), batch, seq, seed, epoch


@fuzz
@given(cuts())
def test_targets_are_the_characters_after_the_inputs(cut):
    inputs, targets = joined(windows_of(*cut))
    assert (targets == inputs + 1).all()


@fuzz
@given(cuts())
def test_each_batch_row_is_contiguous_and_the_next_goes_on_where_it_ends(cut):
    inputs, _ = joined(windows_of(*cut))
    assert (np.diff(inputs.ravel().astype(int)) == 1).all()


@fuzz
@given(cuts())
def test_batch_rows_hold_as_many_whole_windows_as_the_text_allows(cut):
    ids, batch, seq, *_ = cut
    windows = windows_of(*cut)
    inputs, _ = joined(windows)
    rows, columns = inputs.shape
    assert rows == batch
    assert columns == len(windows) * seq
    assert batch * columns < len(ids) <= batch * (columns + seq)


@fuzz
@given(cuts())
def test_windows_are_time_major_and_as_many_as_are_counted(cut):
    ids, batch, seq, *_ = cut
    windows = windows_of(*cut)
    assert len(windows) == len(list(windows)) == steps_per_epoch(len(ids), batch, seq)
    assert {part.shape for window in windows for part in window[:2]} == {(seq, batch)}
    assert {window.source for window in windows} == {None}


@fuzz
@given(cuts(), st.integers(0, 1000))
def test_windows_depend_on_the_arguments_only(cut, noise):
    first = joined(windows_of(*cut))
    random.seed(noise)
    np.random.seed(noise)
    second = joined(windows_of(*cut))
    assert [part.tolist() for part in first] == [part.tolist() for part in second]


def test_windows_are_views_that_copy_nothing():
    ids = np.zeros(1000, dtype=np.uint8)
    inputs, targets, *_ = windows_of(ids, 4, 16)[1]
    assert np.shares_memory(inputs, ids)
    assert np.shares_memory(targets, ids)


def test_a_slice_of_the_windows_is_a_list_of_them():
    windows = windows_of(np.arange(200), 2, 16)
    assert [window.inputs.tolist() for window in windows[1:4]] == [
        windows[index].inputs.tolist() for index in (1, 2, 3)
    ]


def test_a_process_reads_the_windows_of_its_own_batch_rows():
    ids = np.arange(200, dtype=np.uint8)
    whole, own = (windows_of(ids, 4, 5, rows=rows)[2] for rows in (slice(0, 4), slice(1, 3)))
    assert np.array_equal(own.inputs, whole.inputs[:, 1:3])
    assert np.array_equal(own.targets, whole.targets[:, 1:3])


def test_the_shares_of_all_processes_are_those_of_their_batch_rows():
    ids = np.arange(200)
    rows = (slice(0, 4), slice(0, 1), slice(1, 4))
    assert [windows_of(ids, 4, 5, rows=some)[0].share for some in rows] == [1, 0.25, 0.75]


def test_over_the_epochs_every_character_is_read_and_predicted():
    cut = [joined(windows_of(np.arange(60), 2, 8, 0, epoch)) for epoch in range(200)]
    assert set(np.ravel([inputs for inputs, _ in cut])) == set(range(59))
    assert set(np.ravel([targets for _, targets in cut])) == set(range(1, 60))


def test_another_random_seed_cuts_elsewhere():
    ids = np.arange(60)
    starts = {int(windows_of(ids, 2, 8, seed)[0].inputs[0, 0]) for seed in range(50)}
    assert len(starts) > 5
