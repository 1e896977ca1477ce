"""How the units' report is shown: a table, text coloured by the best units, a picture."""

import itertools
import math
import textwrap
from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from charrnn_cli.terminal.bars import share_bar
from charrnn_cli.terminal.console import (
    print_json,
    print_lines,
    say_wrapped,
    shows_colour,
    text_width,
)
from charrnn_cli.terminal.heatmap import ACTIVATION, heat_lines, rows
from charrnn_cli.terminal.paragraphs import paragraph, row_of_table
from charrnn_cli.terminal.text_image import WIDTH, Row, check_picture, draw_page
from charrnn_cli.units.probe import MIN_DEVIATION, Finding
from charrnn_cli.units.report import MOST_LINES, Excerpt, UnitReport, is_visible, report_units

FIGURES = f"{'unit':>6}  {'r':>5}  {'untrained':>9}  {'character':>9}  "
EXPLANATION = (
    "For each feature of the text the unit (layer:number, from 0) that follows it best: chosen on "
    "one half of the text, its correlation r measured on the other. Beside it, what needs no "
    "learning: the best unit of an untrained model; and what needs no memory: the best function of "
    "the last character alone. First come those furthest above both."
)
NOTHING_FOUND = (
    "Nothing was found: no unit follows a feature better than both the best unit of an untrained "
    "model and the last character do. Shown is the unit that comes nearest."
)
COLOURS = (
    "Shown is the unit after each character, in standard deviations (sd) from its mean; of the "
    "text the part in which the feature varies most."
)


def show_units(file: Path, source: str, as_json: bool, plot: Path | None) -> None:
    """Compare the units of the model in a file with a text's features, and show the report: as
    lines or JSON on stdout, and as a picture if `plot` names one. Raises CharRNNError."""
    if plot is not None:
        check_picture(plot)  # raises now, before anything is computed
    with share_bar() as bar:
        report = report_units(file, source, lambda share: bar.update(share - bar.n))
    for note in report.notes:
        say_wrapped(f"Note: {note}.")
    if plot is not None:
        draw_page(plot, picture_rows(report), ACTIVATION, f"{file} reads {report.source}")
    if as_json:
        print_json(report.to_json())
    else:
        print_lines(report_lines(report, text_width(), shows_colour()))


def report_lines(report: UnitReport, width: int, colour: bool) -> Iterator[Text]:
    """The table, and below it an excerpt of the text for each of the best units."""
    about = f"{report.file} reads {report.source}, {report.characters:,} characters. {EXPLANATION}"
    yield from paragraph(about, width)
    yield Text()
    yield Text(f"{FIGURES}feature", "bold")
    for finding in report.study.findings:
        yield from _table_row(finding, width)
    if report.study.left_out:
        names = ", ".join(feature.name for feature in report.study.left_out)
        yield from paragraph(f"Left out, as they change too seldom here: {names}.", width)
    if not any(finding.gain > 0 for finding in report.study.findings):
        yield Text()
        yield from paragraph(NOTHING_FOUND, width)
    for excerpt in report.excerpts:
        yield Text()
        for line in textwrap.wrap(_title(excerpt), width):
            yield Text(line, "bold")
        yield from heat_lines(
            excerpt.text, _deviations(excerpt), ACTIVATION, width=width, colour=colour
        )
    yield Text()
    yield from paragraph(COLOURS, width)
    yield from ACTIVATION.legend(colour, width)


def picture_rows(report: UnitReport) -> Iterator[Row]:
    """The same excerpts as the rows of a picture."""
    for excerpt in report.excerpts:
        if excerpt is not report.excerpts[0]:
            yield Row("", [])
        for title in textwrap.wrap(_title(excerpt), WIDTH - 1):
            yield from (Row("", cells) for cells in rows(title, [math.nan] * len(title), WIDTH))
        for cells in itertools.islice(rows(excerpt.text, _deviations(excerpt), WIDTH), MOST_LINES):
            yield Row("", cells)


def _table_row(finding: Finding, width: int) -> Iterator[Text]:
    figures = (
        f"{_unit(finding):>6}  {finding.correlation:>+5.2f}  {finding.untrained:>+9.2f}  "
        f"{finding.character:>+9.2f}  "
    )
    meaning = f"{finding.feature.name}: {finding.feature.meaning}"
    return row_of_table(figures, meaning, width)


def _title(excerpt: Excerpt) -> str:
    """What an excerpt shows, on one line."""
    finding = excerpt.finding
    verb = "rises" if finding.correlation > 0 else "falls"
    if finding.gain <= 0:
        return (
            f"{_unit(finding)}, nearest to {finding.feature.name} ({finding.feature.meaning}): "
            f"{finding.correlation:+.2f}, no better than what needs no learning or no memory"
        )
    also = ", ".join(
        f"{other.feature.name} {other.correlation:+.2f}"
        for other in excerpt.also
        if is_visible(other)
    )
    return (
        f"{_unit(finding)} {verb} with {finding.feature.name} ({finding.feature.meaning}): "
        f"{finding.correlation:+.2f}" + (f"; also {also}" if also else "")
    )


def _deviations(excerpt: Excerpt) -> list[float]:
    """The activations of an excerpt, in standard deviations from the unit's mean."""
    finding = excerpt.finding
    return [(a - finding.mean) / max(finding.deviation, MIN_DEVIATION) for a in excerpt.activations]


def _unit(finding: Finding) -> str:
    return f"{finding.layer}:{finding.unit}"
