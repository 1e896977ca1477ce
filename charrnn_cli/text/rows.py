"""A text cut into batch rows that are read side by side, to measure all of it in few steps."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MAX_ROWS = 64  # At most so many batch rows are read side by side.
MAX_CHARACTERS = MAX_ROWS * 256  # At most so many characters of windows are read side by side.
# Each row first reads so many characters of the text before its own part. Its state is then almost
# that of a single pass over the text.
WARM_UP = 256


class Rows(NamedTuple):
    """Which characters of a text each of B batch rows reads in T steps.

    `positions` (T, B) are indices into the text, clipped to its ends. `own` (T, B) is true where a
    row is measured: each character is measured in exactly one row. All other places are warm-up or
    lie beyond an end of the text. `start` is the step at which the first row's own part begins, and
    `end` the step at which the last row reads the text's last character. `before` (T, B) is true
    for steps before the text's beginning, after which a state is still zero.
    """

    positions: npt.NDArray[np.int64]
    own: npt.NDArray[np.bool_]
    start: int
    end: int
    before: npt.NDArray[np.bool_]

    def some(self, rows: slice) -> "Rows":
        """Some of the rows."""
        return self._replace(
            positions=self.positions[:, rows], own=self.own[:, rows], before=self.before[:, rows]
        )


def rows_from(starts: npt.NDArray[np.int64], span: int, warm_up: int, total: int) -> Rows:
    """A row of `span` characters from each of `starts` (B,) on, with a warm-up on those before, of
    a text of `total` characters."""
    positions = starts + np.arange(-warm_up, span)[:, None]  # (T, B)
    own = (positions >= starts) & (positions < total)
    end = warm_up + min(span, total - int(starts[-1])) - 1
    return Rows(positions.clip(0, total - 1), own, warm_up, end, positions < 0)


def cut_rows(total: int, count: int, warm_up: int) -> Rows:
    """`count` rows of a text of `total` characters, each after `warm_up` characters before it."""
    span = math.ceil(total / count)
    return rows_from(np.arange(count) * span, span, warm_up, total)


def stateful_rows(total: int, span: int = WARM_UP) -> Rows:
    """The rows for a model that carries a state, at most `MAX_ROWS`.

    Each has at least `span` characters of its own. A text too short for two rows is read in one
    pass.
    """
    count = max(1, min(MAX_ROWS, total // span))
    return cut_rows(total, count, WARM_UP if count > 1 else 0)


def windows_at_once(context: int) -> int:
    """How many windows of that length are read side by side: bounds memory."""
    return max(1, min(MAX_ROWS, MAX_CHARACTERS // context))


def windows(total: int, context: int, first: int = 0) -> Rows:
    """The windows for a model that looks back on `context` characters, one batch row each.

    Window k starts at character k * (context - context // 2). It is measured on the characters that
    have at least half a context before them in the window; the first window is measured on all.
    Only characters from `first` on are measured; windows without any of them are left out.
    """
    warm_up = context // 2
    span = context - warm_up
    begin = max(0, (first - warm_up) // span)
    end = max(0, (total - 1 - warm_up) // span)
    starts = np.arange(begin, end + 1) * span
    length = min(context, total - int(starts[0]))
    positions = starts + np.arange(length)[:, None]  # (T, B)
    own = (positions >= np.where(starts > 0, starts + warm_up, 0)) & (positions < total)
    before = np.zeros_like(own)
    return Rows(positions.clip(0, total - 1), own & (positions >= first), 0, length - 1, before)
