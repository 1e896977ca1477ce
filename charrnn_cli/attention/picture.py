"""Attention as a picture: a heat map for each of the best heads, over an excerpt of the text."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from charrnn_cli.attention.report import AttentionReport, Excerpt
from charrnn_cli.attention.view import sign_of
from charrnn_cli.terminal.fonts import FONT, MISSING, drawable, font_for, missing_note
from charrnn_cli.terminal.text_image import FONT_SIZE, check_picture, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

PANEL = 5.2  # inches, of a side of one heat map
BEFORE = 2  # columns of a heat map for what lies before the excerpt
COLOURS = "Blues"
NAMED = "#d55e00"  # colour-blind readers can distinguish it from blue (Okabe and Ito 2008)
GAMMA = 0.6  # below 1 small weights are seen, too


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
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, excerpt in zip(panels, report.excerpts, strict=False):
        _draw(axes, excerpt)
    for axes in panels[count:]:
        axes.set_axis_off()
    bar = figure.colorbar(panels[0].images[0], ax=list(panels), shrink=0.5, aspect=40, pad=0.01)
    bar.set_label("attention weight", fontsize=FONT_SIZE - 1)
    bar.ax.tick_params(labelsize=FONT_SIZE - 2)
    figure.suptitle(
        drawable(f"{report.file} reads {report.source}"),
        fontsize=FONT_SIZE + 1,
        x=0.01,
        ha="left",
        parse_math=False,
    )
    texts = "".join(excerpt.text for excerpt in report.excerpts)
    missing = "".join(c for c in texts if font_for(sign_of(c)) is None)
    if missing:
        note = "\n".join(missing_note(missing))
        figure.supxlabel(note, fontsize=FONT_SIZE - 1, x=0.01, ha="left")
    return figure


def _draw(axes: "Axes", excerpt: Excerpt) -> None:
    """Draw one heat map: rows are characters, columns those that they look at, the first columns
    all that lies before the excerpt. What the pattern names is framed."""
    from matplotlib.colors import PowerNorm

    size = len(excerpt.text)
    shown = np.concatenate(
        [np.repeat(excerpt.before[:, None], BEFORE, axis=1), excerpt.weights], axis=1
    )
    hidden = np.arange(-BEFORE, size) > np.arange(size)[:, None]
    axes.imshow(
        np.ma.masked_where(hidden, shown),
        cmap=COLOURS,
        norm=PowerNorm(GAMMA, 0, 1),
        aspect="auto",
        interpolation="nearest",
        extent=(-BEFORE - 0.5, size - 0.5, size - 0.5, -0.5),
    )
    rows, columns = np.nonzero(excerpt.named)
    points = PANEL * 72 * 0.6 / (size + BEFORE)
    axes.scatter(
        columns, rows, s=points**2, marker="s", facecolors="none", edgecolors=NAMED, linewidths=0.5
    )
    axes.axvline(-0.5, color="#a0a0a0", linewidth=0.8)
    _label(axes.xaxis, ["…", *excerpt.text], [-BEFORE / 2 - 0.5, *range(size)])
    _label(axes.yaxis, [*excerpt.text], [*range(size)])
    axes.set_xlabel(
        "looks at (…: all before; framed: what the pattern names)", fontsize=FONT_SIZE - 1
    )
    axes.set_ylabel("character", fontsize=FONT_SIZE - 1)
    for side in axes.spines.values():
        side.set_color("#a0a0a0")
    finding = excerpt.finding
    axes.set_title(
        f"{finding.layer}:{finding.head} {finding.pattern.name}: {finding.weight:.2f}, even "
        f"{finding.even:.2f}, untrained {finding.untrained:.2f}",
        fontsize=FONT_SIZE,
        loc="left",
        parse_math=False,
    )


def _label(axis: "Axis", characters: list[str], places: list[float]) -> None:
    """Write characters beside an axis, each in a font that has it."""
    signs = [sign_of(character) for character in characters]
    fonts = [font_for(sign) for sign in signs]
    shown = [sign if font else MISSING for sign, font in zip(signs, fonts, strict=True)]
    axis.set_ticks(places, shown, parse_math=False)
    points = min(FONT_SIZE - 1, PANEL * 72 * 0.75 / len(places))
    for label, font in zip(axis.get_ticklabels(), fonts, strict=True):
        label.set_fontfamily(font or FONT)
        label.set_fontsize(points)
        label.set_rotation(0)
    axis.set_tick_params(length=0, pad=1)
