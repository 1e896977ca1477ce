"""Stopping a training from outside, without losing any of it."""

import contextlib
import os
import signal
import sys
from types import FrameType

from charrnn_cli.errors import ExitCode, Stopped

CODES = {
    "SIGINT": ExitCode.INTERRUPTED,
    "SIGTERM": ExitCode.TERMINATED,
    "SIGHUP": ExitCode.HANGUP,  # Windows has none
}


class StopOnSignal:
    """While used as a context: Ctrl-C, SIGTERM and SIGHUP raise Stopped until `finish_step` is set;
    then the first one only sets `code`, and a second one ends the process as it would have without
    this. A signal that is ignored, as SIGHUP is under nohup, stays ignored."""

    def __init__(self) -> None:
        self.code: ExitCode | None = None
        self.finish_step = False
        self._before: dict[int, object] = {}

    def __call__(self) -> bool:
        """Whether a signal has come."""
        return self.code is not None

    def __enter__(self) -> "StopOnSignal":
        for name in CODES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.code = CODES[signal.Signals(number).name]
        self._restore()
        if not self.finish_step:
            raise Stopped(self.code)
        if sys.stderr is not None:  # else 2 may be some other file by now
            with contextlib.suppress(OSError):  # the terminal may be what has gone
                # not print: its buffer may be in use at this very moment
                os.write(2, b"\nStopping: the step ends and all is saved. Again to quit at once.\n")

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()
