"""Text coloured by a value per character: its rows, colours and marks."""

import math

import pytest
from factories import fuzz
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color, ColorSystem

from charrnn_cli.terminal.heatmap import (
    ACTIVATION,
    MIN_COLUMNS,
    SURPRISAL,
    Scale,
    heat_lines,
    rows,
    text_colour,
)

HOT = Scale("heat", edges=(1,), colours=(None, "#b3101a"), symbols=" ^")


def plain(text, hot="", width=80, colour=False):
    """The lines of a text whose characters `hot` have a high value."""
    values = [5.0 if character in hot else 0.0 for character in text]
    return list(heat_lines(text, values, HOT, width=width, colour=colour))


def marked(text, hot, width=80):
    return [line.plain for line in plain(text, hot, width)]


@pytest.mark.slow
@fuzz
@given(st.text(max_size=60), st.integers(1, 30))
def test_no_row_is_wider_than_asked(text, width):
    for row in rows(text, [0.0] * len(text), width):
        assert sum(cell.width for cell in row) <= max(width, MIN_COLUMNS)


@fuzz
@given(st.text(max_size=60), st.integers(1, 30))
def test_a_cell_is_as_wide_as_a_terminal_draws_it(text, width):
    for row in rows(text, [0.0] * len(text), width):
        for cell in row:
            assert cell_len(cell.text) == cell.width > 0


@fuzz
@given(st.text("ab \n日é", max_size=60), st.integers(1, 30))
def test_rows_hold_the_whole_text_in_order(text, width):
    values = [float(place) for place in range(len(text))]
    cells = [cell for row in rows(text, values, width) for cell in row]
    assert [cell.value for cell in cells] == values
    assert "".join(cell.text for cell in cells) == text.replace("\n", " ")


@fuzz
@given(st.text(max_size=60), st.booleans())
def test_what_is_shown_cannot_command_a_terminal(text, colour):
    for line in plain(text, colour=colour):
        assert not set(line.plain) & set(map(chr, [*range(32), *range(127, 160), 0x202E]))


def test_marks_stand_below_the_characters_they_are_for():
    assert marked("the cat", hot="ct") == ["the cat", "^   ^ ^"]


def test_marks_stay_aligned_after_wide_and_combining_characters():
    assert marked("日e\u0301本x", hot="本x") == ["日e\u0301本x", "   ^ ^"]


def test_a_line_without_marks_has_no_row_of_them():
    assert marked("cold\nhot", hot="h") == ["cold", "hot", "^"]


def test_the_newline_has_a_place_of_its_own():
    assert marked("ab\n", hot="\n") == ["ab", "  ^"]


def test_a_long_line_is_cut_at_the_width():
    assert marked("abcdef\ngh", hot="", width=4) == ["abc", "def", "gh"]


def test_combining_characters_share_a_cell_with_the_highest_value():
    assert marked("e\u0301", hot="\u0301") == ["e\u0301", "^"]
    family = "\U0001f468\u200d\U0001f469"
    assert [cell.text for cell in next(rows(family, [0.0] * 3, 80))] == [family]


def test_a_mark_without_its_base_stands_on_a_dotted_circle():
    assert marked("\n\u0301", hot="\u0301") == ["", "\u25cc\u0301", "^"]


def test_a_tab_reaches_to_the_next_stop():
    assert marked("ab\tc\td", hot="c") == ["ab      c       d", "        ^"]


def test_control_characters_are_escapes():
    assert marked("a\x1bb", hot="\x1b") == [r"a\x1bb", " ^^^^"]


def test_a_value_that_is_not_there_is_plain():
    [line] = heat_lines("a", [math.nan], SURPRISAL, width=9, colour=False)
    assert line.plain == "a"


def test_colour_is_behind_the_characters_of_high_value():
    [line] = plain("the cat", hot="c", colour=True)
    assert line.plain == "the cat"
    [span] = line.spans
    assert (span.start, span.end, span.style) == (4, 5, "#ffffff on #b3101a")


def test_brackets_are_never_markup():
    [line] = plain("[bold]x[/nothing]", colour=True)
    assert line.plain == "[bold]x[/nothing]"


@pytest.mark.parametrize(("value", "mark"), [(0, " "), (1.99, " "), (2, "2"), (7, "6"), (99, "#")])
def test_the_mark_of_surprise_is_the_bits_it_starts_from(value, mark):
    assert SURPRISAL.symbols[SURPRISAL.level(value)] == mark


def luminance(colour):
    channels = [value / 255 for value in Color.parse(colour).get_truecolor()]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scale", [SURPRISAL, ACTIVATION])
def test_ink_is_legible_on_every_colour(scale):
    for colour in filter(None, scale.colours):
        light, dark = sorted([luminance(colour), luminance(text_colour(colour))], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # what WCAG 2 asks for


@pytest.mark.parametrize("scale", [SURPRISAL, ACTIVATION])
@pytest.mark.parametrize("system", [ColorSystem.STANDARD, ColorSystem.EIGHT_BIT])
def test_colours_stay_apart_where_there_are_few(scale, system):
    colours = [Color.parse(colour).downgrade(system).number for colour in scale.colours if colour]
    assert len(set(colours)) == len(colours)


@pytest.mark.parametrize("colour", [True, False])
def test_the_legend_names_every_level_that_is_seen(colour):
    (shown,) = SURPRISAL.legend(colour, 100)
    assert all(name in shown.plain for name in SURPRISAL.names()[0 if colour else 1 :])


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("scale", [SURPRISAL, ACTIVATION])
def test_a_legend_of_several_lines_says_the_same(scale, colour):
    (whole,) = scale.legend(colour, 200)
    for width in (45, 35):
        lines = scale.legend(colour, width)
        assert len(lines) > 1
        assert max(len(line) for line in lines) <= width
        assert " ".join("".join(line.plain for line in lines).split()) == " ".join(
            whole.plain.split()
        )
