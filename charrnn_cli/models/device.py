"""Choosing a device, and turning its out-of-memory errors into the project's own."""

import contextlib
import ctypes
from collections.abc import Iterator

import torch

from charrnn_cli.errors import MemoryLimitError, UsageError
from charrnn_cli.settings.configs import TrainConfig


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` takes CUDA, then MPS, then the CPU.

    A CUDA device with a number becomes PyTorch's current device. Raises UsageError that lists the
    available devices, if this machine does not have the one asked for.
    """
    if name == "auto":
        name = available_devices()[0]
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"--device {name}: must be auto, cpu, cuda, cuda:N or mps.")
    available = available_devices()
    if device.type not in available or (device.index or 0) >= max(1, _count(device.type)):
        raise UsageError(f"--device {name}: not on this machine. There is: {', '.join(available)}.")
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)  # streams and graphs use the current device
    return device


def available_devices() -> list[str]:
    """The kinds of device that this machine has, fastest first."""
    kinds = [
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
        ("cpu", True),
    ]
    return [kind for kind, available in kinds if available]


def describe_device(device: torch.device, threads: int) -> str:
    """The device for people to read: a GPU by its name, or the CPU with its number of threads."""
    if device.type == "cpu":
        return f"cpu ({threads} thread{'s' if threads > 1 else ''})"
    return device_name(device)


def device_name(device: torch.device) -> str:
    """The device's name, such as `cpu` or `cuda (NVIDIA H200)`."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


@contextlib.contextmanager
def memory_limit(config: TrainConfig) -> Iterator[None]:
    """Raise MemoryLimitError in place of PyTorch's out-of-memory errors."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        out = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not out and "allocate memory" not in str(error):
            raise
        raise MemoryLimitError(
            f"out of memory at --batch-size {config.batch_size} and --seq-length "
            f"{config.seq_length} (of a transformer: --context). Lower one of them, or "
            "--hidden-size; saved checkpoints are kept."
        ) from None


@contextlib.contextmanager
def processor(threads: int | None) -> Iterator[None]:
    """Set PyTorch up for fast training on the CPU, and restore its settings afterwards.

    `threads` is the number of CPU threads; None leaves it to PyTorch. Denormal numbers are flushed
    to zero.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    torch.set_flush_denormal(True)  # denormals are slow and of no use in training
    _keep_freed_memory()
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


def _keep_freed_memory() -> None:
    """Make glibc keep freed memory for reuse; without glibc, do nothing.

    By default it returns arrays of megabytes to the system. The page faults that follow at each
    step took a tenth of the training time.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        set_option = ctypes.CDLL(None).mallopt
        for option in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            set_option(option, 1 << 30)


def _count(kind: str) -> int:
    return torch.cuda.device_count() if kind == "cuda" else 1
