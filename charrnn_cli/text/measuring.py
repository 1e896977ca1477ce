"""Spans of a text cut into passages, on which a model's loss is measured."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn_cli.text.dataset import IGNORE, Batch, Passage
from charrnn_cli.text.rows import MAX_ROWS, WARM_UP, windows_at_once
from charrnn_cli.text.vocabulary import Ids

Ints = npt.NDArray[np.int64]

MIN_SEGMENT = 4 * WARM_UP  # A row measures at least so many characters: shorter ones cost warm-ups.
PASSAGE = WARM_UP // 2  # Time steps in one passage for a model with a state: bounds memory.


class Segments(NamedTuple):
    """Rows of a measurement (R,): each reads the text from `read` on, and measures the predictions
    of the characters from `first` up to `end`."""

    read: Ints
    first: Ints
    end: Ints


def segments(origins: Ints, firsts: Ints, ends: Ints, context: int | None) -> Segments:
    """Spans (D,) of predicted characters cut into rows.

    A row warms up on the characters before its own, but on none before its document's origin. For
    a model with a limited `context`, a row is one window of it at most.
    """
    if context is None:
        warm_up = WARM_UP
        length = max(MIN_SEGMENT, -(-int((ends - firsts).sum()) // MAX_ROWS))
        first_length = np.full(len(firsts), length)
    else:
        warm_up = context // 2
        length = context - warm_up
        # the beginning of a document is measured from its first character on
        first_length = np.maximum(length, context - (firsts - 1 - origins))
    total = ends - firsts
    counts = 1 + np.maximum(0, -(-(total - first_length) // length))
    span = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(span)) - np.repeat(np.cumsum(counts) - counts, counts)
    offset = np.where(number == 0, 0, first_length[span] + (number - 1) * length)
    own = np.where(number == 0, first_length[span], length)
    first = firsts[span] + offset
    end = np.minimum(first + own, ends[span])
    read = np.maximum(origins[span], first - 1 - warm_up)
    if context is not None:
        read = np.maximum(read, end - 1 - context)
    return Segments(read, first, end)


def passages(
    ids: Ids, cut: Segments, context: int | None, part: Callable[[int], slice]
) -> Iterator[Passage]:
    """The passages of rows, those of similar length side by side; see `Dataset.passages`."""
    lengths = cut.end - 1 - cut.read  # inputs
    order = np.argsort(-lengths, kind="stable")
    at_once = MAX_ROWS if context is None else windows_at_once(context)
    for begin in range(0, len(order), at_once):
        group = order[begin : begin + at_once]
        steps = int(lengths[group[0]])
        mine = group[part(len(group))]
        if not len(mine):
            continue
        for start in range(0, steps, PASSAGE if context is None else steps):
            time = np.arange(start, min(start + PASSAGE, steps) if context is None else steps)
            places = cut.read[mine] + np.minimum(time[:, None], lengths[mine] - 1)  # (T, B)
            own = (time[:, None] < lengths[mine]) & (places + 1 >= cut.first[mine])
            targets = np.where(own, ids[places + 1].astype(np.int64), IGNORE)
            fresh = slice(0, 0) if start else slice(None)
            yield Passage(Batch(ids[places].astype(np.int64), targets), fresh)
