"""An epoch's windows, on the device that trains on them."""

import numpy as np
import torch
from torch import Tensor

from charrnn_cli.config import TrainConfig
from charrnn_cli.text.corpus import cut_lanes
from charrnn_cli.text.vocabulary import Ids


class Windows:
    """The windows of some `lanes` of an epoch, in the order in which they are trained on.

    A GPU is given the ids of all of them at once, one byte a character, or four if there are more
    than 256 distinct ones: a step then has nothing to wait for.
    """

    def __init__(
        self, ids: Ids, config: TrainConfig, epoch: int, lanes: slice, device: torch.device
    ) -> None:
        cut = cut_lanes(ids, config.batch_size, config.seq_length, config.random_seed, epoch)
        self.seq_length = config.seq_length
        self._inputs, self._targets = (_as_tensor(part[lanes], device) for part in cut)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Window `index`: ids (T, B) and the characters after them, of the lanes' own type."""
        part = slice(index * self.seq_length, (index + 1) * self.seq_length)
        return self._inputs[:, part].t(), self._targets[:, part].t()


def _as_tensor(lanes: Ids, device: torch.device) -> Tensor:
    if device.type != "cpu" and lanes.dtype != np.uint8:
        return torch.from_numpy(lanes.astype(np.int32)).to(device)  # GPUs do little with uint16
    return torch.from_numpy(lanes).to(device)
