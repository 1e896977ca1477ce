"""The contract of a decoder: what samples, scores and studies units reads a text with."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
State = dict[str, Floats]
"""What a model carries from one character to the next, by name: (B, …) for B streams."""


class Decoder(ABC):
    """Reads characters one after another and gives logits for the next, without gradients.

    It reads one stream, whose arrays have no batch axis, or B streams side by side.
    """

    vocabulary_size: int

    @abstractmethod
    def step(self, ids: Any) -> Floats:
        """Read one character of each stream, an int or ids (B,); return the logits (V,) or (B, V)
        for the next. The array is overwritten by the next step."""

    def read(self, ids: Any) -> None:
        """Read one character of each stream; nobody asks for the next."""
        self.step(ids)

    def logits(self, ids: Any) -> Floats:
        """Read ids (T,) of one stream or (T, B) of several; return the logits (T, V) or (T, B, V)
        after each."""
        first = self.step(ids[0])
        logits = np.empty((len(ids), *first.shape), np.float32)
        logits[0] = first
        for place in range(1, len(ids)):
            logits[place] = self.step(ids[place])
        return logits

    def prefill(self, ids: Any) -> Floats:
        """Read a prompt, ids (T,) of one stream or (T, B) of several, T at least 1; return the
        logits (V,) or (B, V) for the next."""
        for row in ids[:-1]:
            self.read(row)
        return self.step(ids[-1])

    def state(self) -> State:
        """A copy of the state: (B, …) by name, with B = 1 for one stream. Empty for a model that
        has none, whose context this does not hold."""
        return {}

    @abstractmethod
    def set_state(self, state: State | None, rows: Any = slice(None)) -> None:
        """Put a state in place of that of some streams; None: the state before any character."""

    def activations(self) -> Floats:
        """The hidden units after the last character, (U,) or (U, B); U is `ModelConfig.units`."""
        raise NotImplementedError
