"""Which device to compute on, and what happens when its memory runs out."""

import contextlib
import ctypes
from collections.abc import Iterator

import torch

from charrnn_cli.config import TrainConfig
from charrnn_cli.errors import MemoryLimitError, UsageError


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` takes CUDA, then MPS, then the CPU.

    Raises UsageError, saying what there is, for a device that this machine lacks.
    """
    if name == "auto":
        name = available_devices()[0]
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"--device {name}: must be auto, cpu, cuda, cuda:N or mps.")
    there = available_devices()
    if device.type not in there or (device.index or 0) >= max(1, _count(device.type)):
        raise UsageError(f"--device {name}: not on this machine. There is: {', '.join(there)}.")
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)  # streams and graphs are made on the current one
    return device


def available_devices() -> list[str]:
    """The kinds of device here, the fastest first."""
    kinds = [
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
        ("cpu", True),
    ]
    return [kind for kind, there in kinds if there]


def describe_device(device: torch.device, threads: int) -> str:
    """The device in words: a GPU's own name, or the CPU with its threads."""
    if device.type == "cpu":
        return f"cpu ({threads} thread{'s' if threads > 1 else ''})"
    return device_name(device)


def device_name(device: torch.device) -> str:
    """The device by name, such as `cpu` or `cuda (NVIDIA H200)`."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


@contextlib.contextmanager
def memory_limit(config: TrainConfig) -> Iterator[None]:
    """Turn what PyTorch raises when memory runs out into MemoryLimitError."""
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
    """Compute on the CPU with so many threads (None: as many as PyTorch takes), and fast;
    afterwards as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    torch.set_flush_denormal(True)  # the smallest numbers are slow, and matter to nothing
    _keep_freed_memory()
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


def _keep_freed_memory() -> None:
    """Let glibc keep what is freed. By default it hands arrays of megabytes back to the system,
    and each step faults them in anew: a tenth of the time. Elsewhere nothing is done."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        set_option = ctypes.CDLL(None).mallopt
        for option in (-1, -3):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            set_option(option, 1 << 30)


def _count(kind: str) -> int:
    return torch.cuda.device_count() if kind == "cuda" else 1
