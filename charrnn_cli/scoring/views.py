"""How `charrnn score` shows the lines of a text: coloured, listed, as a table, as a picture."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from rich.text import Text

from charrnn_cli.scoring.lines import Line, Ranking
from charrnn_cli.scoring.scorer import Scorer
from charrnn_cli.terminal.console import rendered, text_width
from charrnn_cli.terminal.heatmap import SURPRISAL, TAB, heat_lines, rows
from charrnn_cli.terminal.text_image import MOST_ROWS, WIDTH, Row, draw_page

MAX_TSV_TEXT = 1_000  # A row of the table shows at most this many characters of its line.


class View(Protocol):
    """A way to show the lines of a text while it is scored."""

    def add(self, line: Line) -> Iterator[str]:
        """Take the text's next line; yield what is to be written of it."""

    def finish(self, scorer: Scorer) -> Iterator[str]:
        """End the view of a text that has been scored; yield what is to be written after it."""


class Coloured:
    """The text's first lines, coloured by surprisal: at most `max_lines` lines of the text, and at
    most `max_rows` rows on the screen."""

    def __init__(self, max_lines: int, max_rows: int, colour: bool) -> None:
        self.max_lines, self.max_rows, self.colour = max_lines, max_rows, colour
        self.rows = self.lines = 0

    def add(self, line: Line) -> Iterator[str]:
        """See `View`."""
        self.lines = line.number
        if self._is_full():
            return
        for row in rendered(coloured(line, self.colour)):
            if self.rows < self.max_rows:
                yield row
            self.rows += 1

    def finish(self, scorer: Scorer) -> Iterator[str]:
        """See `View`."""
        if not self.rows:
            return
        if self._is_full():
            yield f"        ...  The text goes on: {self.lines:,} lines (--show all).\n"
        yield from rendered([*SURPRISAL.legend(self.colour, text_width()), Text()])

    def _is_full(self) -> bool:
        return self.lines > self.max_lines or self.rows >= self.max_rows


class Table:
    """Every line's figures, separated by tabs."""

    def add(self, line: Line) -> Iterator[str]:
        """See `View`."""
        if line.number == 1:
            yield "line\tcharacters\tunknown\tbits\tbits_per_char\ttext\n"
        mean = "" if line.bits_per_char is None else f"{line.bits_per_char:.4f}"
        text = line.text.removesuffix("\n")[:MAX_TSV_TEXT]
        text = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\r", "\\r")
        yield (
            f"{line.number}\t{line.characters}\t{line.unknown}\t{line.bits:.4f}\t{mean}\t{text}\n"
        )

    def finish(self, scorer: Scorer) -> Iterator[str]:
        """See `View`."""
        return iter(())


class Picture:
    """The beginning of the text, coloured by surprisal, as a picture that `finish` writes."""

    def __init__(self, path: Path, title: str) -> None:
        self.path, self.title = path, title
        self.rows: list[Row] = []

    def add(self, line: Line) -> Iterator[str]:
        """See `View`."""
        if len(self.rows) <= MOST_ROWS:
            label = _margin(line).strip()
            for cells in rows(line.text, line.values, WIDTH):
                self.rows.append(Row(label, cells))
                label = ""
        return iter(())

    def finish(self, scorer: Scorer) -> Iterator[str]:
        """See `View`."""
        title = f"{self.title}: {scorer.bits_per_char:.3f} bits/char"
        draw_page(self.path, self.rows, SURPRISAL, title)
        return iter(())


def extremes(ranking: Ranking, scorer: Scorer, colour: bool) -> Iterator[str]:
    """The most and the least surprising lines, one row on the screen each."""
    mean = scorer.bits_per_char or 0.0
    for title, lines in (
        ("Most surprising lines", ranking.most(mean)),
        ("Least surprising lines", ranking.least(mean)),
    ):
        yield f"{title}\n"
        for line in lines:
            shown = _without_indentation(line, text_width() - len(_margin(line)))
            first, *more = islice(coloured(shown, colour, marks=False), 2)
            if more:
                first.append("~")  # the line has more text than fits the row
            yield from rendered([first])
        yield "\n"
    if colour:
        yield from rendered([*SURPRISAL.legend(colour, text_width()), Text()])


def _without_indentation(line: Line, width: int) -> Line:
    """A line as it is; or without the blanks that it begins with, if they would take more than half
    of a row of `width` columns, and "~" in their place."""
    text = line.text.lstrip()
    indentation = line.text[: len(line.text) - len(text)]
    if not text or len(indentation.expandtabs(TAB)) <= width / 2:
        return line
    return replace(line, text=f"~{text}", values=[math.nan, *line.values[len(indentation) :]])


def coloured(line: Line, colour: bool, marks: bool = True) -> Iterator[Text]:
    """A line's rows on the screen; its number and bits per character stand before the first.

    Without `colour` a row of marks stands below each, unless `marks` is off.
    """
    margin = _margin(line)
    width = text_width() - len(margin)
    values = line.values if colour or marks else [0.0] * len(line.values)
    for row in heat_lines(line.text, values, SURPRISAL, width=width, colour=colour):
        yield Text(margin).append_text(row)
        margin = " " * len(margin)


def _margin(line: Line) -> str:
    """A line's number and bits per character, in columns."""
    mean = "" if line.bits_per_char is None else f"{line.bits_per_char:.2f}"
    return f"{line.number:>6,} {mean:>6}  "
