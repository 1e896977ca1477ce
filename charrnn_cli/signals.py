"""Stopping a training from outside, without losing any of it."""

import signal
import sys
from types import FrameType, TracebackType

from charrnn_cli.errors import ExitCode

STOPPING = {
    name: code
    for name, code in (
        ("SIGINT", ExitCode.INTERRUPTED),
        ("SIGTERM", ExitCode.TERMINATED),
        ("SIGHUP", ExitCode.HANGUP),
    )
    if hasattr(signal, name)  # Windows has no SIGHUP
}


class StopOnSignal:
    """While used as a context, the first Ctrl-C, SIGTERM or SIGHUP only sets `code`; a second one
    ends the process at once, as it would have without this."""

    def __init__(self) -> None:
        self.code: ExitCode | None = None
        self._before: dict[int, object] = {}

    def __call__(self) -> bool:
        """Whether a signal has come."""
        return self.code is not None

    def __enter__(self) -> "StopOnSignal":
        for name in STOPPING:
            number = getattr(signal, name)
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._restore()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.code = STOPPING[signal.Signals(number).name]
        self._restore()
        # not print: its buffer may be in use at this very moment
        sys.stderr.write("\nStopping: the step ends and all is saved. Again to quit at once.\n")

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()
