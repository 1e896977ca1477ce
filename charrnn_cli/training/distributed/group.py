"""What the processes that train one model decide together; here, those of a single one."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from charrnn_cli.models.device import choose_device

T = TypeVar("T")


class Group:
    """The processes that train one model together; this class itself is a single process.

    Each process calls the same methods in the same order, and waits in them for the others, so that
    all get the same answers. All methods raise ProcessLostError if another process ends.
    """

    size = 1
    first = True  # whether this is the process that writes files and shows the training
    threads: int | None = None  # CPU threads of each process; None: PyTorch's own choice

    def connect(self, device: str) -> torch.device:
        """Connect the processes; return the device of this one, for a --device. Raises
        UsageError."""
        return choose_device(device)

    def claim_report(self) -> bool:
        """Claim to report the error that ends the training; True for the first process that does.
        Waits for nobody."""
        return True

    def part(self, count: int) -> slice:
        """The share of this process in `count` consecutive things; it may be empty."""
        return slice(0, count)

    def rows(self, batch_size: int) -> slice:
        """The rows of a batch that this process trains on. Raises UsageError if there are fewer
        rows than processes."""
        return self.part(batch_size)

    def decide(self, action: Callable[[], T]) -> T:
        """What the first process gets from an action, which the others do not perform."""
        return action()

    def any(self, ask: Callable[[], bool]) -> Callable[[], bool]:
        """Logical OR of `ask` over all processes, carried by the gradient all-reduce: the answer is
        that of the last `average` or `listen`."""
        return ask

    def of_first(self, ask: Callable[[], float]) -> Callable[[], float]:
        """What `ask` gives in the first process, carried by the gradient all-reduce: the answer is
        that of the last `average` or `listen`."""
        return ask

    def listen(self) -> None:
        """Exchange the answers for `any` and `of_first` now, before the first gradients do."""

    def average(self, loss: Tensor, parameters: Sequence[Tensor], share: float) -> Tensor:
        """Make the gradients those of the mean loss over the whole batch; return that loss. `share`
        is this process's part of the predictions."""
        return loss

    def total(self, value: float) -> float:
        """The sum over all processes."""
        return value

    def highest(self, value: float) -> float:
        """The maximum over all processes."""
        return value

    def gather(self, state: Tensor, batch_size: int) -> Tensor:
        """The state of all batch rows, (B, …), from that of each process's own rows."""
        return state

    def align(self, parameters: Iterable[Tensor]) -> None:
        """Give all processes the first one's values: different kinds of machines round
        differently."""


ALONE = Group()
