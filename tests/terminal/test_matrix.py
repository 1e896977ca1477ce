"""Heat maps of matrices: labels, panels, and what a terminal could not show."""

from rich.cells import cell_len

from charrnn_cli.terminal.heatmap import ATTENTION
from charrnn_cli.terminal.matrix import matrix_lines


def lines(rows, columns, values, width=80, colour=False):
    made = matrix_lines(rows, columns, values, ATTENTION, width=width, colour=colour)
    return [line.plain for line in made]


def test_each_row_shows_its_values_below_the_columns():
    shown = lines(["A", "B"], ["x", "y", "z"], [[0.9, 0.1, 0.0], [0.0, 0.3, 0.7]])
    assert shown == [
        "   x y z",
        "A  # .",
        "B    - +",
    ]  # fmt: skip


def test_in_colour_each_row_shows_the_columns_on_the_colours_of_its_values():
    made = list(matrix_lines(["A"], ["x", "y"], [[0.9, 0.1]], ATTENTION, width=80, colour=True))
    assert [line.plain for line in made] == ["   x y", "A  x y"]
    styles = [str(span.style) for span in made[1].spans]
    assert styles == [ATTENTION.style(4), ATTENTION.style(1)]


def test_columns_are_as_wide_as_their_labels():
    shown = lines(["A"], ["NOM", "日", "x"], [[0.9, 0.9, 0.9]])
    assert shown == ["   NOM 日 x", "A  #   #  #"]


def test_what_does_not_fit_follows_in_another_panel():
    shown = lines(["A"], list("abcdefghij"), [[0.9] * 10], width=13)
    assert shown == ["   a b c d e", "A  # # # # #", "", "   f g h i j", "A  # # # # #"]
    assert max(map(cell_len, shown)) <= 13
