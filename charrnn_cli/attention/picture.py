"""Attention as a picture: a heat map for each of the best heads, over an excerpt of the text."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from charrnn_cli.attention.report import AttentionReport, Excerpt
from charrnn_cli.terminal.matrix_picture import FRAME, draw_weights, finish, label_axis
from charrnn_cli.terminal.text_image import FONT_SIZE, check_picture, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = 5.2  # inches, of a side of one heat map
BEFORE = 2  # columns of a heat map for what lies before the excerpt
NAMED = "#d55e00"  # colour-blind readers can distinguish it from blue (Okabe and Ito 2008)


def draw_attention(path: Path, report: AttentionReport) -> None:
    """Draw the excerpts of a report into a PNG, SVG or PDF file.

    Raises UsageError as `check_picture` does, WriteError if the file cannot be written.
    """
    check_picture(path)
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "path"}):
        save_figure(figure_of(report), path)


def figure_of(report: AttentionReport) -> "Figure":
    """The figure that `draw_attention` writes: one panel per excerpt, two beside each other."""
    from matplotlib.figure import Figure

    count = len(report.excerpts)
    columns = min(2, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(PANEL * columns + 0.8, PANEL * rows + 0.9), layout="constrained")
    panels = [*figure.subplots(rows, columns, squeeze=False).flat]
    for axes, excerpt in zip(panels, report.excerpts, strict=False):
        _draw(axes, excerpt)
    for axes in panels[count:]:
        axes.set_axis_off()
    texts = "".join(excerpt.text for excerpt in report.excerpts)
    finish(figure, panels, f"{report.file} reads {report.source}", texts)
    return figure


def _draw(axes: "Axes", excerpt: Excerpt) -> None:
    """Draw one heat map: rows are characters, columns those that they look at, the first columns
    all that lies before the excerpt. What the pattern names is framed."""
    size = len(excerpt.text)
    shown = np.concatenate(
        [np.repeat(excerpt.before[:, None], BEFORE, axis=1), excerpt.weights], axis=1
    )
    hidden = np.arange(-BEFORE, size) > np.arange(size)[:, None]
    draw_weights(
        axes,
        np.ma.masked_where(hidden, shown),
        extent=(-BEFORE - 0.5, size - 0.5, size - 0.5, -0.5),
    )
    rows, columns = np.nonzero(excerpt.named)
    points = PANEL * 72 * 0.6 / (size + BEFORE)
    axes.scatter(
        columns, rows, s=points**2, marker="s", facecolors="none", edgecolors=NAMED, linewidths=0.5
    )
    axes.axvline(-0.5, color=FRAME, linewidth=0.8)
    label_axis(axes.xaxis, ["…", *excerpt.text], [-BEFORE / 2 - 0.5, *range(size)], PANEL)
    label_axis(axes.yaxis, excerpt.text, range(size), PANEL)
    axes.set_xlabel(
        "looks at (…: all before; framed: what the pattern names)", fontsize=FONT_SIZE - 1
    )
    axes.set_ylabel("character", fontsize=FONT_SIZE - 1)
    finding = excerpt.finding
    axes.set_title(
        f"{finding.layer}:{finding.head} {finding.pattern.name}: {finding.weight:.2f}, even "
        f"{finding.even:.2f}, untrained {finding.untrained:.2f}",
        fontsize=FONT_SIZE,
        loc="left",
        parse_math=False,
    )
