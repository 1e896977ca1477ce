"""The streams and the terminal that the program talks to: one object, which tests can replace."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TextIO


class Output:
    """Stdout or stderr: its file, which is None if it is closed, and what it can show."""

    def __init__(self, file: TextIO | None, variables: Mapping[str, str], fallback: int) -> None:
        self.file = file
        self._variables = variables
        self._fallback = fallback  # columns, where nothing says how many there are

    @property
    def is_terminal(self) -> bool:
        """Whether a person sees at once what is written."""
        return self.file is not None and self.file.isatty()

    @property
    def redraws(self) -> bool:
        """Whether it is a terminal that can replace a line, as a progress bar does."""
        return self.is_terminal and self._variables.get("TERM") != "dumb"

    @property
    def encoding(self) -> str:
        """The encoding of what is written, `ascii` if unknown."""
        return (self.file.encoding if self.file is not None else None) or "ascii"

    def can_show(self, characters: str) -> bool:
        """Whether the encoding has all these characters."""
        try:
            characters.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True

    def columns(self, otherwise: int | None = None) -> int:
        """Its width: COLUMNS if that is set, else the terminal's, else `otherwise`."""
        with contextlib.suppress(ValueError):
            if (columns := int(self._variables.get("COLUMNS", ""))) > 0:
                return columns
        columns = 0
        if self.file is not None:
            with contextlib.suppress(OSError, ValueError):
                columns = os.get_terminal_size(self.file.fileno()).columns
        return columns or otherwise or self._fallback

    @property
    def colours(self) -> str | None:
        """Rich's name of the colours that it shows; None without colours, or under NO_COLOR."""
        from rich.console import Console

        console = Console(file=self.file, _environ=self._variables)
        return None if self.file is None or console.no_color else console.color_system


class Environment:
    """Where the program reads from and writes to.

    `stdin` and the files of `stdout` and `stderr` are None where they are closed; `variables` are
    the environment's, such as TERM, COLUMNS and NO_COLOR.
    """

    def __init__(
        self,
        stdin: TextIO | None,
        stdout: TextIO | None,
        stderr: TextIO | None,
        variables: Mapping[str, str],
    ) -> None:
        self.stdin = stdin
        self.stdout = Output(stdout, variables, 100)
        self.stderr = Output(stderr, variables, 80)


_replacement: Environment | None = None


def environment() -> Environment:
    """The environment of this process, as it is now, unless another one replaces it."""
    return _replacement or Environment(sys.stdin, sys.stdout, sys.stderr, os.environ)


@contextlib.contextmanager
def replaced_by(other: Environment) -> Iterator[None]:
    """While used as a context, `environment()` is `other`."""
    global _replacement
    before, _replacement = _replacement, other
    try:
        yield
    finally:
        _replacement = before


def available_cores() -> int:
    """How many CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
