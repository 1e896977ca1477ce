"""The progress bars of reading a long text, and of studying what a model does with it."""

import contextlib
import time
from contextlib import AbstractContextManager
from typing import NoReturn, Protocol

from tqdm import tqdm

from charrnn_cli.environment import environment

DELAY = 1.0  # seconds of reading before the bar appears


class Stream(Protocol):
    """A text that is being read."""

    @property
    def bytes_read(self) -> int:
        """The number of bytes read so far."""

    @property
    def size(self) -> int | None:
        """The text's size in bytes, None if it is not known."""


class ReadingBar:
    """A bar on stderr while a long text is read, if that is a terminal; never if `quiet`.

    Used as a context, it removes itself at the end.
    """

    def __init__(self, quiet: bool) -> None:
        self.enabled = not quiet and environment().stderr.redraws
        self.started: float | None = None
        self.bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> "ReadingBar":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            with _ignoring_a_lost_terminal():
                self.bar.close()

    def move(self, stream: Stream) -> None:
        """Show how far the reading is, once it has lasted `DELAY`."""
        if not self.enabled:
            return
        now = time.monotonic()
        self.started = self.started or now
        with _ignoring_a_lost_terminal():
            if self.bar is None and now - self.started >= DELAY:
                self.bar = tqdm(
                    desc="reading",
                    total=stream.size,
                    initial=stream.bytes_read,
                    unit="B",
                    unit_scale=True,
                    dynamic_ncols=True,
                    file=environment().stderr.file,
                    leave=False,
                )
            if self.bar is not None:
                self.bar.update(stream.bytes_read - self.bar.n)

    def hidden(self) -> AbstractContextManager[None]:
        """Remove the bar while something else is written to stdout."""
        return tqdm.external_write_mode(file=environment().stdout.file)


def share_bar() -> "tqdm[NoReturn]":
    """A bar of the share done, from 0 to 1, on stderr, if that is a terminal; it appears after
    `DELAY`."""
    return tqdm(
        total=1.0,
        bar_format="{percentage:3.0f}%|{bar}| reading [{elapsed}, {remaining} left]",
        dynamic_ncols=True,
        file=environment().stderr.file,
        leave=False,
        delay=DELAY,
        disable=not environment().stderr.is_terminal,
    )


def _ignoring_a_lost_terminal() -> contextlib.suppress:
    """A bar that cannot be drawn, since the terminal is closed, must not end the work."""
    return contextlib.suppress(OSError, ValueError)
