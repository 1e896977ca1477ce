"""The contract between the kinds of text that can be trained on and the trainer."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from charrnn_cli.config import TrainConfig
from charrnn_cli.text.vocabulary import Ids, Vocabulary

IGNORE = -100  # a target that is no character: padding, or read only to come to a state


class Batch(NamedTuple):
    """What one step of training or evaluation reads: NumPy arrays from a dataset, tensors for a
    model.

    `inputs` and `targets`, the characters after them, are ids (T, B); a target may be `IGNORE`.
    `source` is ids (S, B) for pairs, else None. `share` is the part of the whole batch's
    predictions that this process has.
    """

    inputs: Any
    targets: Any
    source: Any = None
    share: float = 1.0


class Passage(NamedTuple):
    """A batch to be measured. The state before it is that after the passage before, but zero for
    the batch rows in `fresh`."""

    batch: Batch
    fresh: slice


def whole(count: int) -> slice:
    """All of so many rows."""
    return slice(0, count)


class Dataset(Protocol):
    """A text to train on, or a part of one. `len` is its number of characters."""

    name: str
    sha256: str
    path: str | None
    notes: tuple[str, ...]
    vocabulary: Vocabulary
    ids: Ids

    def __len__(self) -> int: ...

    def split(self, fraction: float) -> "tuple[Dataset, Dataset]":
        """The part to train on and the held-out part. Raises TextError if it is too short."""

    def beginning(self, characters: int) -> "Dataset":
        """The first so many characters."""

    def steps_per_epoch(self, config: TrainConfig) -> int:
        """How many batches one pass over the text makes."""

    def batches(self, config: TrainConfig, epoch: int, rows: slice) -> Sequence[Batch]:
        """The batches of an epoch, of some of their rows. Depends on nothing but the arguments."""

    def evaluation_size(self, context: int | None) -> int:
        """How many characters are read to measure that loss."""

    def passages(
        self, context: int | None, part: Callable[[int], slice] = whole
    ) -> Iterator[Passage]:
        """What is read to measure the loss of a model that looks back on so many characters; of a
        number of rows, those that `part` gives."""
