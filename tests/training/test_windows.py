"""An epoch's windows: the text in its order, as the training step reads it."""

import numpy as np
import torch
from factories import fuzz, make_train_config
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text.corpus import cut_lanes, steps_per_epoch
from charrnn_cli.training.batches import Windows

CPU = torch.device("cpu")


@fuzz
@given(st.integers(200, 3000), st.integers(1, 8), st.integers(1, 20), st.integers(0, 9))
def test_windows_are_time_major_and_make_up_the_lanes(characters, batch, seq, epoch):
    ids = np.arange(characters, dtype=np.uint16)
    config = make_train_config(batch_size=batch, seq_length=seq)
    windows = Windows(ids, config, epoch, slice(0, batch), CPU)
    count = steps_per_epoch(characters, batch, seq)
    pairs = [windows[index] for index in range(count)]
    assert {part.shape for pair in pairs for part in pair} == {(seq, batch)}
    lanes = cut_lanes(ids, batch, seq, config.random_seed, epoch)
    for parts, whole in zip(zip(*pairs, strict=True), lanes, strict=True):
        assert np.array_equal(torch.cat(parts).T.numpy(), whole)


def test_a_process_reads_the_windows_of_its_own_lanes():
    ids = np.arange(200, dtype=np.uint8)
    config = make_train_config(batch_size=4, seq_length=5)
    whole, own = (Windows(ids, config, 0, lanes, CPU) for lanes in (slice(0, 4), slice(1, 3)))
    assert torch.equal(own[2][0], whole[2][0][:, 1:3])


def test_on_the_cpu_windows_copy_nothing():
    ids = np.zeros(200, dtype=np.uint8)
    windows = Windows(ids, make_train_config(batch_size=4), 0, slice(0, 4), CPU)
    assert np.shares_memory(windows[0][0].numpy(), ids)


def test_another_device_is_given_integers_that_it_can_compute_with():
    config = make_train_config()
    for ids, expected in [
        (np.zeros(200, dtype=np.uint8), torch.uint8),
        (np.zeros(200, dtype=np.uint16), torch.int32),
    ]:
        inputs, targets = Windows(ids, config, 0, slice(0, 2), torch.device("meta"))[1]
        assert (inputs.device.type, inputs.dtype, targets.dtype) == ("meta", expected, expected)
