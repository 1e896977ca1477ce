"""How the report on attention is shown: tables, and what each character of an excerpt looks at."""

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text

from charrnn_cli.attention.probe import MIN_GAIN, Finding, Head
from charrnn_cli.attention.report import AttentionReport, Excerpt, report_attention
from charrnn_cli.terminal.bars import share_bar
from charrnn_cli.terminal.console import (
    print_json,
    print_lines,
    say_wrapped,
    shows_colour,
    text_width,
)
from charrnn_cli.terminal.heatmap import ATTENTION
from charrnn_cli.terminal.paragraphs import paragraph, row_of_table
from charrnn_cli.terminal.signs import UNICODE, Signs, sign_of, signs_of_stdout
from charrnn_cli.terminal.text_image import check_picture

FIGURES = f"{'head':>6}  {'weight':>6}  {'even':>5}  {'distance':>8}  {'untrained':>9}  "
OF_HEADS = f"{'head':>6}  {'look-back':>9}  {'spread':>6}  "
EXPLANATION = (
    "For each pattern the head (layer:number, from 0) that gives most of its attention to the "
    "characters that the pattern names: chosen on one half of the text, its mean weight on them "
    "measured on the other. Beside it, what needs no learning: the weight if it attended to all "
    "characters evenly, or by their distance alone, and that of the best head of an untrained "
    "model. First come those furthest above all of these."
)
ABOUT_HEADS = (
    "All heads: how far back each looks in the mean, over how many characters its attention is "
    "spread (exp of its entropy), and what it follows."
)
ABOUT_EXCERPTS = (
    "Below each character is the one that the head looks at most from there, with its weight, and "
    "how many characters back it lies (+: 10 or more). Of the text the part in which the pattern "
    "names most."
)
MOST_LISTED = 24  # At most so many heads are listed; JSON has all.


def show_attention(file: Path, source: str, as_json: bool, plot: Path | None) -> None:
    """Measure what the attention heads of the model in a file follow in a text, and show the
    report: as lines or JSON on stdout, and as a picture if `plot` names one. Raises CharRNNError.
    """
    if plot is not None:
        check_picture(plot)  # raises now, before anything is computed
    with share_bar() as bar:
        report = report_attention(file, source, lambda share: bar.update(share - bar.n))
    for note in report.notes:
        say_wrapped(f"Note: {note}.")
    if plot is not None:
        from charrnn_cli.attention.picture import draw_attention

        draw_attention(plot, report)
    if as_json:
        print_json(report.to_json())
    else:
        print_lines(report_lines(report, text_width(), shows_colour(), signs_of_stdout()))


def report_lines(
    report: AttentionReport, width: int, colour: bool, signs: Signs = UNICODE
) -> Iterator[Text]:
    """The tables, and below them an excerpt of the text for each of the best heads."""
    about = f"{report.file} reads {report.source}, {report.characters:,} characters. {EXPLANATION}"
    yield from paragraph(about, width)
    yield Text()
    yield from _pattern_lines(report, width)
    yield Text()
    yield from paragraph(ABOUT_HEADS, width)
    yield Text()
    yield Text(f"{OF_HEADS}follows", "bold")
    for head in report.study.heads[:MOST_LISTED]:
        followed = ", ".join(f"{f.pattern.name} {f.weight:.2f}" for f in head.followed)
        figures = f"{_name(head)}  {head.look_back:>9.1f}  {head.spread:>6.1f}  "
        yield from row_of_table(figures, followed or "nothing found", width)
    if len(report.study.heads) > MOST_LISTED:
        yield from paragraph(f"And {len(report.study.heads) - MOST_LISTED} more: --json", width)
    for excerpt in report.excerpts:
        yield Text()
        for line in textwrap.wrap(title_of(excerpt), width):
            yield Text(line, "bold")
        yield from excerpt_lines(excerpt, width, colour, signs)
    yield Text()
    yield from paragraph(ABOUT_EXCERPTS, width)
    yield from ATTENTION.legend(colour, width)


def _pattern_lines(report: AttentionReport, width: int) -> Iterator[Text]:
    found = [finding for finding in report.study.best if finding.is_followed]
    if found:
        yield Text(f"{FIGURES}pattern", "bold")
    for finding in found:
        distance = "" if finding.by_distance is None else f"{finding.by_distance:.2f}"
        figures = (
            f"{_name(finding)}  {finding.weight:>6.2f}  {finding.even:>5.2f}  {distance:>8}  "
            f"{finding.untrained:>9.2f}  "
        )
        yield from row_of_table(
            figures, f"{finding.pattern.name}: {finding.pattern.meaning}", width
        )
    others = ", ".join(f.pattern.name for f in report.study.best if not f.is_followed)
    if others:
        reason = f"no head is {MIN_GAIN:.2f} above what needs no learning"
        yield from paragraph(f"Nothing found for {others}: {reason}.", width)
    if report.study.left_out:
        names = ", ".join(pattern.name for pattern in report.study.left_out)
        yield from paragraph(f"Left out, as they name too little here: {names}.", width)


def title_of(excerpt: Excerpt) -> str:
    """What an excerpt shows, on one line."""
    finding = excerpt.finding
    weight = f"weight {finding.weight:.2f}, even {finding.even:.2f}"
    about = f"{finding.pattern.name} ({finding.pattern.meaning}): {weight}"
    name = _name(finding).strip()
    if not finding.is_followed:
        return f"{name} follows nothing that was found; nearest is {about}"
    also = ", ".join(f"{other.pattern.name} {other.weight:.2f}" for other in excerpt.also)
    return f"{name} follows {about}" + (f"; also {also}" if also else "")


class _Column(NamedTuple):
    """One character of an excerpt, what it looks at, and the columns that both need."""

    character: str
    looks_at: str
    back: int
    weight: float
    width: int


def excerpt_lines(
    excerpt: Excerpt, width: int, colour: bool, signs: Signs = UNICODE
) -> Iterator[Text]:
    """The excerpt in lines of at most `width` columns, each with lines below it: what its
    characters look at most, coloured by weight (or symbols of the weights), and how far back."""
    columns = []
    for character, (back, weight, other) in zip(excerpt.text, excerpt.most, strict=True):
        shown = " " if character == " " else sign_of(character, signs)
        looks_at = sign_of(other, signs)
        room = max(cell_len(shown), cell_len(looks_at))
        columns.append(_Column(shown, looks_at, back, weight, room))
    for row in _broken(columns, max(4, width - len("looks at  "))):
        yield _line("text", [(c.character, c.width, "") for c in row])
        styles = [ATTENTION.style(ATTENTION.level(c.weight)) if colour else "" for c in row]
        yield _line(
            "looks at", [(c.looks_at, c.width, s) for c, s in zip(row, styles, strict=True)]
        )
        if not colour:
            symbols = [ATTENTION.symbols[ATTENTION.level(c.weight)] for c in row]
            yield _line("weight", [(s, c.width, "") for c, s in zip(row, symbols, strict=True)])
        yield _line("back", [("+" if c.back > 9 else str(c.back), c.width, "") for c in row])


def _broken(columns: Sequence[_Column], room: int) -> Iterator[list[_Column]]:
    """The columns in rows that fit; each row has at least one."""
    row: list[_Column] = []
    for column in columns:
        if row and sum(c.width for c in row) + column.width > room:
            yield row
            row = []
        row.append(column)
    if row:
        yield row


def _line(label: str, cells: Sequence[tuple[str, int, str]]) -> Text:
    """A label and cells of the given widths and styles; blanks at the end are left out."""
    line = Text(f"{label:<10}", no_wrap=True, overflow="ignore", end="")
    for style, run in itertools.groupby(cells, key=lambda cell: cell[2]):
        line.append("".join(text + " " * (size - cell_len(text)) for text, size, _ in run), style)
    if not any(style for _, _, style in cells):
        line.rstrip()
    return line


def _name(which: Finding | Head) -> str:
    return f"{which.layer}:{which.head}".rjust(6)
