"""A machine that allows no more threads: found out before a library ends the process."""

import contextlib
import os
import signal
import sys
import threading

from charrnn_cli.errors import MemoryLimitError

# The variables of the libraries that NumPy may be built with.
VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_NUM_THREADS")


def import_numpy(*, one_thread: bool = False) -> None:
    """Import NumPy. Raises MemoryLimitError if its library, OpenBLAS, cannot start its threads.

    With `one_thread` NumPy computes on a single thread, unless the user has set how many: that is
    for products too small to gain from more. Threads that wait for each other on a busy machine
    take many times as long. PyTorch's threads are not changed by it.

    If OpenBLAS cannot start its threads it sends SIGINT to its own process, which would look like
    Ctrl-C. The signal is held back during the import, and says who sent it.
    """
    if "numpy" in sys.modules:
        return
    unset = [name for name in VARIABLES if one_thread and name not in os.environ]
    os.environ.update(dict.fromkeys(unset, "1"))  # read when the library is loaded
    try:
        _import_numpy()
    finally:
        for name in unset:
            del os.environ[name]


def _import_numpy() -> None:
    if not hasattr(signal, "sigtimedwait"):
        import numpy

        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        import numpy  # noqa: F401

        received = signal.sigtimedwait({signal.SIGINT}, 0)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if received is not None and received.si_pid == os.getpid():
        raise _too_few("OPENBLAS_NUM_THREADS")
    if received is not None:
        raise KeyboardInterrupt


def check_threads() -> None:
    """Raise MemoryLimitError if as many threads as PyTorch's library takes cannot be started: it
    would end the process without a word of ours."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    wanted = int(given) if given.isdecimal() else os.cpu_count() or 1
    if not can_start(wanted - 1):
        raise _too_few("OMP_NUM_THREADS")


def can_start(count: int) -> bool:
    """Whether so many more threads can run at the same time: they are started, and end."""
    enough = threading.Event()
    started = []
    try:
        for _ in range(count):
            started.append(threading.Thread(target=enough.wait, daemon=True))
            started[-1].start()
    except RuntimeError:
        started.pop()
        return False
    finally:
        enough.set()
        with contextlib.suppress(KeyboardInterrupt):
            for thread in started:
                thread.join()
    return True


def _too_few(variable: str) -> MemoryLimitError:
    return MemoryLimitError(
        f"this machine allows no more threads (ulimit -u). Raise that limit, or set {variable}=1 "
        "in the environment, which needs one thread only."
    )
