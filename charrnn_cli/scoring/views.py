"""What `charrnn score` shows of a text's lines: coloured, as a list, as a table, as a picture."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol

from rich.text import Text

from charrnn_cli.scoring.ranking import Ranking
from charrnn_cli.scoring.scorer import Line, Scorer
from charrnn_cli.terminal import heatmap as heat
from charrnn_cli.terminal import text_image as pictures
from charrnn_cli.terminal.console import rendered, text_width
from charrnn_cli.terminal.heatmap import SURPRISAL, heat_lines

TSV_TEXT = 1_000  # characters of a line in a table


class View(Protocol):
    """Something that is shown of a text's lines, as they are scored and at the end."""

    def line(self, line: Line) -> Iterator[str]:
        """What is to be written of one line."""

    def end(self, score: Scorer) -> Iterator[str]:
        """What is to be written when all were scored."""


class Coloured:
    """The first `most` lines of the text, coloured by surprise; of them not more than `rows` rows
    of the screen."""

    def __init__(self, most: int, rows: int, colour: bool) -> None:
        self.most, self.rows, self.colour = most, rows, colour
        self.shown = self.lines = 0

    def line(self, line: Line) -> Iterator[str]:
        """See `View`."""
        self.lines = line.number
        if self._full():
            return
        for text in rendered(coloured(line, self.colour)):
            if self.shown < self.rows:
                yield text
            self.shown += 1

    def _full(self) -> bool:
        """Whether no more is to be shown."""
        return self.lines > self.most or self.shown >= self.rows

    def end(self, score: Scorer) -> Iterator[str]:
        """See `View`."""
        if not self.shown:
            return
        if self._full():
            yield f"        ...  The text goes on: {self.lines:,} lines (--show all).\n"
        yield from rendered([SURPRISAL.legend(self.colour), Text()])


class Table:
    """Every line's figures, separated by tabs."""

    def line(self, line: Line) -> Iterator[str]:
        """See `View`."""
        if line.number == 1:
            yield "line\tcharacters\tunknown\tbits\tbits_per_char\ttext\n"
        mean = "" if line.bits_per_char is None else f"{line.bits_per_char:.4f}"
        text = line.text.removesuffix("\n")[:TSV_TEXT]
        text = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\r", "\\r")
        yield (
            f"{line.number}\t{line.characters}\t{line.unknown}\t{line.bits:.4f}\t{mean}\t{text}\n"
        )

    def end(self, score: Scorer) -> Iterator[str]:
        """See `View`."""
        return iter(())


class Picture:
    """The beginning of the text, coloured by surprise, as a picture."""

    def __init__(self, path: Path, title: str) -> None:
        self.path, self.title = path, title
        self.rows: list[pictures.Row] = []

    def line(self, line: Line) -> Iterator[str]:
        """See `View`."""
        if len(self.rows) <= pictures.MOST_ROWS:
            label = _margin(line).strip()
            for cells in heat.rows(line.text, line.values, pictures.WIDTH):
                self.rows.append(pictures.Row(label, cells))
                label = ""
        return iter(())

    def end(self, score: Scorer) -> Iterator[str]:
        """See `View`."""
        title = f"{self.title}: {score.bits_per_char:.3f} bits/char"
        pictures.draw_page(self.path, self.rows, SURPRISAL, title)
        return iter(())


def extremes(ranking: Ranking, score: Scorer, colour: bool) -> Iterator[str]:
    """The lines that surprise most and least, one row each."""
    average = score.bits_per_char or 0.0
    for title, lines in (
        ("Most surprising lines", ranking.most(average)),
        ("Least surprising lines", ranking.least(average)),
    ):
        yield f"{title}\n"
        for line in lines:
            rows = list(islice(coloured(line, colour, marks=False), 2))
            if len(rows) > 1:
                rows[0].append("~")  # the text goes on
            yield from rendered(rows[:1])
        yield "\n"
    if colour:
        yield from rendered([SURPRISAL.legend(colour), Text()])


def coloured(line: Line, colour: bool, marks: bool = True) -> Iterator[Text]:
    """A line's rows on the screen, its number and bits per character before the first; without
    `colour` a row of marks below each, unless `marks` is off."""
    margin = _margin(line)
    width = text_width() - len(margin)
    values = line.values if colour or marks else [0.0] * len(line.values)
    for row in heat_lines(line.text, values, SURPRISAL, width=width, colour=colour):
        yield Text(margin).append_text(row)
        margin = " " * len(margin)


def _margin(line: Line) -> str:
    """A line's number and bits per character."""
    mean = "" if line.bits_per_char is None else f"{line.bits_per_char:.2f}"
    return f"{line.number:>6,} {mean:>6}  "
