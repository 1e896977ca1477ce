"""Drawings made of characters: within the columns, and true to the figures."""

import pytest
from factories import fuzz, history, make_checkpoint
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.inspection.facts import model_parts
from charrnn_cli.terminal.ascii_plots import (
    ASCII,
    CHARACTERS,
    UNICODE,
    draw_baselines,
    draw_curve,
    draw_model,
)

both = pytest.mark.parametrize("signs", [UNICODE, ASCII], ids=["unicode", "ascii"])


FALLING = history((3.0, 2.8), (2.0, 2.1), (1.5, 1.9), (1.0, 2.0))


def test_a_model_is_drawn_from_input_to_output():
    model = make_checkpoint("gru", hidden_size=4, num_layers=2, vocabulary="abc").model
    assert draw_model(model_parts(model), 0.5, 60, ASCII) == [
        "character, one-hot                                         3",
        "  |",
        "gru 1                                     3 -> 4         108",
        "  |   weight_ih 12 x 3, weight_hh 12 x 4, bias_ih 12,",
        "  |   bias_hh 12",
        "  | dropout 0.5",
        "gru 2                                     4 -> 4         120",
        "  |   weight_ih 12 x 4, weight_hh 12 x 4, bias_ih 12,",
        "  |   bias_hh 12",
        "  | dropout 0.5",
        "head                                      4 -> 3          15",
        "  |   weight 3 x 4, bias 3",
        "  |",
        "softmax, next character                                    3",
    ]


def test_layers_alike_are_drawn_once():
    model = make_checkpoint("lstm", num_layers=16).model
    lines = draw_model(model_parts(model), 0.0, 70, UNICODE)
    assert [line.split("  ")[0] for line in lines if line[0] != " "] == [
        "character, one-hot", "lstm 1", "lstm 2 to 16, each", "head", "softmax, next character",
    ]  # fmt: skip


@both
@pytest.mark.parametrize("width", [40, 60, 200])
def test_no_drawing_is_wider_than_the_terminal(width, signs):
    model = make_checkpoint("gru", num_layers=3).model
    lines = draw_model(model_parts(model), 0.25, width, signs)
    lines += draw_curve(FALLING, 30, width, signs)
    lines += draw_baselines([("uniform", 4.1), ("this model", 1.5)], width, signs)
    assert max(map(len, lines)) <= width


def test_ascii_signs_are_ascii_and_a_stream_is_asked_for_all_others():
    model = make_checkpoint().model
    drawn = draw_model(model_parts(model), 0.1, 60, ASCII) + draw_curve(FALLING, 30, 60, ASCII)
    drawn += draw_baselines([("a", 1.0), ("b", 0.3)], 60, ASCII)
    assert "".join(drawn).isascii()
    drawn = draw_model(model_parts(model), 0.1, 60, UNICODE) + draw_curve(FALLING, 30, 60, UNICODE)
    drawn += draw_baselines([("a", 1.0), ("b", 0.3)], 60, UNICODE)
    assert {c for c in "".join(drawn) if not c.isascii()} <= set(CHARACTERS)


def test_a_curve_falls_from_the_highest_loss_to_the_lowest_with_the_best_marked():
    assert draw_curve(FALLING, 30, 32, ASCII) == [
        "3.000 |..",
        "2.714 |ooo.",
        "2.429 |   ooo",
        "2.143 |      oooooo",
        "1.857 |        ....oooo@oooooooo",
        "1.571 |             .....",
        "1.286 |                  ....",
        "1.000 |                      ...",
        "      +-------------------------",
        "       10               40 steps",
        "o held-out   . training   @ best",
        "1.9000 at step 30   last 2.0000",
    ]


@pytest.mark.parametrize("records", [[], FALLING[:1]])
def test_there_is_no_curve_of_fewer_than_two_evaluations(records):
    assert draw_curve(records, 10, 80, UNICODE) == []


@fuzz
@given(
    st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)), min_size=2, max_size=200),
    st.integers(20, 200),
)
def test_any_losses_can_be_drawn(losses, width):
    records = history(*losses)
    best = min(records, key=lambda record: record["val_loss"])
    lines = draw_curve(records, int(best["step"]), width, ASCII)
    assert sum(line.count("@") for line in lines[:8]) == 1


def test_bars_are_as_long_as_the_losses():
    lines = draw_baselines([("uniform", 4.0), ("model", 1.0)], 80, ASCII)
    assert lines[1:] == [
        "uniform    4.000      5.771  " + "#" * 40,
        "model      1.000      1.443  " + "#" * 10,
    ]
    finer = draw_baselines([("uniform", 4.0), ("model", 1.0125)], 80, UNICODE)
    assert finer[2].endswith("  " + "█" * 10 + "▏")


def test_where_there_is_no_room_for_bars_the_figures_stay():
    assert draw_baselines([("uniform", 4.0)], 30, ASCII)[1] == "uniform    4.000      5.771"
