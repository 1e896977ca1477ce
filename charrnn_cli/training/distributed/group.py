"""What the processes that train one model decide together; here, those of a single one."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import TextError
from charrnn_cli.models.device import choose_device
from charrnn_cli.text.corpus import Corpus, Watch, read_corpus

T = TypeVar("T")


class Group:
    """The processes that train one model together; as it stands, a single one.

    What all must decide alike, they ask here. Each of them calls the same methods in the same
    order, and waits there for the others; all methods raise ProcessLostError if one of those ends.
    """

    size = 1
    first = True  # the one that writes and speaks
    threads: int | None = None  # of each process on the CPU; None: as many as PyTorch takes

    def connect(self, device: str) -> torch.device:
        """The device of this process, for a --device. Raises UsageError."""
        return choose_device(device)

    def tells(self) -> bool:
        """Whether this process is to tell of what ends the training: the first that asks is."""
        return True

    def part(self, count: int) -> slice:
        """The share that this process has of `count` things in a row; it may be empty."""
        return slice(0, count)

    def rows(self, batch_size: int) -> slice:
        """The rows of a batch that this process trains on. Raises UsageError if there are too few
        for all."""
        return self.part(batch_size)

    def decide(self, action: Callable[[], T]) -> T:
        """What the first process gets from an action, which the others do not take."""
        return action()

    def any(self, ask: Callable[[], bool]) -> Callable[[], bool]:
        """Ask whether so for any process, as of this step's gradients."""
        return ask

    def of_first(self, ask: Callable[[], float]) -> Callable[[], float]:
        """Ask the first process, which answers as of this step's gradients."""
        return ask

    def listen(self) -> None:
        """Get answers before the first step has brought them."""

    def average(self, loss: Tensor, parameters: Sequence[Tensor], share: float) -> Tensor:
        """Make the gradients those of the mean loss over the whole batch; return that loss. `share`
        is this process's part of the predictions."""
        return loss

    def total(self, value: float) -> float:
        """The sum over all processes."""
        return value

    def highest(self, value: float) -> float:
        """The highest of all processes."""
        return value

    def gather(self, state: Tensor, batch_size: int) -> Tensor:
        """The state of all batch rows, (B, …), from that of each process's own."""
        return state

    def align(self, parameters: Iterable[Tensor]) -> None:
        """Give all processes the values of the first: machines of two kinds round differently."""

    def writer(self, run: Run) -> Run:
        """The run, as this process may write it."""
        return run


ALONE = Group()


def read_together(source: str, group: Group, watch: Watch) -> Corpus:
    """The text, as each process reads it; what passes once, as stdin does, the first one reads and
    sends to the others. `watch` sees it being read.

    Raises TextError, as well if it is not the same for all of them.
    """
    if group.decide(lambda: not os.path.isfile(source)):
        return group.decide(lambda: read_corpus(source, watch))
    corpus = read_corpus(source, watch)
    if group.highest(group.decide(lambda: corpus.sha256) != corpus.sha256):
        raise TextError(
            f"{source}: is not the same text for all processes. Give every machine the same one."
        )
    return corpus
