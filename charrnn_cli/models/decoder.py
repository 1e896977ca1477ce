"""The contract of a decoder, which reads texts for sampling, scoring and the study of units."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
State = dict[str, Floats]
"""A model's state between two characters: arrays (B, …) by name, for B streams."""


class Decoder(ABC):
    """Reads characters and returns logits for the next one, without gradients.

    It reads one stream, whose arrays have no batch axis, or B streams in parallel.
    """

    vocabulary_size: int

    @abstractmethod
    def step(self, ids: Any) -> Floats:
        """Read one character of each stream, an int or ids (B,); return the logits (V,) or (B, V)
        for the next. The array is overwritten by the next step."""

    def use_second_core(self) -> None:
        """From now on, compute in a thread beside the caller's what need not wait for the next
        character. For a model whose configuration says `decodes_on_two_cores`."""
        raise NotImplementedError

    def read(self, ids: Any) -> None:
        """Read one character of each stream without computing logits."""
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
        """A copy of the state: (B, …) by name, with B = 1 for one stream.

        Empty for a model with a limited context: the characters in the context are not included.
        """
        return {}

    @abstractmethod
    def set_state(self, state: State | None, rows: Any = slice(None)) -> None:
        """Replace the state of some streams; None is the initial state, before any character.

        A decoder without a state begins a new text if it is None for all streams. Raises ValueError
        if that is asked for some of them alone.
        """

    def activations(self) -> Floats:
        """The hidden units after the last character, (U,) or (U, B); U is `ModelConfig.units`."""
        raise NotImplementedError

    def read_attention(self, ids: Any) -> Iterator[Floats]:
        """Read ids (T,) of one stream; yield each layer's attention weights (N, T, S).

        S is the number of characters in the context, of which the last T are these. They must fit
        into the rest of the context. All layers must be taken before anything else is read.
        """
        raise NotImplementedError
