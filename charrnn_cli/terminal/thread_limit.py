"""A machine that allows no more threads: found out before a library ends the process."""

import contextlib
import os
import signal
import sys
import threading

from charrnn_cli.errors import MemoryLimitError


def import_numpy() -> None:
    """Import NumPy. Raises MemoryLimitError if its library, OpenBLAS, cannot start its threads.

    OpenBLAS then sends SIGINT to its own process, which would look like Ctrl-C. The signal is held
    back during the import, and says who sent it.
    """
    if "numpy" not in sys.modules and hasattr(signal, "sigtimedwait"):
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
    enough = threading.Event()
    started = []
    try:
        for _ in range(wanted - 1):
            started.append(threading.Thread(target=enough.wait, daemon=True))
            started[-1].start()
    except RuntimeError:
        started.pop()
        raise _too_few("OMP_NUM_THREADS") from None
    finally:
        enough.set()
        with contextlib.suppress(KeyboardInterrupt):
            for thread in started:
                thread.join()


def _too_few(variable: str) -> MemoryLimitError:
    return MemoryLimitError(
        f"this machine allows no more threads (ulimit -u). Raise that limit, or set {variable}=1 "
        "in the environment, which needs one thread only."
    )
