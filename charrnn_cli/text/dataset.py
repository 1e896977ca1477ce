"""The contract between a text to train on and the trainer."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.text.vocabulary import Ids, Vocabulary

# A target with this value adds nothing to the loss: padding, or a character of a warm-up.
IGNORE = -100


class Batch(NamedTuple):
    """The data of one training or evaluation step: NumPy arrays from a dataset, tensors for a
    model.

    `inputs` are ids (T, B). `targets` are the ids (T, B) of the characters after them, or `IGNORE`.
    `source` is ids (S, B) for a text of pairs, else None. `share` is the fraction of the whole
    batch's predictions that this process computes. `fresh` (B,) is true for the rows whose state
    is zero before this batch; None means that all rows carry their state on.
    """

    inputs: Any
    targets: Any
    source: Any = None
    share: float = 1.0
    fresh: Any = None


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


class Reading(NamedTuple):
    """How a text of several files can be read again, and checked; nothing for a single one.

    `sources` are absolute paths of files and folders, and `glob` is the pattern of the names that
    are read in folders. `file_sha256s` are the checksums of the files.
    """

    sources: tuple[str, ...] = ()
    glob: str | None = None
    file_sha256s: tuple[str, ...] = ()


class Identified(Protocol):
    """What identifies a text, and where it can be read again. `len` is its number of characters."""

    @property
    def name(self) -> str:
        """The text's name: a path, or the name of its folder."""

    @property
    def sha256(self) -> str:
        """The checksum of the bytes as read."""

    @property
    def path(self) -> str | None:
        """Where the text can be read again: its first file or folder. None for a stream."""

    @property
    def reading(self) -> Reading:
        """How a text of several files can be read again."""

    def __len__(self) -> int: ...


class Dataset(Identified, Protocol):
    """A text or pairs to train on, or a part of them."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about changes made while reading."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The characters of the text, or of the targets of pairs."""

    @property
    def ids(self) -> Ids:
        """The ids (N,) of the characters of this part, or of the targets of pairs."""

    @property
    def val_text(self) -> Identified | None:
        """What is held out, if it is a text of the user's own."""

    @property
    def vocabulary_sizes(self) -> tuple[int, int | None]:
        """The numbers of symbols of the targets and of the sources; None without sources."""

    def counts(self) -> npt.NDArray[np.int64]:
        """How often each character of the vocabulary occurs: (V,)."""

    def split(self, fraction: float) -> "tuple[Dataset, Dataset]":
        """The part to train on and the held-out part; with a `val_text`, all of this text and that
        one. Raises TextError if the text is too short."""

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
        """How many characters an evaluation reads, or would read in the same time; `context` as in
        `passages`."""

    def passages(
        self, context: int | None, part: Callable[[int], slice] = whole
    ) -> Iterator[Passage]:
        """The batches on which a model's loss is measured.

        `context` is the number of characters that the model can look back on, None without a limit.
        `part` maps the number of rows to the rows that this process reads.
        """
