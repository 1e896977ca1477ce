"""Words in lines of a given width, as reports on the terminal have them."""

import textwrap
from collections.abc import Iterator

from rich.text import Text

from charrnn_cli.terminal.console import visible

LEAST_ROOM = 20  # columns that the words of a row get, however narrow the page is


def paragraph(text: str, width: int) -> Iterator[Text]:
    """A text in lines of at most `width` columns; what cannot be seen in it is escaped."""
    for line in textwrap.wrap(visible(text), width):
        yield Text(line)


def row_of_table(figures: str, words: str, width: int) -> Iterator[Text]:
    """A table's row: figures, and beside them words, in as many lines as these need."""
    room = max(LEAST_ROOM, width - len(figures))
    for number, line in enumerate(textwrap.wrap(words, room, subsequent_indent="  ")):
        yield Text(figures + line if number == 0 else " " * len(figures) + line)
