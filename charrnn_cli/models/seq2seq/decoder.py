"""The contract of a decoder of pairs, which reads sources and writes targets in NumPy."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from charrnn_cli.models.decoder import Array, Floats
from charrnn_cli.models.seq2seq.base import PairConfig
from charrnn_cli.text.dataset import IGNORE


class PairDecoder(ABC):
    """Reads B sources, then the symbols of K targets for each, without gradients.

    `memory` holds what was read of the sources, arrays (B, …) by name, and `state` what was read of
    the targets, arrays (B, K, …). `attention` are the weights (B, K, S) that the last symbols of
    the targets gave to each symbol of their source, END included; None for a model without
    attention, and before the first step.
    """

    def __init__(self, config: PairConfig) -> None:
        self.config = config
        self.vocabulary_size, self.end = config.vocabulary_size, config.end
        self.memory: dict[str, Array] = {}
        self.state: dict[str, Array] = {}
        self.attention: Floats | None = None

    def encode(self, source: Array, beams: int = 1) -> None:
        """Read sources, ids (S, B) that end with END and are padded with `IGNORE`.

        It begins `beams` targets K for each of them.
        """
        real = np.asarray(source) != IGNORE
        self.attention = None
        self._encode(np.where(real, source, self.config.source_end), real, beams)

    @abstractmethod
    def _encode(self, ids: Array, real: Array, beams: int) -> None:
        """Set `memory` and `state`; `ids` (S, B) have END where `real` (S, B) is false."""

    @abstractmethod
    def step(self, ids: Any) -> Floats:
        """Read a symbol of each target, ids (B, K), at first END; return the logits (B, K, V) for
        the next. Sets `attention`."""

    def follow(self, parents: Array) -> None:
        """Continue each target of a source from another one of it: `parents` (B, K) in 0 … K-1."""
        rows = np.arange(len(parents))[:, None]
        self.state = {name: values[rows, parents] for name, values in self.state.items()}

    def keep(self, rows: Array) -> None:
        """Continue with these of the sources only."""
        self.memory = {name: values[rows] for name, values in self.memory.items()}
        self.state = {name: values[rows] for name, values in self.state.items()}
        if self.attention is not None:
            self.attention = self.attention[rows]

    def logits(self, source: Array, inputs: Array) -> Floats:
        """The logits (T, B, V) after each of the inputs (T, B), for sources (S, B)."""
        self.encode(source)
        return np.stack([self.step(ids[:, None])[:, 0] for ids in np.asarray(inputs)])
