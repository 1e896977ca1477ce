"""What is written to stdout and stderr: messages, generated text, JSON, tables."""

import contextlib
import errno
import io
import json
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from charrnn_cli.environment import environment
from charrnn_cli.errors import WriteError
from charrnn_cli.terminal.program import AFTER_NAME, with_program

if TYPE_CHECKING:
    from rich.text import Text

# A command in a message: up to the end of the line, of the sentence, or of its part of it.
_COMMAND = re.compile(
    rf"(?:\S*/)?(?:charrnn|python\S* -m charrnn_cli) {AFTER_NAME}.*?(?=$|\. |, |; |: |\) )"
)
FLUSH_EVERY = 0.05  # seconds between flushes: text appears at once, at little cost


def say(message: str) -> None:
    """One line on stderr, made safe for a terminal; lost if stderr is closed or broken."""
    stderr = environment().stderr.file
    with contextlib.suppress(OSError, ValueError):
        if stderr is not None:  # print would write to stdout instead
            print(visible(with_program(message)), file=stderr, flush=True)


def say_wrapped(line: str) -> None:
    """A line of prose on stderr, broken as `to_terminal` does."""
    say(to_terminal(line))


def say_on_terminal(line: str) -> None:
    """A line on stderr for the person who waits at a terminal; nothing elsewhere."""
    if environment().stderr.is_terminal:
        say_wrapped(line)


def say_error(error: Exception) -> None:
    """An error as one line on stderr; a terminal gets it broken between words."""
    say_wrapped(f"Error: {' '.join(str(error).split())}")


def ask(question: str) -> bool:
    """Ask a person at a terminal, on stderr; whether the answer was yes. No answer means no."""
    here = environment()
    if here.stdin is None or here.stderr.file is None:
        return False
    print(f"{visible(question)} [y/N] ", end="", file=here.stderr.file, flush=True)
    return here.stdin.readline().strip().lower() in ("y", "yes")


def to_terminal(line: str) -> str:
    """A message for stderr, broken between words if that is a terminal; never inside a command,
    which a person copies whole. The name of the program is the one by which it was started."""
    stderr = environment().stderr
    line = with_program(line)
    if not stderr.is_terminal:
        return line
    return "\n".join(broken(line, stderr.columns() - 1))


def broken(line: str, width: int) -> list[str]:
    """A line of prose in rows of at most `width` columns, but for a command, which is never cut."""
    width = max(20, width)
    rows = [""]
    for part in _words(line):
        longer = f"{rows[-1]} {part}" if rows[-1] else part
        if len(longer) > width and rows[-1]:
            rows.append(part)
        else:
            rows[-1] = longer
    return rows


def _words(line: str) -> Iterator[str]:
    """The words of a line; a command at its end, or before a sign that ends it, is one word."""
    start = 0
    for found in _COMMAND.finditer(line):
        yield from line[start : found.start()].split()
        sign = re.match(r"\S*", line[found.end() :])  # a comma stays with its command
        yield found[0] + (sign[0] if sign else "")
        start = found.end() + (len(sign[0]) if sign else 0)
    yield from line[start:].split()


def visible(text: str) -> str:
    r"""Text that a terminal does not take for commands: control characters, bidirectional controls
    and surrogates become escapes such as `\x1b`; newlines and tabs stay."""
    return "".join(c if c in "\n\t" or _harmless(c) else _escape(c) for c in text)


def _harmless(character: str) -> bool:
    if character in "\u200c\u200d":  # joiners, which Persian and some emoji are written with
        return True
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class TextOut:
    """Writes generated text to stdout, or to the file `output`; used as a context.

    A pipe or file gets UTF-8. A terminal gets escapes for what it could take for commands, unless
    `escape` is off. In another `encoding` characters that it lacks are escaped. With
    `final_newline`, a text that does not end in a newline gets one; None means on a terminal only.
    Raises WriteError if the text cannot be written.
    """

    def __init__(
        self,
        output: Path | None,
        escape: bool = True,
        encoding: str = "utf-8",
        final_newline: bool | None = None,
    ) -> None:
        self.output = output
        self.encoding = encoding
        self.encode_errors = "surrogateescape" if encoding == "utf-8" else "backslashreplace"
        stdout = environment().stdout
        try:
            if output is not None:
                self.stream: BinaryIO = output.open("wb")
            elif stdout.file is not None:
                self.stream = stdout.file.buffer  # bytes: the locale's encoding plays no part
            else:
                raise OSError(errno.EBADF, "it is closed")
        except OSError as error:
            raise self._write_error(error) from None
        self.terminal = output is None and stdout.is_terminal
        self.final_newline = self.terminal if final_newline is None else final_newline
        self.escape = escape and self.terminal
        self.flush_due = 0.0
        self.at_line_start = True

    def write(self, text: str) -> None:
        """Write text; it appears within a moment, at the latest at the end of the context."""
        if text:
            self.at_line_start = text[-1] == "\n"
            self._try(
                self.stream.write,
                (visible(text) if self.escape else text).encode(self.encoding, self.encode_errors),
            )
            if time.monotonic() >= self.flush_due:
                self.flush()

    def flush(self) -> None:
        """Make all that was written appear now."""
        self._try(self.stream.flush)
        self.flush_due = time.monotonic() + FLUSH_EVERY

    def __enter__(self) -> "TextOut":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is not None and issubclass(kind, BrokenPipeError):
            return
        if self.final_newline and not self.at_line_start:
            self._try(self.stream.write, b"\n")  # what follows, such as a prompt, starts a line
        self._try(self.stream.flush)
        if self.output is not None:
            self._try(self.stream.close)

    def _try(self, action: Callable[..., object], *arguments: bytes) -> None:
        try:
            action(*arguments)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._write_error(error) from None

    def _write_error(self, error: OSError) -> WriteError:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "Make room, or write elsewhere." if full else "Write elsewhere."
        name = "stdout" if self.output is None else str(self.output)
        return WriteError(f"{name}: cannot be written ({error.strerror}). {remedy}")


def print_json(value: Any) -> None:
    """One JSON object on stdout, on one line, in ASCII."""
    print_out(json.dumps(value))


def print_out(text: str) -> None:
    """A text and a newline on stdout. Raises WriteError."""
    with open_stdout() as out:
        out.write(text + "\n")


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
    shown = io.StringIO()  # not stdout: rich ends the process at a closed pipe
    terminal = environment().stdout.is_terminal
    Console(file=shown, force_terminal=terminal, width=text_width(1000)).print(table)
    print_out("\n".join(line.rstrip() for line in shown.getvalue().splitlines()))


def print_drawing(title: str, lines: "Iterable[str]") -> None:
    """A title and lines below it on stdout, after an empty line."""
    from rich.text import Text

    print_lines([Text(), Text(title, "bold"), *map(Text, lines)])


def print_columns(
    headings: Sequence[str], rows: Sequence[Sequence[str]], optional: Sequence[str] = ()
) -> None:
    """A table with a line of headings on stdout; figures are flush right.

    Where it is too wide for the terminal, the columns named in `optional` are left out, in that
    order; then the first column is cut.
    """
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    cells = [tuple(headings), *(tuple(map(visible, row)) for row in rows)]
    columns = {column[0]: column for column in zip(*cells, strict=True)}
    room = text_width(10_000)

    def widths() -> dict[str, int]:
        return {name: max(map(cell_len, column)) for name, column in columns.items()}

    leave_out = list(optional)
    while leave_out and sum(widths().values()) + 2 * (len(columns) - 1) > room:
        del columns[leave_out.pop(0)]
    sizes = widths()
    first = headings[0]
    sizes[first] = min(sizes[first], max(8, room - sum(sizes.values()) - 2 * len(sizes)))
    lines = []
    for index in range(len(cells)):
        line = []
        for name, column in columns.items():
            text, size = column[index], sizes[name]
            figures = all(not value or value[0].isdigit() for value in column[1:])
            blanks = " " * (size - cell_len(text))
            line.append(blanks + text if figures else set_cell_size(text, size))
        lines.append(Text("  ".join(line).rstrip(), "" if index else "bold"))
    print_lines(lines)


def shows_colour() -> bool:
    """Whether stdout is a terminal that shows colours, and NO_COLOR is not set."""
    return environment().stdout.colours is not None


def text_width(otherwise: int = 100) -> int:
    """The columns that a text on stdout may take: COLUMNS, or the terminal's, or `otherwise`."""
    return environment().stdout.columns(otherwise)


def print_lines(lines: "Iterable[Text]") -> None:
    """Lines of rich text on stdout, as they come, each as wide as it is. Raises WriteError."""
    with open_stdout() as out:
        for line in rendered(lines):
            out.write(line)


def rendered(lines: "Iterable[Text]") -> Iterator[str]:
    """Each line with its newline, and with the escapes for such colours as stdout shows."""
    from rich.console import Console

    shown = io.StringIO()  # not stdout: rich ends the process at a closed pipe
    colours: Any = environment().stdout.colours
    console = Console(file=shown, force_terminal=colours is not None, color_system=colours)
    for line in lines:
        console.print(line, end="\n", markup=False, highlight=False, soft_wrap=True)
        yield shown.getvalue()
        shown.seek(0)
        shown.truncate()


def open_stdout() -> TextOut:
    """Stdout for text that is safe for a terminal already, and may be styled; characters that its
    encoding lacks are escaped."""
    return TextOut(None, escape=False, encoding=environment().stdout.encoding)
