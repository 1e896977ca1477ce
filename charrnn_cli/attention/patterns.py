"""Patterns that an attention head can follow: which earlier characters each character looks at.

A pattern names some positions of the context for each character of a text, none for many. They are
the patterns that the literature finds in trained transformers: heads that look at the previous
token (Voita et al. 2019, arXiv 1905.09418; Clark et al. 2019, arXiv 1906.04341), at an earlier
occurrence of the same token (Wang et al. 2022, arXiv 2211.00593), at what followed it there
(induction heads, Olsson et al. 2022, arXiv 2209.11895), at delimiters (Clark et al. 2019) and at
the first token of the context (Xiao et al. 2023, arXiv 2309.17453).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

REPEATED = 3  # A repetition is recognised by its last 3 characters.


class Text:
    """A text of N characters, with the places that patterns refer to. A place is an index into the
    text, -1 where there is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.points: Places = np.frombuffer(
            text.encode("utf-32-le", "surrogatepass"), dtype="<u4"
        ).astype(np.int64)
        self.line = _last(np.array([c == "\n" for c in text], dtype=bool))
        in_word = np.array([c.isalnum() or c == "_" for c in text], dtype=bool)
        between = _last(~in_word)
        self.word: Places = np.where(in_word, between, -2)
        """The character before the word, -1 for the first word, and -2 between words."""
        self.occurrence = _last_occurrence(self.points)
        runs = np.lib.stride_tricks.sliding_window_view(self.points, min(REPEATED, len(text)))
        _, run = np.unique(runs, axis=0, return_inverse=True)
        before = len(text) - len(runs)
        found = _last_occurrence(run.reshape(-1).astype(np.int64))
        self.repetition: Places = np.append(
            np.full(before, -1), np.where(found < 0, -1, found + before)
        )

    def __len__(self) -> int:
        return len(self.text)


@dataclass(frozen=True)
class Pattern:
    """Something that a head can follow.

    `targets` gives, for characters at some places (K, 1) of a text and those at other places
    (1, S), whether the pattern names the second for the first, (K, S). Patterns that are `near`
    name a fixed distance. All others leave out the character itself and the one before: a head that
    looks there follows the distance.
    """

    name: str
    meaning: str
    targets: Callable[[Text, Places, Places, int], Mask]
    near: bool = False

    def mask(self, text: Text, queries: Places, start: int) -> Mask:
        """The characters from place `start` on, up to the last query, that the pattern names for
        the characters at `queries` (K,): (K, S)."""
        at, other = queries[:, None], np.arange(start, int(queries[-1]) + 1)[None]
        named = self.targets(text, at, other, start)
        return named & (other <= (at if self.near else at - 2))


def _near(distance: int) -> Callable[[Text, Places, Places, int], Mask]:
    return lambda text, at, other, start: other == at - distance


def _same(text: Text, at: Places, other: Places, start: int) -> Mask:
    same: Mask = text.points[at] == text.points[other]
    return same


def _start_after(before: Places, at: Places, other: Places) -> Mask:
    """The last character `before` a line or word, and the first one of it."""
    start: Mask = (other == before[at]) | (other == before[at] + 1)
    return start


def _line(text: Text, at: Places, other: Places, start: int) -> Mask:
    return _start_after(text.line, at, other)


def _word(text: Text, at: Places, other: Places, start: int) -> Mask:
    return _start_after(text.word, at, other) & (text.word[at] >= -1)


def _after(place: Places, at: Places, other: Places) -> Mask:
    after: Mask = (place[at] >= 0) & (other == place[at] + 1)
    return after


PATTERNS: tuple[Pattern, ...] = (
    Pattern("this character", "the character itself", _near(0), near=True),
    Pattern("previous character", "the one before this", _near(1), near=True),
    Pattern("same character", "all earlier occurrences of this character", _same),
    Pattern("line start", "the newline before this line, and the line's first character", _line),
    Pattern("word start", "the character before this word, and the word's first", _word),
    Pattern(
        "induction",
        "the character after the last occurrence of this one",
        lambda text, at, other, start: _after(text.occurrence, at, other),
    ),
    Pattern(
        "3-gram induction",
        f"the character after the last occurrence of the last {REPEATED}",
        lambda text, at, other, start: _after(text.repetition, at, other),
    ),
    Pattern(
        "context start",
        "the first character in the context, whatever it is",
        lambda text, at, other, start: np.broadcast_to(other == start, (len(at), other.size)),
    ),
)
"""All patterns, in the order in which they are explained."""


def masks(text: Text, queries: Places, start: int) -> Iterator[Mask]:
    """The mask (K, S) of each pattern for the characters at `queries`."""
    for pattern in PATTERNS:
        yield pattern.mask(text, queries, start)


def _last(mask: Mask) -> Places:
    """The last place before each (N,) that is in a mask, -1 if there is none."""
    places = np.maximum.accumulate(np.where(mask, np.arange(len(mask)), -1))
    return np.append(-1, places[:-1])[: len(mask)]


def _last_occurrence(values: Places) -> Places:
    """The last place before each (N,) with the same value, -1 if there is none."""
    order = np.argsort(values, kind="stable")
    found = np.full(len(values), -1, np.int64)
    same = values[order[1:]] == values[order[:-1]]
    found[order[1:][same]] = order[:-1][same]
    return found
