"""Several curves in one drawing made of characters, or in one picture."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from charrnn_cli.terminal.ascii_plots import CURVE_COLUMNS
from charrnn_cli.terminal.fonts import drawable
from charrnn_cli.terminal.text_image import check_picture, save_figure

ROWS = 12  # height of the drawing: curves of several runs lie close together
MAX_CURVES = 8  # more cannot be told apart
SIGNS = "abcdefgh"  # the sign of each curve in a drawing of characters
# Colours that colour-blind readers can distinguish (Okabe and Ito 2008), and line styles.
COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000", "#7f7f00",
)  # fmt: skip
STYLES = ("-", "--", "-.", ":")


class Curve(NamedTuple):
    """A curve: its name, and its points from left to right."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def draw_in_characters(
    curves: Sequence[Curve], unit: str, width: int, signs: Mapping[str, str]
) -> list[str]:
    """At most `MAX_CURVES` curves of two or more points in lines of at most `width` columns, each
    in a letter of its own, with a legend below. `unit` is what `x` counts. Where curves meet, the
    later one is seen."""
    top, bottom = max(max(c.y) for c in curves), min(min(c.y) for c in curves)
    first, last = min(c.x[0] for c in curves), max(c.x[-1] for c in curves)
    labels = [f"{value:.3f}" for value in np.linspace(top, bottom, ROWS)]
    margin = max(map(len, labels))
    columns = max(8, min(width - margin - 2, CURVE_COLUMNS))
    grid = [[" "] * columns for _ in range(ROWS)]
    at = np.linspace(first, last, columns)
    for sign, curve in zip(SIGNS, curves, strict=False):
        for column, y in enumerate(np.interp(at, curve.x, curve.y, left=np.nan, right=np.nan)):
            if not np.isnan(y):
                grid[round((top - y) / max(top - bottom, 1e-9) * (ROWS - 1))][column] = sign
    lines = [
        f"{label:>{margin}} {signs['axis']}{''.join(row)}".rstrip()
        for label, row in zip(labels, grid, strict=True)
    ]
    start, end = f"{first:.3g}", f"{last:.3g} {unit}"
    legend = [f"{sign} {curve.name}" for sign, curve in zip(SIGNS, curves, strict=False)]
    return [
        *lines,
        f"{'':{margin}} {signs['corner']}{signs['floor'] * columns}",
        f"{'':{margin}}  {start}{end:>{columns - len(start)}}",
        *textwrap.wrap("   ".join(legend), max(width, 20)),
    ]


def draw_picture(path: Path, curves: Sequence[Curve], x_label: str, y_label: str) -> None:
    """Draw curves into a PNG, SVG or PDF file, with their names below. Raises UsageError as
    `check_picture` does, WriteError if the file cannot be written."""
    check_picture(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for number, curve in enumerate(curves):
        axes.plot(
            curve.x,
            curve.y,
            STYLES[number % len(STYLES)],
            color=COLOURS[number % len(COLOURS)],
            label=drawable(curve.name).replace("$", r"\$"),
            linewidth=1.6,
            marker="." if len(curve.x) == 1 else None,  # one point makes no line
        )
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    save_figure(figure, path)
