"""The contract between a text to train on and the trainer."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

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
    for a stream), and `notes` are sentences about changes made while reading. `ids` are (N,).
    """

    name: str
    sha256: str
    path: str | None
    notes: tuple[str, ...]
    vocabulary: Vocabulary
    ids: Ids

    def __len__(self) -> int: ...

    def split(self, fraction: float) -> "tuple[Dataset, Dataset]":
        """The part to train on and the held-out part. Raises TextError if the text is too short."""

    def beginning(self, characters: int) -> "Dataset":
        """The first `characters` characters."""

    def steps_per_epoch(self, config: TrainConfig) -> int:
        """The number of batches in one epoch."""

    def batches(self, config: TrainConfig, epoch: int, rows: slice) -> Sequence[Batch]:
        """The batches of an epoch, restricted to some batch rows; a function of the arguments."""

    def evaluation_size(self, context: int | None) -> int:
        """How many characters `passages` reads; `context` as there."""

    def passages(
        self, context: int | None, part: Callable[[int], slice] = whole
    ) -> Iterator[Passage]:
        """The batches on which a model's loss is measured.

        `context` is the number of characters that the model can look back on, None without a limit.
        `part` maps the number of rows to the rows that this process reads.
        """
