"""Batches of pairs of like length."""

from collections.abc import Sequence
from typing import overload

import numpy as np

from charrnn_cli.text.dataset import IGNORE, Batch
from charrnn_cli.text.ragged import Counts, Ragged, Rows

# Pairs are sorted by length within so many batches: pairs that meet in a batch differ by epoch.
BATCHES_SORTED = 100


def epoch_order(
    source_lengths: Counts, target_lengths: Counts, batch_size: int, rng: np.random.Generator
) -> Rows:
    """The places (steps, B) of an epoch's pairs in its batches: each at least once.

    Pairs of like length are in one batch, and batches come in random order. What is missing in the
    last batch is drawn at random.
    """
    count = len(source_lengths)
    steps = -(-count // batch_size)
    order = rng.permutation(count)
    lacking = steps * batch_size - count
    more = rng.choice(count, lacking, replace=lacking > count)
    order = np.concatenate([order, more])
    for begin in range(0, len(order), BATCHES_SORTED * batch_size):
        some = order[begin : begin + BATCHES_SORTED * batch_size]
        some[:] = some[np.lexsort((target_lengths[some], source_lengths[some]))]
    batches = order.reshape(steps, batch_size)
    shuffled: Rows = batches[rng.permutation(steps)]
    return shuffled


def make_batch(
    sources: Ragged, targets: Ragged, numbers: Rows, rows: slice, ends: tuple[int, int]
) -> Batch:
    """A batch of the pairs of these numbers (B,), restricted to some of its rows.

    Sources (S, R) are padded with `IGNORE` after their end. Targets (T, R) are characters and the
    end, then `IGNORE`; inputs (T, R) are the targets one step later, after an end, and padded with
    it. `ends` are the ids of the ends of sources and targets. S and T are those of the whole batch,
    so that its parts differ in nothing from the whole. `share` is that of the targets.
    """
    mine = numbers[rows]
    target_lengths = targets.lengths(numbers)
    length = int(target_lengths.max())
    padded = targets.padded(mine, length, IGNORE)
    inputs = np.full_like(padded, ends[1])
    inputs[1:] = np.where(padded[:-1] == IGNORE, ends[1], padded[:-1])
    source = sources.padded(mine, int(sources.lengths(numbers).max()), IGNORE)
    share = float(target_lengths[rows].sum() / target_lengths.sum())
    return Batch(inputs, padded, source, share)


class PairBatches(Sequence[Batch]):
    """An epoch's batches: those of the pairs of `numbers` (steps, B), restricted to some rows."""

    def __init__(
        self, sources: Ragged, targets: Ragged, numbers: Rows, rows: slice, ends: tuple[int, int]
    ) -> None:
        self.sources, self.targets, self.numbers = sources, targets, numbers
        self.rows, self.ends = rows, ends

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Batch]: ...
    def __getitem__(self, index: int | slice) -> Batch | list[Batch]:
        """Batch number `index`."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return make_batch(self.sources, self.targets, self.numbers[index], self.rows, self.ends)
