"""The PyTorch model as an engine: for sampling on a GPU."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.models.device import choose_device
from charrnn_cli.models.recurrent.model import CharRNN, load_weights


class TorchEngine:
    """Steps a saved model on a device; the same contract as NumpyEngine."""

    def __init__(self, checkpoint: Checkpoint, device: str, streams: int | None) -> None:
        self.device = choose_device(device)
        self.model = CharRNN(checkpoint.model)
        load_weights(self.model, checkpoint.weights)
        self.model.to(self.device).eval()
        self.hidden = self.model.initial_hidden(streams or 1)
        self.single = streams is None

    @torch.no_grad()
    def step(self, ids: Any) -> npt.NDArray[np.float32]:
        """Read one character of each stream, an int or ids (B,); return the logits (V,) or (B, V)
        for the next."""
        row = torch.as_tensor(np.atleast_1d(ids), dtype=torch.long, device=self.device)
        logits, self.hidden = self.model(row[None], self.hidden)
        array: npt.NDArray[np.float32] = logits[0].float().cpu().numpy()
        return array[0] if self.single else array
