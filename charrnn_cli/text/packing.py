"""Documents and items packed into batches: windows that never cross the end of a document."""

from collections.abc import Sequence
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from charrnn_cli.text.dataset import IGNORE, Batch
from charrnn_cli.text.vocabulary import Ids

Ints = npt.NDArray[np.int64]


class Packing(NamedTuple):
    """The windows of an epoch: window (s, b) is read by batch row b at step s.

    It reads `lengths` characters from `starts` on, and predicts the one after each (S, B). The
    state begins at zero where `fresh` is true (S, B); otherwise the window continues the row's
    previous one.
    """

    starts: Ints
    lengths: Ints
    fresh: npt.NDArray[np.bool_]


def window_counts(predictions: Ints, seq_length: int) -> Ints:
    """How many windows each of the spans (D,) with so many predictions is cut into."""
    return -(-predictions // seq_length)


def _windows(
    starts: Ints, predictions: Ints, seq_length: int, rng: np.random.Generator
) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """The windows of spans (D,) in their order: starts, lengths, and whether each is a span's first
    (W,). A span's first window is shortened at random, so that edges differ by epoch."""
    counts = window_counts(predictions, seq_length)
    last = predictions - (counts - 1) * seq_length
    first = np.where(counts > 1, rng.integers(last, seq_length + 1), predictions)
    span = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(span)) - np.repeat(np.cumsum(counts) - counts, counts)
    offset = np.where(number == 0, 0, first[span] + (number - 1) * seq_length)
    lengths = np.minimum(np.where(number == 0, first[span], seq_length), predictions[span] - offset)
    return starts[span] + offset, lengths, number == 0


def pack_streams(
    starts: Ints, predictions: Ints, batch_size: int, seq_length: int, rng: np.random.Generator
) -> Packing:
    """Spans in random order, one after the other in batch rows that carry a state.

    A row may begin within a span, as the rows of a running text do. Windows that do not fill all
    rows are left out, others in each epoch.
    """
    order = rng.permutation(len(starts))
    begin, lengths, fresh = _windows(starts[order], predictions[order], seq_length, rng)
    steps = len(begin) // batch_size
    offset = int(rng.integers(len(begin) - steps * batch_size + 1))
    used = slice(offset, offset + steps * batch_size)
    grid = np.arange(len(begin))[used].reshape(batch_size, steps).T  # (S, B)
    starts_afresh = fresh[grid]
    starts_afresh[:1] = True
    return Packing(begin[grid], lengths[grid], starts_afresh)


def pack_shuffled(
    starts: Ints, predictions: Ints, batch_size: int, seq_length: int, rng: np.random.Generator
) -> Packing:
    """Windows in random order, each read from a state of zero.

    Their lengths are mixed in every batch. Batches of windows of one length need no padding, and so
    are a fifth faster, but an epoch of names then taught as little as two thirds of one.
    """
    begin, lengths, _ = _windows(starts, predictions, seq_length, rng)
    steps = len(begin) // batch_size
    grid = rng.permutation(len(begin))[: steps * batch_size].reshape(steps, batch_size)
    return Packing(begin[grid], lengths[grid], np.ones(grid.shape, np.bool_))


class PackedBatches(Sequence[Batch]):
    """The batches of a packing, restricted to some batch rows; each is as long as the longest
    window of all rows, the others are padded with `IGNORE`."""

    def __init__(self, ids: Ids, packing: Packing, rows: slice) -> None:
        self.ids, self.packing, self.rows = ids, packing, rows

    def __len__(self) -> int:
        return len(self.packing.starts)

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Batch]: ...
    def __getitem__(self, index: int | slice) -> Batch | list[Batch]:
        """Batch `index`: copies (T, B)."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        every = self.packing.lengths[index]
        starts, lengths, fresh = (values[index][self.rows] for values in self.packing)
        return padded(self.ids, starts, lengths, int(every.max()))._replace(
            share=float(lengths.sum() / every.sum()), fresh=fresh
        )


def padded(ids: Ids, starts: Ints, lengths: Ints, steps: int) -> Batch:
    """Windows of ids side by side, (T, B): those shorter than `steps` repeat their last input, with
    `IGNORE` as its target."""
    time = np.arange(steps)[:, None]
    places = starts + np.minimum(time, np.maximum(lengths - 1, 0))
    targets = ids[places + 1].astype(np.int64)
    targets[time >= lengths] = IGNORE
    return Batch(ids[places], targets)
