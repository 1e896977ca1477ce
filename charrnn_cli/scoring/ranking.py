"""The lines of a text that surprise a model most and least, found in one pass of small memory."""

import heapq
import math
from collections.abc import Iterable
from typing import NamedTuple

from charrnn_cli.scoring.scorer import Line

PRIOR = 16  # characters of average surprise that a line is taken to have besides its own
EXACT = 512  # lines of so many characters are compared exactly, longer ones within a tenth
KEPT = 1_000  # characters of a line that are kept


class Candidate(NamedTuple):
    """A line that may be among those looked for. The larger `order` is, the more it is one."""

    order: float
    earlier: int  # of two equal ones the earlier is preferred
    line: Line


class Ranking:
    """Keeps the `count` most and the `count` least surprising lines of those it is shown.

    A mean over few characters swings widely, so that the plain order would list the shortest lines
    first and last. Each line is ranked by the mean it would have with `PRIOR` more characters of
    the text's own average. That average is known only at the end; but of lines of one length it
    changes nothing, so the `count` best of each length are kept till then.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._most: dict[int, list[Candidate]] = {}
        self._least: dict[int, list[Candidate]] = {}

    def add(self, lines: Iterable[Line]) -> None:
        """Show it the next lines."""
        for line in lines:
            self._add(line)

    def most(self, average: float) -> list[Line]:
        """The most surprising lines, the most surprising first, of a text of that average."""
        return self._first(self._most, -1, average)

    def least(self, average: float) -> list[Line]:
        """The least surprising lines, the least surprising first."""
        return self._first(self._least, 1, average)

    def _add(self, line: Line) -> None:
        mean = line.bits_per_char
        if mean is None:
            return
        length = line.scored
        if length > EXACT:
            length = EXACT + math.ceil(8 * math.log2(length / EXACT))
        for kept, order in ((self._most, mean), (self._least, -mean)):
            heap = kept.setdefault(length, [])
            if len(heap) < self.count:
                heapq.heappush(heap, Candidate(order, -line.number, _short(line)))
            elif (order, -line.number) > heap[0][:2]:
                heapq.heapreplace(heap, Candidate(order, -line.number, _short(line)))

    def _first(self, kept: dict[int, list[Candidate]], sign: int, average: float) -> list[Line]:
        lines = (candidate.line for heap in kept.values() for candidate in heap)
        return heapq.nsmallest(
            self.count, lines, key=lambda line: (sign * _shrunk(line, average), line.number)
        )


def _shrunk(line: Line, average: float) -> float:
    """A line's bits per character together with `PRIOR` average ones."""
    return (line.bits + PRIOR * average) / (line.scored + PRIOR)


def _short(line: Line) -> Line:
    """A line without more of its text than is kept."""
    return Line(
        line.number,
        line.text[:KEPT],
        line.values[:KEPT],
        line.characters,
        line.scored,
        line.unknown,
        line.bits,
    )
