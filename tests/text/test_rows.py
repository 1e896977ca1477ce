"""Texts cut into rows that are read side by side: each character is measured once."""

import numpy as np
import pytest
from factories import fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text.rows import MAX_ROWS, WARM_UP, Rows, cut_rows, stateful_rows, windows

totals = st.integers(1, 3000)
contexts = st.integers(1, 80)


def own_positions(rows: Rows) -> list[int]:
    return sorted(rows.positions[rows.own].tolist())


def read_in_order(rows: Rows, total: int) -> bool:
    """Whether each row reads characters one after another, but for what is clipped at an end."""
    steps = np.diff(rows.positions, axis=0)
    clipped = (rows.positions[:-1] == 0) | (rows.positions[1:] == total - 1)
    return bool(((steps == 1) | ((steps == 0) & clipped)).all())


# rows for a model that carries a state


@fuzz
@given(totals, st.integers(1, 80), st.integers(0, 300))
def test_each_character_is_one_rows_own_once(total, count, warm_up):
    count = max(1, -(-total // -(-total // count)))  # none of whose rows would be empty
    rows = cut_rows(total, count, warm_up)
    assert rows.positions.shape == rows.own.shape == (warm_up + -(-total // count), count)
    assert own_positions(rows) == list(range(total))
    assert read_in_order(rows, total)


@fuzz
@given(totals, st.integers(1, 80), st.integers(0, 300))
def test_before_its_own_each_row_reads_its_warm_up(total, count, warm_up):
    count = max(1, -(-total // -(-total // count)))
    rows = cut_rows(total, count, warm_up)
    assert not rows.own[:warm_up].any()
    assert rows.start == warm_up
    first = rows.positions[warm_up]  # of each row's own
    for step in range(warm_up):
        assert (rows.positions[step] == np.maximum(first - warm_up + step, 0)).all()


@fuzz
@given(totals, st.integers(1, 80), st.integers(0, 300))
def test_the_last_row_reads_the_last_character_at_the_end(total, count, warm_up):
    count = max(1, -(-total // -(-total // count)))
    rows = cut_rows(total, count, warm_up)
    assert rows.positions[rows.end, -1] == total - 1
    assert rows.own[rows.end, -1]
    assert not rows.own[rows.end + 1 :, -1].any()


@pytest.mark.parametrize("total", [1, WARM_UP, 2 * WARM_UP - 1])
def test_a_text_too_short_for_two_rows_is_read_in_one_pass(total):
    rows = stateful_rows(total)
    assert rows.positions[:, 0].tolist() == list(range(total))
    assert rows.own.all()
    assert (rows.start, rows.end) == (0, total - 1)


@fuzz
@given(st.integers(1, 100_000))
def test_rows_pay_for_their_warm_up_and_are_not_too_many(total):
    steps, count = stateful_rows(total).positions.shape
    assert 1 <= count <= MAX_ROWS
    assert count == 1 or steps - WARM_UP >= WARM_UP
    assert own_positions(stateful_rows(total)) == list(range(total))


# windows for a model that looks back on a limited context


@fuzz
@given(totals, contexts)
def test_windows_measure_each_character_once(total, context):
    rows = windows(total, context)
    assert own_positions(rows) == list(range(total))
    assert read_in_order(rows, total)
    assert len(rows.positions) == min(context, total)


@fuzz
@given(totals, contexts)
def test_a_character_is_measured_with_half_a_context_before_it_or_all_there_is(total, context):
    rows = windows(total, context)
    steps, places = np.nonzero(rows.own)
    assert (steps >= np.minimum(rows.positions[steps, places], context // 2)).all()


@fuzz
@given(totals, contexts, st.integers(0, 3000))
def test_from_a_first_character_on_windows_measure_the_rest_as_they_would_of_all(
    total, context, first
):
    first %= total
    whole, rest = windows(total, context), windows(total, context, first)
    assert own_positions(rest) == list(range(first, total))

    def read_before(rows: Rows) -> dict[int, int]:
        """How many characters are read before each that is measured."""
        steps, places = np.nonzero(rows.own)
        return dict(zip(rows.positions[steps, places].tolist(), steps.tolist(), strict=True))

    assert read_before(rest).items() <= read_before(whole).items()


@fuzz
@given(totals, contexts, st.integers(0, 3000))
def test_no_window_measures_nothing(total, context, first):
    assert windows(total, context, first % total).own.any(axis=0).all()
