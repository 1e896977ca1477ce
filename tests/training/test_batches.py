"""Batches on the device that trains on them: the same ids, in types that it can compute with."""

import numpy as np
import pytest
import torch
from factories import corpus_of_ids, make_train_config

from charrnn_cli.text.dataset import Batch
from charrnn_cli.training import batches as module
from charrnn_cli.training.batches import DeviceBatches, as_tensors

CPU, META = torch.device("cpu"), torch.device("meta")
ROWS = slice(0, 2)


def windows_of(ids):
    return corpus_of_ids(ids).batches(make_train_config(), 0, ROWS)


def test_batches_are_those_of_the_text_in_their_order():
    windows = windows_of(np.arange(200, dtype=np.uint8))
    on_device = DeviceBatches(windows, CPU)
    for index, window in enumerate(windows):
        batch = on_device[index]
        assert np.array_equal(batch.inputs.numpy(), window.inputs)
        assert np.array_equal(batch.targets.numpy(), window.targets)
        assert (batch.source, batch.share) == (None, window.share)


def test_on_the_cpu_batches_copy_nothing():
    ids = np.zeros(200, dtype=np.uint8)
    assert np.shares_memory(DeviceBatches(windows_of(ids), CPU)[0].inputs.numpy(), ids)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(np.uint8, torch.uint8), (np.uint16, torch.int32), (np.int64, torch.int64)],
)
def test_another_device_is_given_integers_that_it_can_compute_with(kind, expected):
    batch = DeviceBatches(windows_of(np.zeros(200, dtype=kind)), META)[1]
    assert (batch.inputs.device, batch.inputs.dtype) == (META, expected)
    assert (batch.targets.device, batch.targets.dtype) == (META, expected)


def test_another_device_is_given_many_batches_at_once(monkeypatch):
    monkeypatch.setattr(module, "BATCHES_PER_COPY", 3)
    asked = []

    class Counted(list):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    on_device = DeviceBatches(Counted(windows_of(np.zeros(200, dtype=np.uint8))[:5]), META)
    for index in range(5):
        on_device[index]
        if index == 0:
            assert asked == [0, 1, 2]
    assert asked == [0, 1, 2, 3, 4]


def test_pairs_bring_their_sources_along():
    ids = np.arange(6).reshape(3, 2)
    batch = as_tensors(Batch(ids, ids + 1, ids + 2, 0.5), CPU)
    assert torch.equal(batch.source, torch.from_numpy(ids + 2))
    assert batch.share == 0.5
