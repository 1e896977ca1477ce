"""A text coloured by one value per character, as an image: a page of monospaced text."""

import functools
import io
import itertools
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from charrnn_cli.checkpoints.atomic_write import write_file
from charrnn_cli.errors import UsageError
from charrnn_cli.terminal.fonts import FONT, MISSING, drawable, font_for, has_glyphs, missing_note
from charrnn_cli.terminal.heatmap import Cell, Scale, text_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
MOST_ROWS = 60  # rows of text on one page, at most: more would be too small to read
WIDTH = 100  # columns to which a text is broken for a page
MIN_COLUMNS = 60  # the fewest columns of a page: its legend needs them
DPI = 150  # pixels per inch of a PNG
FONT_SIZE = 9.0  # points
ADVANCE = 0.60205  # width of a character of that font, as a share of the font size
LINE_HEIGHT = 1.45  # distance between two lines, as a share of the font size


class Row(NamedTuple):
    """One row of a page: the label in the margin before it, and its cells."""

    label: str
    cells: list[Cell]


def check_picture(path: Path) -> None:
    """Raise UsageError if no image can be drawn into a file of that name."""
    if path.suffix.lower().removeprefix(".") not in FORMATS:
        raise UsageError(
            f"--plot {path}: must end in .{', .'.join(FORMATS[:-1])} or .{FORMATS[-1]}."
        )
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UsageError(
            "--plot: matplotlib is missing. Install it: pip install matplotlib"
        ) from None


def draw_page(path: Path, rows: Iterable[Row], scale: Scale, title: str) -> None:
    """Draw rows of text, each cell coloured by its value, into a PNG, SVG or PDF file.

    At most `MOST_ROWS` are drawn, and a note below says so. Raises UsageError as `check_picture`
    does, WriteError if the file cannot be written.
    """
    check_picture(path)
    import matplotlib

    # without hinting, which would shift the columns of a long row off the grid
    with matplotlib.rc_context({"text.hinting": "no_hinting", "svg.fonttype": "path"}):
        save_figure(page(rows, scale, title), path)


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure whole or not at all, in the format of the file's ending. Raises WriteError."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=DPI, format=path.suffix.lower().removeprefix("."))
    write_file(path, drawn.getvalue(), "write elsewhere")


def page(rows: Iterable[Row], scale: Scale, title: str) -> "Figure":
    """The figure that `draw_page` writes: one axes in units of columns and rows."""
    from matplotlib.figure import Figure

    source = iter(rows)
    shown = list(itertools.islice(source, MOST_ROWS))
    cut = next(source, None) is not None
    columns = max([MIN_COLUMNS, *(sum(cell.width for cell in row.cells) for row in shown)])
    margin = max([2, *(len(row.label) + 2 for row in shown)])
    notes = [f"The text goes on: these are its first {MOST_ROWS} rows."] if cut else []
    if missing := _missing(shown):
        notes += missing_note(missing)
    sizes = _Sizes(margin, columns, max(1, len(shown)), len(notes))
    figure = Figure(figsize=(sizes.width, sizes.height))
    axes = figure.add_axes(sizes.box)
    axes.set_xlim(0, columns)
    axes.set_ylim(max(1, len(shown)), 0)
    title = title if len(title) <= columns else f"{title[: columns - 3]}..."
    axes.set_title(drawable(title), fontsize=FONT_SIZE + 1, loc="left", parse_math=False)
    axes.set_frame_on(False)
    axes.set_xticks([])
    labels = [(y + 0.5, row.label) for y, row in enumerate(shown) if row.label]
    axes.set_yticks(
        [y for y, _ in labels],
        [label for _, label in labels],
        fontsize=FONT_SIZE - 1,
        family=FONT,
        color="#606060",
    )
    axes.tick_params(length=0)
    _draw_colours(axes, shown, scale, columns)
    for y, row in enumerate(shown):
        _draw_text(axes, row.cells, y, scale)
    _draw_legend(axes, scale, "\n".join(notes))
    return figure


class _Sizes:
    """A page's sizes in inches, chosen so that a column is exactly as wide as a character."""

    def __init__(self, margin: int, columns: int, rows: int, notes: int) -> None:
        column, row = FONT_SIZE * ADVANCE / 72, FONT_SIZE * LINE_HEIGHT / 72
        left, right, top, bottom = (
            margin * column,
            2 * column,
            2.5 * row,
            (5.4 + max(0, notes - 2)) * row,
        )
        self.width = left + columns * column + right
        self.height = top + rows * row + bottom
        self.box = (
            left / self.width,
            bottom / self.height,
            columns * column / self.width,
            rows * row / self.height,
        )


def _draw_colours(axes: "Axes", rows: Sequence[Row], scale: Scale, columns: int) -> None:
    """Draw the cells' backgrounds as one mesh of levels; the level without colour is left out."""
    import numpy as np
    from matplotlib.colors import BoundaryNorm, ListedColormap

    levels = np.full((max(1, len(rows)), columns), -1)
    for y, row in enumerate(rows):
        x = 0
        for cell in row.cells:
            level = scale.level(cell.value)
            if scale.colours[level] is not None:
                levels[y, x : x + cell.width] = level
            x += cell.width
    count = len(scale.colours)
    axes.pcolormesh(
        np.ma.masked_less(levels, 0),
        cmap=ListedColormap([colour or "#ffffff" for colour in scale.colours]),
        norm=BoundaryNorm(np.arange(count + 1) - 0.5, count),
        rasterized=True,  # as vectors, viewers show seams between the cells
    )


def _draw_text(axes: "Axes", cells: Sequence[Cell], y: int, scale: Scale) -> None:
    """Draw one row's characters, with a sign for those that no font has.

    Characters of one column are drawn as one string per text colour, which is fast; the others one
    by one, centred in their columns.
    """
    strings: dict[str, str] = {}
    baseline = y + 0.74
    x = 0
    draw = functools.partial(axes.text, fontsize=FONT_SIZE, parse_math=False)
    for cell in cells:
        colour = text_colour(scale.colours[scale.level(cell.value)] or "#ffffff")
        if _fills_one_column(cell):
            strings[colour] = strings.get(colour, "").ljust(x) + cell.text
        elif not cell.text.isspace():
            font = font_for(cell.text)
            shown = cell.text if font else MISSING
            draw(
                x + cell.width / 2, baseline, shown, family=font or FONT, color=colour, ha="center"
            )
        x += cell.width
    for colour, characters in strings.items():
        draw(0, baseline, characters, family=FONT, color=colour)


def _missing(rows: Sequence[Row]) -> str:
    """The characters that no font has, one for each cell."""
    cells = (cell for row in rows for cell in row.cells)
    return "".join(
        cell.text[0]
        for cell in cells
        if not cell.text.isspace() and not _fills_one_column(cell) and not font_for(cell.text)
    )


def _fills_one_column(cell: Cell) -> bool:
    return (
        cell.width == len(cell.text) == 1
        and has_glyphs(FONT, cell.text)
        # a string with one of these classes would be drawn from right to left
        and unicodedata.bidirectional(cell.text) not in ("R", "AL", "AN")
    )


def _draw_legend(axes: "Axes", scale: Scale, notes: str) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=colour or "#ffffff", edgecolor="#a0a0a0", linewidth=0.5, label=name)
        for colour, name in zip(scale.colours, scale.names(), strict=True)
    ]
    bottom = axes.get_ylim()[0]
    axes.legend(
        handles=handles,
        title=scale.unit,
        loc="upper left",
        bbox_to_anchor=(0, -0.5 / bottom),  # half a row below the last one
        ncols=len(handles),
        frameon=False,
        fontsize=FONT_SIZE - 1,
        title_fontsize=FONT_SIZE - 1,
        alignment="left",
        borderpad=0,
        borderaxespad=0,
        handlelength=1.2,
        handletextpad=0.5,
        columnspacing=1.2,
    )
    axes.text(0, bottom + 3.7, notes, fontsize=FONT_SIZE - 1, verticalalignment="top")
