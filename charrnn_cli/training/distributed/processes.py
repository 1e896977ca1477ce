"""Data-parallel training: several processes, started by PyTorch's launcher, train one model.

Each process reads batch rows of its own; their numbers are those of the whole batch, so that it is
the same batch on any number of processes. Gradients, loss and what the processes have to tell each
other are added up in one sum a step; then every process makes the same update.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from charrnn_cli.checkpoints.runs import Onlooker, Run
from charrnn_cli.errors import ProcessLostError, UsageError
from charrnn_cli.models.device import choose_device
from charrnn_cli.training.distributed.group import ALONE, Group, T

TIMEOUT = timedelta(minutes=10)  # without a word from the others; a killed one is noticed at once


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
        group.tells()  # lest the others do, of this one's end
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
        except ValueError as error:  # of a scheduler that sets one of its variables alone
            raise UsageError(
                f"WORLD_SIZE is set in the environment, but torchrun did not start this: {error}. "
                "Unset it, or start with torchrun."
            ) from None
        # the launcher may keep it over a restart: what stands there then is of processes now gone
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        self.store = dist.PrefixStore(f"charrnn/{attempt}", store)  # type: ignore[attr-defined]
        self.first = self.rank == 0
        self.local_rank = int(os.environ.get("LOCAL_RANK", self.rank))
        self.local_size = int(os.environ.get("LOCAL_WORLD_SIZE", self.size))
        self.threads = max(1, _cores() // self.local_size)
        self.device = torch.device("cpu")
        self._tells: bool | None = None
        self._questions: list[Callable[[], float]] = []
        self._answers: Tensor | list[float] = []

    def connect(self, device: str) -> torch.device:
        """The device of this process: its own GPU, or the CPU."""
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
                f"--device {device}: does not do for several processes. Use cpu or cuda."
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
        """Part from the others, the training being over."""
        if dist.is_initialized():
            dist.destroy_process_group()

    def tells(self) -> bool:
        """Whether this process is to tell of what ends the training: the first that asks is."""
        if self._tells is None:
            try:
                self._tells = bool(self.store.add("told", 1) == 1)
            except RuntimeError:  # the launcher is gone as well
                self._tells = True
        return self._tells

    def part(self, count: int) -> slice:
        """The share that this process has of `count` things in a row; it may be empty."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def rows(self, batch_size: int) -> slice:
        """The rows of a batch that this process trains on. Raises UsageError if there are too few
        for all."""
        if batch_size < self.size:
            raise UsageError(
                f"--batch-size {batch_size}: too few rows for {self.size} processes, of which "
                "each needs one. Raise it, or start fewer processes."
            )
        return self.part(batch_size)

    def decide(self, action: Callable[[], T]) -> T:
        """What the first process gets from an action, which the others do not take."""
        result: list[Any] = [action() if self.first else None]
        with self._together():
            dist.broadcast_object_list(result, device=self.device)
        decided: T = result[0]
        return decided

    def any(self, ask: Callable[[], bool]) -> Callable[[], bool]:
        """Ask whether so for any process, as of this step's gradients."""
        answer = self._question(ask)
        return lambda: answer() > 0

    def of_first(self, ask: Callable[[], float]) -> Callable[[], float]:
        """Ask the first process, which answers as of this step's gradients."""
        return self._question(ask if self.first else lambda: 0.0)

    def _question(self, ask: Callable[[], float]) -> Callable[[], float]:
        """The sum of all processes' answers; this one's own as long as nobody listened."""
        index = len(self._questions)
        self._questions.append(ask)
        return lambda: self._heard()[index] if index < len(self._answers) else float(ask())

    def _heard(self) -> list[float]:
        if isinstance(self._answers, Tensor):  # fetched from a GPU once a step, when it is asked
            self._answers = self._answers.tolist()
        return self._answers

    def _own_answers(self) -> Tensor:
        return torch.tensor([float(ask()) for ask in self._questions], device=self.device)

    def listen(self) -> None:
        """Get answers before the first step has brought them."""
        self._answers = self._add(self._own_answers())

    def average(self, loss: Tensor, parameters: Sequence[Tensor], share: float) -> Tensor:
        """Make the gradients those of the mean loss over the whole batch; return that loss."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        parts = [*(gradient.flatten() for gradient in gradients), loss.detach().view(1)]
        own = torch.cat([*parts, self._own_answers()])
        sizes = [*map(len, parts), len(self._questions)]
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
        """The highest of all processes."""
        own = torch.tensor(value, dtype=torch.float64, device=self.device)
        with self._together():
            dist.all_reduce(own, dist.ReduceOp.MAX)
        return float(own)

    def gather(self, state: Tensor, batch_size: int) -> Tensor:
        """The state of all batch rows, (B, …), from that of each process's own."""
        whole = state.new_zeros(batch_size, *state.shape[1:])
        whole[self.part(batch_size)] = state
        return self._add(whole)

    def align(self, parameters: Iterable[Tensor]) -> None:
        """Give all processes the values of the first: machines of two kinds round differently."""
        for parameter in parameters:
            with self._together():
                dist.broadcast(parameter.detach(), 0)

    def writer(self, run: Run) -> Run:
        """The run, as this process may write it."""
        return run if self.first else Onlooker(run.folder)

    def _add(self, own: Tensor) -> Tensor:
        """The sum of all processes' tensors, in place."""
        with self._together():
            dist.all_reduce(own)
        return own

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        """Turn what PyTorch raises when a process is gone into ProcessLostError."""
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


def _cores() -> int:
    """The processor's cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
