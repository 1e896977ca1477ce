"""Stopping a training from outside, without losing any of it."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from charrnn_cli.errors import ExitCode, Stopped

CODES = {
    "SIGINT": ExitCode.INTERRUPTED,
    "SIGTERM": ExitCode.TERMINATED,
    "SIGHUP": ExitCode.HANGUP,  # Windows has none
}


class StopOnSignal:
    """While used as a context: Ctrl-C, SIGTERM and SIGHUP raise Stopped until `finish_step` is set;
    then the first one only sets `code`. A second one ends the process on the spot. A signal that is
    ignored, as SIGHUP is under nohup, stays ignored."""

    def __init__(self) -> None:
        self.code: ExitCode | None = None
        self.finish_step = False
        self.silent = False  # nothing is said of a signal then
        self._before: dict[int, Any] = {}
        self._complain = sys.unraisablehook

    def __call__(self) -> bool:
        """Whether a signal has come."""
        return self.code is not None

    def __enter__(self) -> "StopOnSignal":
        for name in CODES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._receive)
        self._complain, sys.unraisablehook = sys.unraisablehook, self._overlooked
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        sys.unraisablehook = self._complain

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.code = CODES[signal.Signals(number).name]
        for again in self._before:  # the system's own answer waits for nothing, Python's would
            signal.signal(again, signal.SIG_DFL)
        if not self.finish_step:
            raise Stopped(self.code)
        if sys.stderr is not None and not self.silent:  # else 2 may be some other file by now
            with contextlib.suppress(OSError):  # the terminal may be what has gone
                # not print: its buffer may be in use at this very moment
                os.write(2, b"\nStopping: the step ends and all is saved. Again to quit at once.\n")

    def _overlooked(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """Python drops a second signal that came together with the first, and complains."""
        words = str(unraisable.exc_value).split()
        if words[:1] == ["Signal"] and " ".join(words[2:]) == "ignored due to race condition":
            os.kill(os.getpid(), int(words[1]))  # ends the process: its answer is the system's now
        self._complain(unraisable)


@contextlib.contextmanager
def dying_silently() -> Iterator[None]:
    """While used as a context, Ctrl-C ends the process as SIGTERM does: for imports, which an
    exception would break anywhere, with a traceback."""
    before = signal.getsignal(signal.SIGINT)
    if before != signal.default_int_handler:  # ignored, say, or not Python's to change
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end_by_signal(code: object) -> None:
    """End the process by the signal that an exit code stands for: a shell then ends the loop around
    it, too. Returns if the code stands for none."""
    name = next((name for name, ours in CODES.items() if ours == code), None)
    if name is None or os.name != "posix":
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    number = getattr(signal, name)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
