"""Signals: how they stop a training without losing any of it, and how they end the process."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from charrnn_cli.environment import environment
from charrnn_cli.errors import ExitCode, Stopped

CODES = {
    "SIGINT": ExitCode.INTERRUPTED,
    "SIGTERM": ExitCode.TERMINATED,
    "SIGHUP": ExitCode.HANGUP,  # Windows has none
}


class StopOnSignal:
    """While used as a context: Ctrl-C, SIGTERM and SIGHUP raise Stopped.

    After `finish_steps` the first one only sets `code`. A second one ends the process on the spot.
    A signal that is ignored, as SIGHUP is under nohup, stays ignored.
    """

    def __init__(self) -> None:
        self.code: ExitCode | None = None
        self._finish_step = False
        self._silent = False  # no message on stderr when a signal comes
        self._previous_handlers: dict[int, Any] = {}
        self._previous_hook = sys.unraisablehook

    def finish_steps(self) -> None:
        """From now on the first signal only sets `code`, so that a step can be finished."""
        self._finish_step = True

    def say_nothing(self) -> None:
        """From now on a signal is answered without a message."""
        self._silent = True

    def __call__(self) -> bool:
        """Whether a signal has come."""
        return self.code is not None

    def __enter__(self) -> "StopOnSignal":
        for name in CODES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                self._previous_handlers[number] = signal.signal(number, self._receive)
        self._previous_hook, sys.unraisablehook = sys.unraisablehook, self._end_if_dropped
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        self._previous_handlers.clear()
        sys.unraisablehook = self._previous_hook

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.code = CODES[signal.Signals(number).name]
        # A second signal ends the process. That is left to the system: a handler in Python would
        # run only after the current computation.
        for other in self._previous_handlers:
            signal.signal(other, signal.SIG_DFL)
        if not self._finish_step:
            self._say(b"Stopped before the first step: there was nothing to save.")
            raise Stopped(self.code)
        self._say(b"Stopping: the step ends and all is saved. Again to quit at once.")

    def _say(self, message: bytes) -> None:
        # with stderr closed, descriptor 2 may belong to another file
        if environment().stderr.file is not None and not self._silent:
            with contextlib.suppress(OSError):  # the signal may mean that the terminal is closed
                # not print: the signal may have interrupted a write into its buffer
                os.write(2, b"\n" + message + b"\n")

    def _end_if_dropped(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """End the process if Python reports that it dropped a second signal, one that came at the
        same time as the first."""
        words = str(unraisable.exc_value).split()
        if words[:1] == ["Signal"] and " ".join(words[2:]) == "ignored due to race condition":
            os.kill(os.getpid(), int(words[1]))  # the system's own handler ends the process
        self._previous_hook(unraisable)


@contextlib.contextmanager
def default_interrupt() -> Iterator[None]:
    """While used as a context, Ctrl-C ends the process as SIGTERM does, without a traceback. For
    imports, which KeyboardInterrupt could leave half done."""
    before = signal.getsignal(signal.SIGINT)
    if before != signal.default_int_handler:  # ignored, or handled outside Python
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end_by_signal(code: object) -> None:
    """End the process by the signal that an exit code stands for, so that a shell also ends a loop
    around it. Returns if the code stands for no signal."""
    name = next((name for name, ours in CODES.items() if ours == code), None)
    if name is None or os.name != "posix":
        return
    current = environment()
    for file in (current.stdout.file, current.stderr.file):
        with contextlib.suppress(OSError, ValueError):
            if file is not None:
                file.flush()
    number = getattr(signal, name)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
