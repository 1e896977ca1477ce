"""The windows of an epoch, and how many fit a text."""

from collections.abc import Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from charrnn_cli.text.dataset import Batch
from charrnn_cli.text.vocabulary import Ids


def fit_batch(characters: int, batch_size: int, seq_length: int) -> tuple[int, int]:
    """The batch size and window length, reduced until a text of `characters` holds one step.

    The window is reduced only if the text is shorter than it; else batch rows are left out.
    """
    predictions = characters - 1
    seq_length = min(seq_length, predictions)
    return min(batch_size, predictions // seq_length), seq_length


def steps_per_epoch(characters: int, batch_size: int, seq_length: int) -> int:
    """The number of whole windows in each batch row's part of a text."""
    return (characters - 1) // (batch_size * seq_length)


class ShuffledWindows(Sequence[Batch]):
    """An epoch's batches of windows of `seq_length` characters, which begin at `starts` (steps, B).

    `share` is the fraction of each whole batch's predictions that these rows hold.
    """

    def __init__(
        self, ids: Ids, starts: npt.NDArray[np.int64], seq_length: int, share: float
    ) -> None:
        self.ids, self.starts, self.share = ids, starts, share
        self.steps = np.arange(seq_length)[:, None]

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Batch]: ...
    def __getitem__(self, index: int | slice) -> Batch | list[Batch]:
        """Window `index` of each batch row: copies (T, B)."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        places = self.starts[index] + self.steps
        return Batch(self.ids[places], self.ids[places + 1], share=self.share)


class Windows(Sequence[Batch]):
    """An epoch's batches of windows of `seq_length` characters, in training order.

    `inputs` and `targets` are the ids (B, L) that B batch rows read in the whole epoch. `share` is
    the fraction of each whole batch's predictions that these rows hold.
    """

    def __init__(self, inputs: Ids, targets: Ids, seq_length: int, share: float) -> None:
        self.inputs, self.targets = inputs, targets
        self.seq_length, self.share = seq_length, share

    def __len__(self) -> int:
        return int(self.inputs.shape[1]) // self.seq_length

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Batch]: ...
    def __getitem__(self, index: int | slice) -> Batch | list[Batch]:
        """Window `index`: views (T, B) of the rows."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        part = slice(index * self.seq_length, (index + 1) * self.seq_length)
        return Batch(self.inputs[:, part].T, self.targets[:, part].T, share=self.share)
