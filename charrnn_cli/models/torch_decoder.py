"""A PyTorch model as a decoder, to sample and score on a GPU with any architecture."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from charrnn_cli.models.decoder import Decoder, Floats, State
from charrnn_cli.models.module import Model
from charrnn_cli.text.dataset import Batch

# A model with a state reads at most so many characters of each stream in a forward pass. It bounds
# memory.
WINDOW = 128


class TorchDecoder(Decoder):
    """Reads characters with a model in evaluation mode, on the model's device.

    A model with a limited context reads until the context is full. It then keeps the newer half of
    the characters as the beginning of a new window, as in `text.rows.windows`.
    """

    def __init__(self, model: Model, streams: int | None = None) -> None:
        self.model, self.single = model, streams is None
        self.vocabulary_size, self.context = model.config.vocabulary_size, model.config.context
        self.device = next(model.parameters()).device
        self._state = {
            name: values.clone() for name, values in model.initial_state(streams or 1).items()
        }
        self._read = torch.empty((0, streams or 1), dtype=torch.long, device=self.device)

    def step(self, ids: Any) -> Floats:
        """See `Decoder`."""
        logits: Floats = self.logits(np.asarray(ids)[None])[0]
        return logits

    @torch.no_grad()
    def logits(self, ids: Any) -> Floats:
        """See `Decoder`."""
        rows = torch.as_tensor(np.asarray(ids), dtype=torch.long, device=self.device)
        rows = rows.view(len(rows), -1)  # (T, B)
        parts = [self._forward(part) for part in self._parts(rows)]
        array: Floats = torch.cat(parts).float().cpu().numpy()  # (T, B, V)
        return array[:, 0] if self.single else array

    def prefill(self, ids: Any) -> Floats:
        """See `Decoder`."""
        last: Floats = self.logits(ids)[-1]
        return last

    def state(self) -> State:
        """See `Decoder`."""
        return {name: values.float().cpu().numpy().copy() for name, values in self._state.items()}

    def set_state(self, state: State | None, rows: Any = slice(None)) -> None:
        """See `Decoder`."""
        for name, values in self._state.items():
            values[rows] = 0.0 if state is None else torch.from_numpy(state[name]).to(self.device)
        every = isinstance(rows, slice) and rows == slice(None)
        if self.context is not None and not every:
            raise ValueError("the streams of a transformer begin a text together")
        self._read = self._read[:0]

    def _parts(self, rows: Tensor) -> list[Tensor]:
        """Ids (T, B) split into parts that the model can read in one forward pass each."""
        if self.context is None:
            return list(torch.split(rows, WINDOW))
        span = self.context - self.context // 2
        first = (self.context - len(self._read)) or span  # until the context is full
        return [part for part in (rows[:first], *torch.split(rows[first:], span)) if len(part)]

    def _forward(self, rows: Tensor) -> Tensor:
        """Logits (T, B, V) after each of ids (T, B), which fit into the rest of the context."""
        if self.context is None:
            logits: Tensor
            logits, self._state = self.model(Batch(rows, None), self._state)
            return logits
        if len(self._read) == self.context:
            self._read = self._read[self.context - self.context // 2 :]
        self._read = torch.cat([self._read, rows])
        logits, _ = self.model(Batch(self._read, None), self._state)
        return logits[-len(rows) :]
