"""How much each character of a text surprises a model, in bits, block by block."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.models.recurrent.numpy_decoder import NumpyEngine

Ids = npt.NDArray[np.int64]
Bits = npt.NDArray[np.float64]
State = tuple[npt.NDArray[np.float32], ...]
"""The state of one stream: (H,) of each layer, two of an LSTM's."""

WARM_UP = 256  # characters that a lane reads before its own, as in `evaluation`
SPAN = 4 * WARM_UP  # the fewest of its own: else more would be read twice than is gained
MAX_LOGITS = 1 << 20  # numbers kept until their logarithms are taken at once


class Meter(Protocol):
    """What measures a text that comes in blocks."""

    def bits(self, ids: Ids) -> Bits:
        """The surprise (N,) of each of the text's next ids (N,) after those before it; NaN for the
        very first of the text, which nothing foretells."""


class Reader(Protocol):
    """A model that reads several lanes of a text side by side."""

    lanes: int

    def read(
        self, inputs: Ids, targets: Ids, carried: State | None, at: int
    ) -> Iterator[tuple[slice, Bits]]:
        """Read inputs (T, B), whose state starts at zero, but is `carried` in lane 0 from row `at`
        on; yield rows, and the bits that the targets in them cost. Leaves `last_state`."""

    last_state: State
    """That of the last lane after its last row."""


class Surprise:
    """Measures the surprise with the state carried from the text's first character to its last.

    For speed a block is cut into lanes, each of which first reads the `WARM_UP` characters before
    its own, so that its state is all but the one a single pass would carry; only a text too short
    for that is read in one. It is the measure of `evaluation.held_out_loss`, for a text of any
    length, and without PyTorch.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.last: Ids = np.empty(0, np.int64)  # the character before the next block
        self.state: State | None = None

    def bits(self, ids: Ids) -> Bits:
        """See `Meter`."""
        text = np.concatenate([self.last, ids])
        surprise = np.full(len(ids), np.nan)
        if len(text) > 1:
            surprise[len(ids) - len(text) + 1 :] = self._measure(text[:-1], text[1:])
        self.last = text[-1:]
        return surprise

    def _measure(self, inputs: Ids, targets: Ids) -> Bits:
        """The bits (N,) of targets (N,), each after the input in its place and all before it."""
        total = len(inputs)
        lanes = max(1, min(self.reader.lanes, total // SPAN))
        edges = np.arange(lanes + 1) * total // lanes
        steps = -(-total // lanes) + (WARM_UP if lanes > 1 else 0)
        # each lane ends where the next one's own part begins, and the last with the block
        positions = edges[1:] - steps + np.arange(steps)[:, None]  # (T, B)
        own = positions >= edges[:-1]
        positions = positions.clip(0)
        measured = np.empty(total)
        start = steps - int(edges[1])  # the row at which the first lane comes to the block's start
        for rows, bits in self.reader.read(
            inputs[positions], targets[positions], self.state, start
        ):
            measured[positions[rows][own[rows]]] = bits[own[rows]]
        self.state = self.reader.last_state
        return measured


class NumpyReader:
    """Reads with NumPy: on a CPU as fast as PyTorch, which needs two seconds to be imported."""

    def __init__(self, checkpoint: Checkpoint, lanes: int = 64) -> None:
        self.checkpoint, self.lanes = checkpoint, lanes
        self.last_state: State = ()

    def read(
        self, inputs: Ids, targets: Ids, carried: State | None, at: int
    ) -> Iterator[tuple[slice, Bits]]:
        """See `Reader`."""
        steps, lanes = inputs.shape
        model = self.checkpoint.model
        # a matrix of one column takes longer than a vector
        streams = None if lanes == 1 else lanes
        engine = NumpyEngine(model, self.checkpoint.weights, streams)
        states = [state for layer in engine.layers for state in layer.state]  # (H,) or (H, B)
        rows = max(1, MAX_LOGITS // (lanes * model.vocabulary_size))
        room = np.empty((rows, lanes, model.vocabulary_size), np.float32)
        for begin in range(0, steps, rows):
            end = min(begin + rows, steps)
            for row in range(begin, end):
                if row == at:
                    for index, state in enumerate(states):
                        state.reshape(-1, lanes)[:, 0] = 0 if carried is None else carried[index]
                ids: Any = int(inputs[row, 0]) if streams is None else inputs[row]
                room[row - begin] = engine.step(ids)
            yield slice(begin, end), bits_of(room[: end - begin], targets[begin:end])
        self.last_state = tuple(state.reshape(-1, lanes)[:, -1].copy() for state in states)


def bits_of(logits: npt.NDArray[np.float32], targets: Ids) -> Bits:
    """What targets (…) cost under logits (…, V), in bits. The logits are overwritten."""
    logits -= logits.max(-1, keepdims=True)
    chosen = np.take_along_axis(logits, targets[..., None], -1)[..., 0]
    np.exp(logits, out=logits)
    bits: Bits = (np.log(logits.sum(-1, dtype=np.float64)) - chosen) / np.log(2)
    return bits
