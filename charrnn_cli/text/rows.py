"""A text cut into rows that are read side by side, to measure all of it in few steps."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MAX_ROWS = 64  # rows read side by side
MAX_CHARACTERS = MAX_ROWS * 256  # characters of the windows that are read side by side
WARM_UP = 256  # characters that a row reads first, for a state all but the one of a single pass


class Rows(NamedTuple):
    """Which characters of a text each of B rows reads, at T steps.

    `positions` (T, B) are places in the text; `own` (T, B) marks the part that a row is measured
    on, so that each character is some row's own once. The rest is read to come to a state, or
    stands beyond an end of the text, where the place is clipped. `start` is the step at which the
    first row comes to its own part, whose state before is the text's, and `end` the one at which
    the last row reads the text's last character. `before` (T, B) marks steps before the text's
    beginning, after which a state is still zero.
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
    """A text of `total` characters in `count` rows, one after another, each with a warm-up."""
    span = math.ceil(total / count)
    return rows_from(np.arange(count) * span, span, warm_up, total)


def stateful_rows(total: int, span: int = WARM_UP) -> Rows:
    """The rows for a model that carries a state, at most `MAX_ROWS`, each of at least `span`
    characters of its own; a text too short for two is read in one pass."""
    count = max(1, min(MAX_ROWS, total // span))
    return cut_rows(total, count, WARM_UP if count > 1 else 0)


def windows_at_once(context: int) -> int:
    """How many windows of that length are read side by side: bounds memory."""
    return max(1, min(MAX_ROWS, MAX_CHARACTERS // context))


def windows(total: int, context: int, first: int = 0) -> Rows:
    """The windows of a model that looks back on `context` characters, a row each.

    Window k holds the characters from k * (context - context // 2) on, and is measured on those
    that have at least half a context before them; the first window, on all. Only windows that
    measure something from character `first` on are given.
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
