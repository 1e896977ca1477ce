"""An epoch's batches, on the device that trains on them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from charrnn_cli.text.dataset import Batch

AHEAD = 64  # batches given to a GPU at once: a step then has nothing to wait for


class DeviceBatches:
    """The batches of an epoch as tensors, in the order in which they are trained on.

    Ids keep the type that they have, one byte a character if possible.
    """

    def __init__(self, batches: Sequence[Batch], device: torch.device) -> None:
        self.batches, self.device = batches, device
        self._sent: dict[int, Batch] = {}  # those that a GPU has by now

    def __getitem__(self, index: int) -> Batch:
        """Batch `index`, of tensors (T, B)."""
        if self.device.type == "cpu":
            return as_tensors(self.batches[index], self.device)
        if index not in self._sent:
            some = range(index, min(index + AHEAD, len(self.batches)))
            self._sent = {i: as_tensors(self.batches[i], self.device) for i in some}
        return self._sent[index]


def as_tensors(batch: Batch, device: torch.device) -> Batch:
    """A batch of NumPy arrays as one of tensors on a device."""
    inputs, targets, source = (_as_tensor(ids, device) for ids in batch[:3])
    return Batch(inputs, targets, source, batch.share)


def _as_tensor(ids: Any, device: torch.device) -> Tensor | None:
    if ids is None:
        return None
    if device.type != "cpu" and ids.dtype not in (np.uint8, np.int64):
        ids = ids.astype(np.int32)  # GPUs do little with uint16
    return torch.from_numpy(ids).to(device, non_blocking=True)
