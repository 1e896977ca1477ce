"""Data-parallel training: several processes, started by PyTorch's launcher, train one model.

Each process reads batch rows of its own, numbered as in the whole batch, so that the batch is the
same on any number of processes. Gradients, loss and the values of `any` and `of_first` are added up
over all processes in one all-reduce per step; then every process makes the same update.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from charrnn_cli.environment import available_cores
from charrnn_cli.errors import ProcessLostError, UsageError
from charrnn_cli.models.device import choose_device
from charrnn_cli.training.distributed.group import ALONE, Group, T

TIMEOUT = timedelta(
    minutes=10
)  # silence after which the others count as lost; a kill shows at once


@contextlib.contextmanager
def open_group() -> Iterator[Group]:
    """The group that the launcher's environment variables describe: one process without them.

    Raises UsageError if this PyTorch has no groups, ProcessLostError if the others do not come.
    """
    if os.environ.get("WORLD_SIZE", "") in ("", "1"):
        yield ALONE
        return
    group = Processes()
    try:
        yield group
    except BaseException:
        group.claim_report()  # or the others would report that this process is lost
        raise
    group.leave()


class Processes(Group):
    """Several processes, over gloo on CPUs and NCCL on GPUs."""

    def __init__(self) -> None:
        if not dist.is_available():
            raise UsageError("this PyTorch trains in one process only. Start it without torchrun.")
        from torch.distributed.rendezvous import rendezvous

        try:
            with self._together():
                store, self.rank, self.size = next(rendezvous("env://", timeout=TIMEOUT))
        except ValueError as error:  # some schedulers set WORLD_SIZE alone
            raise UsageError(
                f"WORLD_SIZE is set in the environment, but torchrun did not start this: {error}. "
                "Unset it, or start with torchrun."
            ) from None
        # The launcher may keep the store over a restart, with the entries of processes now gone.
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        self.store = dist.PrefixStore(f"charrnn/{attempt}", store)  # type: ignore[attr-defined]
        self.first = self.rank == 0
        self.local_rank = int(os.environ.get("LOCAL_RANK", self.rank))
        self.local_size = int(os.environ.get("LOCAL_WORLD_SIZE", self.size))
        self.threads = max(1, available_cores() // self.local_size)
        self.device = torch.device("cpu")
        self._reports: bool | None = None  # whether this process reports the error, once claimed
        self._asked: list[Callable[[], float]] = []  # the functions given to `any` and `of_first`
        self._answers: Tensor | list[float] = []  # their sums over all processes

    def connect(self, device: str) -> torch.device:
        """Connect the processes; return the device of this one: its own GPU, or the CPU."""
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cuda" and torch.cuda.is_available():
            there = torch.cuda.device_count()
            if self.local_size > there:
                raise UsageError(
                    f"{self.local_size} processes, but {there} CUDA device{'s' * (there > 1)} on "
                    f"this machine. Start {there}, or give --device cpu."
                )
            device = f"cuda:{self.local_rank}"
        elif device not in ("cpu", "cuda") and (
            self.local_size > 1 or not device.startswith("cuda")
        ):
            raise UsageError(
                f"--device {device}: cannot be used by several processes. Use cpu or cuda."
            )
        self.device = choose_device(device)
        cuda = self.device.type == "cuda"
        if cuda:
            torch.cuda.set_device(self.device)
        if dist.is_initialized():
            return self.device
        with self._together():
            dist.init_process_group(
                "nccl" if cuda else "gloo",
                store=self.store,
                rank=self.rank,
                world_size=self.size,
                timeout=TIMEOUT,
                device_id=self.device if cuda else None,
            )
        return self.device

    def leave(self) -> None:
        """Disconnect from the other processes at the end of the training."""
        if dist.is_initialized():
            dist.destroy_process_group()

    def claim_report(self) -> bool:
        """Claim to report the error that ends the training; True for the first process that does.
        Waits for nobody."""
        if self._reports is None:
            try:
                self._reports = bool(self.store.add("reports", 1) == 1)
            except RuntimeError:  # the launcher is gone as well
                self._reports = True
        return self._reports

    def part(self, count: int) -> slice:
        """The share of this process in `count` consecutive things; it may be empty."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def rows(self, batch_size: int) -> slice:
        """The rows of a batch that this process trains on. Raises UsageError if there are fewer
        rows than processes."""
        if batch_size < self.size:
            raise UsageError(
                f"--batch-size {batch_size}: too few rows for {self.size} processes; each needs at "
                "least one. Raise it, or start fewer processes."
            )
        return self.part(batch_size)

    def decide(self, action: Callable[[], T]) -> T:
        """What the first process gets from an action, which the others do not perform."""
        result: list[Any] = [action() if self.first else None]
        with self._together():
            dist.broadcast_object_list(result, device=self.device)
        decided: T = result[0]
        return decided

    def any(self, ask: Callable[[], bool]) -> Callable[[], bool]:
        """Logical OR of `ask` over all processes, carried by the gradient all-reduce: the answer is
        that of the last `average` or `listen`."""
        answer = self._summed(ask)
        return lambda: answer() > 0

    def of_first(self, ask: Callable[[], float]) -> Callable[[], float]:
        """What `ask` gives in the first process, carried by the gradient all-reduce: the answer is
        that of the last `average` or `listen`."""
        return self._summed(ask if self.first else lambda: 0.0)

    def _summed(self, ask: Callable[[], float]) -> Callable[[], float]:
        """The sum of `ask` over all processes; this process's own value before the first sum."""
        index = len(self._asked)
        self._asked.append(ask)
        return lambda: self._sums()[index] if index < len(self._answers) else float(ask())

    def _sums(self) -> list[float]:
        if isinstance(self._answers, Tensor):  # fetched from a GPU once per step, when needed
            self._answers = self._answers.tolist()
        return self._answers

    def _own_answers(self) -> Tensor:
        return torch.tensor([float(ask()) for ask in self._asked], device=self.device)

    def listen(self) -> None:
        """Exchange the answers for `any` and `of_first` now, before the first gradients do."""
        self._answers = self._add(self._own_answers())

    def average(self, loss: Tensor, parameters: Sequence[Tensor], share: float) -> Tensor:
        """Make the gradients those of the mean loss over the whole batch; return that loss."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        parts = [*(gradient.flatten() for gradient in gradients), loss.detach().view(1)]
        own = torch.cat([*parts, self._own_answers()])
        sizes = [*map(len, parts), len(self._asked)]
        own[: sum(sizes[:-1])] *= share
        *means, mean_loss, self._answers = torch.split(self._add(own), sizes)
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view_as(gradient))
        return mean_loss.view(())

    def total(self, value: float) -> float:
        """The sum over all processes."""
        own = torch.tensor(value, dtype=torch.float64, device=self.device)
        return float(self._add(own))

    def highest(self, value: float) -> float:
        """The maximum over all processes."""
        own = torch.tensor(value, dtype=torch.float64, device=self.device)
        with self._together():
            dist.all_reduce(own, dist.ReduceOp.MAX)
        return float(own)

    def gather(self, state: Tensor, batch_size: int) -> Tensor:
        """The state of all batch rows, (B, …), from that of each process's own rows."""
        whole = state.new_zeros(batch_size, *state.shape[1:])
        whole[self.part(batch_size)] = state
        return self._add(whole)

    def align(self, parameters: Iterable[Tensor]) -> None:
        """Give all processes the first one's values: different kinds of machines round
        differently."""
        for parameter in parameters:
            with self._together():
                dist.broadcast(parameter.detach(), 0)

    def _add(self, own: Tensor) -> Tensor:
        """Replace a tensor by its sum over all processes, and return it."""
        with self._together():
            dist.all_reduce(own)
        return own

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        """Turn PyTorch's error for a process that is gone into ProcessLostError."""
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error).splitlines()[0].rpartition("] ")[2].partition(". ")[0]
            raise ProcessLostError(
                f"another process of this training ended or cannot be reached ({reason}). What is "
                "saved is kept: --resume goes on from there."
            ) from None
