"""An epoch's batches on the training device."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from charrnn_cli.text.dataset import Batch

# So many batches are copied to a GPU together, so that steps need not wait for a copy.
BATCHES_PER_COPY = 64


class DeviceBatches:
    """An epoch's batches as tensors on a device, in training order.

    Ids keep their type, which is one byte per character if possible.
    """

    def __init__(self, batches: Sequence[Batch], device: torch.device) -> None:
        self.batches, self.device = batches, device
        self._sent: dict[int, Batch] = {}  # the batches that are on the GPU now

    def __getitem__(self, index: int) -> Batch:
        """Batch `index`, of tensors (T, B)."""
        if self.device.type == "cpu":
            return as_tensors(self.batches[index], self.device)
        if index not in self._sent:
            some = range(index, min(index + BATCHES_PER_COPY, len(self.batches)))
            self._sent = {i: as_tensors(self.batches[i], self.device) for i in some}
        return self._sent[index]


def as_tensors(batch: Batch, device: torch.device) -> Batch:
    """A batch of NumPy arrays as a batch of tensors on a device."""
    inputs, targets, source = (_as_tensor(ids, device) for ids in batch[:3])
    fresh = None if batch.fresh is None else torch.from_numpy(batch.fresh).to(device)
    return Batch(inputs, targets, source, batch.share, fresh)


def _as_tensor(ids: Any, device: torch.device) -> Tensor | None:
    if ids is None:
        return None
    if device.type != "cpu" and ids.dtype not in (np.uint8, np.int64):
        ids = ids.astype(np.int32)  # PyTorch supports few operations on uint16 on a GPU
    return torch.from_numpy(ids).to(device, non_blocking=True)
