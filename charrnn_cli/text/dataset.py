"""The contract between a text to train on and the trainer."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from charrnn_cli.config import TrainConfig
from charrnn_cli.text.vocabulary import Ids, Vocabulary

# A target with this value adds nothing to the loss: padding, or a character of a warm-up.
IGNORE = -100


class Batch(NamedTuple):
    """The data of one training or evaluation step: NumPy arrays from a dataset, tensors for a
    model.

    `inputs` are ids (T, B). `targets` are the ids (T, B) of the characters after them, or `IGNORE`.
    `source` is ids (S, B) for a text of pairs, else None. `share` is the fraction of the whole
    batch's predictions that this process computes.
    """

    inputs: Any
    targets: Any
    source: Any = None
    share: float = 1.0


class Passage(NamedTuple):
    """A batch to measure the loss on.

    The model's state is carried over from the previous passage, but is zero for the batch rows in
    `fresh`.
    """

    batch: Batch
    fresh: slice


def whole(count: int) -> slice:
    """The slice of all `count` rows."""
    return slice(0, count)


class Dataset(Protocol):
    """A text to train on, or a part of one. `len` is its number of characters.

    `sha256` is the checksum of the bytes as read, `path` is where the text can be read again (None
    for a stream), and `notes` are sentences about changes made while reading.
    """

    name: str
    sha256: str
    path: str | None
    notes: tuple[str, ...]

    @property
    def vocabulary(self) -> Vocabulary:
        """The characters of the text, or of the targets of pairs."""

    @property
    def ids(self) -> Ids:
        """The ids (N,) of the characters of the text, or of the targets of pairs."""

    def __len__(self) -> int: ...

    @property
    def vocabulary_sizes(self) -> tuple[int, int | None]:
        """The numbers of symbols of the targets and of the sources; None without sources."""

    def counts(self) -> npt.NDArray[np.int64]:
        """How often each character of the vocabulary occurs: (V,)."""

    def fold_rare(self, min_count: int) -> None:
        """Replace characters that occur fewer than `min_count` times by U+FFFD. Raises
        TextError."""

    def split(self, fraction: float) -> "tuple[Dataset, Dataset]":
        """The part to train on and the held-out part. Raises TextError if the text is too short."""

    def beginning(self, characters: int) -> "Dataset":
        """A small part with at least one batch like those of the whole, to measure the speed of
        training: the first `characters` characters, or some of a text of documents."""

    def fitted(self, config: TrainConfig, given: Collection[str] = ()) -> TrainConfig:
        """The settings with a batch size and window length that suit this text, and that let it
        hold at least one step. Those named in `given` are only reduced."""

    def steps_per_epoch(self, config: TrainConfig) -> int:
        """The number of batches in one epoch."""

    def predictions_per_step(self, config: TrainConfig) -> float:
        """The mean number of characters that a batch predicts."""

    def batches(self, config: TrainConfig, epoch: int, rows: slice) -> Sequence[Batch]:
        """The batches of an epoch, restricted to some batch rows; a function of the arguments."""

    def evaluation_size(self, context: int | None) -> int:
        """How many characters of a text would take as long to evaluate as this; `context` as in
        `passages`."""

    def passages(
        self, context: int | None, part: Callable[[int], slice] = whole
    ) -> Iterator[Passage]:
        """The batches on which a model's loss is measured.

        `context` is the number of characters that the model can look back on, None without a limit.
        `part` maps the number of rows to the rows that this process reads.
        """
