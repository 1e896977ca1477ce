"""A text coloured by one value per character: as lines for a terminal, or rows for an image."""

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import split_graphemes
from rich.text import Text

from charrnn_cli.terminal.console import visible

TAB = 8  # columns from one tab stop to the next
DOTTED_CIRCLE = "\u25cc"
MIN_COLUMNS = 3  # the fewest columns of a row: a wide character and the end of its line


@dataclass(frozen=True)
class Scale:
    """How values become colours, or symbols where colours cannot be shown.

    Level `i` holds the values from `edges[i - 1]` up to but not including `edges[i]`. `colours` has
    the hex colour of each level's background, None for the one level without; `symbols` has its
    character, a space for the level without colour.
    """

    unit: str
    edges: tuple[float, ...]
    colours: tuple[str | None, ...]
    symbols: str

    def __post_init__(self) -> None:
        assert len(self.colours) == len(self.symbols) == len(self.edges) + 1

    def level(self, value: float) -> int:
        """The level of a value; NaN, which means no value, has the level without colour."""
        return self.colours.index(None) if math.isnan(value) else bisect_right(self.edges, value)

    def style(self, level: int) -> str:
        """The rich style of a level. It sets the text's colour too, so that the text is legible
        whatever the terminal's own colours are."""
        colour = self.colours[level]
        return "" if colour is None else f"{text_colour(colour)} on {colour}"

    def names(self) -> list[str]:
        """Each level in words, such as `under 2`, `2 to 4`, `from 4`."""
        between = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(self.edges)]
        return [f"under {self.edges[0]:g}", *between, f"from {self.edges[-1]:g}"]

    def legend(self, colour: bool, width: int) -> list[Text]:
        """What explains the colours, or the symbols: one line, or several where `width` columns are
        too few for one."""
        begin = f"{self.unit}: "
        lines = [Text(begin)]
        for level, name in enumerate(self.names()):
            if colour:
                entry = Text(f" {name} ", self.style(level))
            elif self.symbols[level] != " ":
                entry = Text(f"  {self.symbols[level]} = {name}")
            else:
                continue
            if len(lines[-1]) + len(entry) > width and len(lines[-1]) > len(begin):
                lines.append(Text(" " * len(begin)))
            lines[-1].append_text(entry)
        return lines


SURPRISAL = Scale(
    "bits",
    edges=(2, 4, 6, 8, 12),
    colours=(None, "#ffeda0", "#e08214", "#f0502d", "#b3101a", "#7a0177"),
    symbols=" 2468#",
)
"""Surprisal in bits per character: below 2 bits no colour, then from yellow to purple.

The colours of this scale and of the next remain distinct on a terminal with 16 colours.
"""

ACTIVATION = Scale(
    "sd from mean",
    edges=(-1.2, -0.4, 0.4, 1.2),
    colours=("#2444b0", "#7ac4f0", None, "#ff9a80", "#b2182b"),
    symbols="<- +>",
)
"""A hidden unit's activation, in standard deviations from its mean: blue below, red above. A unit
whose activations are spread evenly has about as many in each level."""

ATTENTION = Scale(
    "weight",
    edges=(0.1, 0.25, 0.5, 0.75),
    colours=(None, "#ffeda0", "#e08214", "#f0502d", "#b3101a"),
    symbols=" .-+#",
)
"""Attention weights, which add up to one for each character: below a tenth no colour, then from
yellow to red."""


def text_colour(background: str) -> str:
    """Black or white, whichever has more contrast with a background such as `#ffeda0`, by the
    relative luminance of WCAG 2 (2008)."""
    channels = [int(background[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.179 else "#ffffff"


class Cell(NamedTuple):
    """One cell of a row: a character with its combining marks, or blanks."""

    text: str
    width: int  # columns
    value: float


def heat_lines(
    text: str, values: Sequence[float], scale: Scale, *, width: int, colour: bool
) -> Iterator[Text]:
    """The text in lines of at most `width` columns, coloured by `values`, one per character of
    `text`. Without `colour` a line of symbols follows each line that has any."""
    for row in rows(text, values, width):
        levels = [scale.level(cell.value) for cell in row]
        line = Text(no_wrap=True, overflow="ignore", end="")
        if colour:
            for level, run in itertools.groupby(
                zip(levels, row, strict=True), key=lambda pair: pair[0]
            ):
                line.append("".join(cell.text for _, cell in run), scale.style(level))
            yield line
            continue
        yield line.append("".join(cell.text for cell in row).rstrip())
        symbols = "".join(
            scale.symbols[level].ljust(cell.width) for level, cell in zip(levels, row, strict=True)
        )
        if symbols.strip():
            yield Text(symbols.rstrip(), no_wrap=True, overflow="ignore", end="")


def rows(text: str, values: Sequence[float], width: int) -> Iterator[list[Cell]]:
    r"""The text in rows of at most `width` columns, or `MIN_COLUMNS` if that is more; `values` has
    one number per character, NaN for none.

    A row ends where it is full, or with the text's line: then its last cell is a blank with the
    newline's value. Combining characters share a cell, whose value is the one furthest from 0.
    Control characters become escapes such as `\x1b`, tabs blanks up to the next tab stop.
    """
    assert len(text) == len(values)
    room = max(MIN_COLUMNS, width) - 1  # the newline's cell always fits
    row: list[Cell] = []
    column = 0
    for cell in _cells(text, values):
        if cell.text == "\n":
            yield [*row, Cell(" ", 1, cell.value)]
            row, column = [], 0
            continue
        if cell.text == "\t":
            blanks = TAB - column % TAB
            cell = Cell(" " * min(blanks, room), min(blanks, room), cell.value)
        if column + cell.width > room and row:
            yield row
            row, column = [], 0
        row.append(cell)
        column += cell.width
    if row:
        yield row


def _cells(text: str, values: Sequence[float]) -> Iterator[Cell]:
    """A text cell by cell; a newline or tab is a cell with that character."""
    at = 0
    for plain, run in itertools.groupby(text, key=_is_plain):
        part = "".join(run)
        if plain:
            for start, end, width in split_graphemes(part)[0]:
                value = max(values[at + start : at + end], key=_distance)
                alone = "" if width else DOTTED_CIRCLE  # a combining mark without its base
                yield Cell(alone + part[start:end], width or 1, value)
        else:
            for offset, character in enumerate(part):
                for shown in visible(character):
                    yield Cell(shown, 1, values[at + offset])
        at += len(part)


def _is_plain(character: str) -> bool:
    return character not in "\n\t" and visible(character) == character


def _distance(value: float) -> float:
    return -1.0 if math.isnan(value) else abs(value)
