"""Attention weights as a picture: heat maps with a character beside each row and column."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from charrnn_cli.terminal.fonts import FONT, MISSING, drawable, font_for, missing_note
from charrnn_cli.terminal.signs import sign_of
from charrnn_cli.terminal.text_image import FONT_SIZE, check_picture, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLOURS = "Blues"
GAMMA = 0.6  # below 1 small weights are seen, too
FRAME = "#a0a0a0"
CELL = 0.24  # inches, of a side of one weight in a picture of one matrix
SIDES = (2.6, 12.0)  # inches, the smallest and the largest side of such a matrix
PAGE = 1.3  # inches beside and above it, for labels and the title
CAPTION = 7  # characters of a title or a note that take one inch, at least


def draw_matrix(
    path: Path,
    rows: Sequence[str],
    columns: Sequence[str],
    weights: Sequence[Sequence[float]],
    title: str,
    axes_names: tuple[str, str],
) -> None:
    """Draw weights (rows, columns) between symbols into a PNG, SVG or PDF file.

    `axes_names` say what a row and what a column is. Raises UsageError as `check_picture` does,
    WriteError if the file cannot be written.
    """
    check_picture(path)
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "path"}):
        save_figure(matrix_figure(rows, columns, weights, title, axes_names), path)


def matrix_figure(
    rows: Sequence[str],
    columns: Sequence[str],
    weights: Sequence[Sequence[float]],
    title: str,
    axes_names: tuple[str, str],
) -> "Figure":
    """The figure that `draw_matrix` writes."""
    from matplotlib.figure import Figure

    width, height = (min(SIDES[1], max(SIDES[0], CELL * n)) for n in (len(columns), len(rows)))
    figure = Figure(
        figsize=(max(width + PAGE, len(title) / CAPTION * 0.62), height + PAGE),
        layout="constrained",
    )
    axes = figure.subplots()
    draw_weights(axes, np.asarray(weights), aspect="equal" if len(rows) > 1 else "auto")
    label_axis(axes.xaxis, columns, range(len(columns)), width)
    label_axis(axes.yaxis, rows, range(len(rows)), height)
    axes.set_ylabel(axes_names[0], fontsize=FONT_SIZE - 1)
    axes.set_xlabel(axes_names[1], fontsize=FONT_SIZE - 1)
    finish(figure, [axes], title, [*rows, *columns])
    return figure


def draw_weights(
    axes: "Axes",
    weights: np.ndarray,
    *,
    aspect: Literal["auto", "equal"] = "auto",
    extent: tuple[float, float, float, float] | None = None,
) -> None:
    """Draw one heat map of weights from 0 to 1; those that are masked are left out."""
    from matplotlib.colors import PowerNorm

    axes.imshow(
        weights,
        cmap=COLOURS,
        norm=PowerNorm(GAMMA, 0, 1),
        aspect=aspect,
        interpolation="nearest",
        extent=extent,
    )
    for side in axes.spines.values():
        side.set_color(FRAME)


def label_axis(
    axis: "Axis", symbols: Sequence[str], places: Sequence[float], inches: float
) -> None:
    """Write symbols beside an axis of this length, each in a font that has it."""
    signs = [sign_of(symbol) for symbol in symbols]
    fonts = [font_for(sign) for sign in signs]
    shown = [sign if font else MISSING for sign, font in zip(signs, fonts, strict=True)]
    axis.set_ticks(places, shown, parse_math=False)
    points = min(FONT_SIZE - 1, inches * 72 * 0.75 / len(places))
    for label, font in zip(axis.get_ticklabels(), fonts, strict=True):
        label.set_fontfamily(font or FONT)
        label.set_fontsize(points)
        label.set_rotation(0)
    axis.set_tick_params(length=0, pad=1)


def finish(figure: "Figure", panels: Sequence["Axes"], title: str, symbols: Sequence[str]) -> None:
    """Add the title, the scale of the weights and, if some of the symbols are in no font, a note
    that says so."""
    bar = figure.colorbar(panels[0].images[0], ax=list(panels), shrink=0.5, aspect=40, pad=0.01)
    bar.set_label("attention weight", fontsize=FONT_SIZE - 1)
    bar.ax.tick_params(labelsize=FONT_SIZE - 2)
    figure.suptitle(drawable(title), fontsize=FONT_SIZE + 1, x=0.01, ha="left", parse_math=False)
    missing = "".join(symbol for symbol in symbols if font_for(sign_of(symbol)) is None)
    if missing:
        note = "\n".join(missing_note(missing))
        figure.supxlabel(note, fontsize=FONT_SIZE - 1, x=0.01, ha="left")
