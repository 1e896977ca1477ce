"""All that meets a terminal: streams, safe text, tables."""

import json
import sys
import time
import unicodedata
from typing import Any

FLUSH_EVERY = 0.05  # seconds: text appears as it is made, and is not slowed down by it


def say(message: str) -> None:
    """One line on stderr, made safe for a terminal."""
    print(visible(message), file=sys.stderr, flush=True)


def visible(text: str) -> str:
    r"""Text that cannot command a terminal: control, bidirectional and unpaired characters become
    escapes such as `\x1b`; line ends and tabs stay."""
    return "".join(c if c in "\n\t" or _harmless(c) else _escape(c) for c in text)


def _harmless(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class TextOut:
    """Generated text on stdout: exact UTF-8 into a pipe or file, escaped on a terminal."""

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self._flushed = time.monotonic()
        self._at_line_start = True

    def write(self, text: str) -> None:
        """Write text; what is written appears within a moment, at the latest with `close`."""
        if not text:
            return
        self._at_line_start = text.endswith("\n")
        # bytes, whatever encoding the locale asks for
        sys.stdout.buffer.write((visible(text) if self.terminal else text).encode("utf-8"))
        if time.monotonic() - self._flushed > FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        """Make all that was written appear."""
        sys.stdout.buffer.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """End the text: a terminal gets the line end that its prompt needs."""
        if self.terminal and not self._at_line_start:
            sys.stdout.buffer.write(b"\n")
        self.flush()


def print_json(value: Any) -> None:
    """One JSON object on stdout, on one line, in ASCII."""
    print(json.dumps(value))


def print_table(rows: list[tuple[str, str]]) -> None:
    """A two-column table on stdout; no part of a row is read as markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(visible(value)))
    Console(soft_wrap=False).print(table)
