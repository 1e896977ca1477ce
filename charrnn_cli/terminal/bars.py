"""How far a text is read, shown to whoever waits for it."""

import contextlib
import os
import sys
import time
from contextlib import AbstractContextManager
from typing import NoReturn

from tqdm import tqdm

from charrnn_cli.text.reader import TextStream

AFTER = 1.0  # seconds of reading: what takes less is not waited for


class ReadingBar:
    """A bar on stderr while a long text is read, if that is a terminal; never if `quiet`.

    As a context it takes itself away at the end.
    """

    def __init__(self, quiet: bool) -> None:
        terminal = sys.stderr is not None and sys.stderr.isatty()
        self.wanted = terminal and not quiet and os.environ.get("TERM") != "dumb"
        self.begun: float | None = None
        self.bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> "ReadingBar":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            with _unseen():
                self.bar.close()

    def move(self, stream: TextStream) -> None:
        """Show how far the reading is, if it has gone on for long."""
        if not self.wanted:
            return
        now = time.monotonic()
        self.begun = self.begun or now
        with _unseen():
            if self.bar is None and now - self.begun >= AFTER:
                self.bar = tqdm(
                    desc="reading",
                    total=stream.size,
                    initial=stream.bytes_read,
                    unit="B",
                    unit_scale=True,
                    dynamic_ncols=True,
                    file=sys.stderr,
                    leave=False,
                )
            if self.bar is not None:
                self.bar.update(stream.bytes_read - self.bar.n)

    def aside(self) -> AbstractContextManager[None]:
        """Take the bar away while something else is written to stdout."""
        return tqdm.external_write_mode(file=sys.stdout)


def _unseen() -> contextlib.suppress:
    """What cannot be shown, the terminal being gone, must not end the work."""
    return contextlib.suppress(OSError, ValueError)
