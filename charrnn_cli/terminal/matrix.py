"""A matrix of values as a heat map, one labelled row below the other."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from charrnn_cli.terminal.heatmap import Scale

MIN_PANEL = 8  # the fewest columns of a terminal that a panel has for its values


def matrix_lines(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    scale: Scale,
    *,
    width: int,
    colour: bool,
) -> Iterator[Text]:
    """Lines of at most `width` columns: a heading of the columns' labels, then a line for each row
    of `values` (rows, columns).

    A value is the column's label on the colour of the value, or without `colour` a symbol. Columns
    that do not fit follow in another panel below, after an empty line.
    """
    margin = max(map(cell_len, rows), default=0) + 2
    sizes = [cell_len(label) + 1 for label in columns]
    for number, panel in enumerate(_panels(sizes, max(MIN_PANEL, width - margin))):
        if number:
            yield Text()
        heading = "".join(set_cell_size(columns[i], sizes[i]) for i in panel)
        yield _line(" " * margin + heading.rstrip())
        for label, row in zip(rows, values, strict=True):
            line = _line(" " * (margin - 2 - cell_len(label)) + label + "  ")
            for index in panel:
                level = scale.level(row[index])
                if colour:
                    line.append(set_cell_size(columns[index], sizes[index]), scale.style(level))
                else:
                    line.append(scale.symbols[level].ljust(sizes[index]))
            line.rstrip()
            yield line


def _panels(sizes: Sequence[int], room: int) -> Iterator[list[int]]:
    """The numbers of the columns in parts that each fit into `room` columns of a terminal."""
    panel: list[int] = []
    used = 0
    for index, size in enumerate(sizes):
        if panel and used + size > room:
            yield panel
            panel, used = [], 0
        panel.append(index)
        used += size
    if panel:
        yield panel


def _line(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ignore", end="")
