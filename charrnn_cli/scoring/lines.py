"""The lines of a scored text: put together from blocks, and ranked by their surprisal."""

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn_cli.scoring.surprisal import Bits

MAX_SHOWN = 10_000  # At most this many characters of a line are kept to be shown.
MAX_LISTED = 1_000  # At most this many characters of a ranked line are kept to be listed.
PRIOR = 16  # A line is ranked as if it had 16 more characters of the text's mean surprisal.
EXACT = 512  # Up to 512 characters, only lines of equal length are compared; then within a tenth.

Known = npt.NDArray[np.bool_]


class ScoredBlock(NamedTuple):
    """A block of text (N characters) with the surprisal of each in bits (N,), NaN for one that has
    no context, and which of them (N,) the model knows."""

    text: str
    bits: Bits
    known: Known


@dataclass
class Line:
    """One line, its newline included in the figures; it grows with `add`.

    `text` and `values` (the bits of each character) hold its first `MAX_SHOWN` characters;
    `scored` counts the characters that have a surprisal, `unknown` those that the model lacks.
    """

    number: int
    text: str = ""
    values: list[float] = field(default_factory=list)
    characters: int = 0
    scored: int = 0
    unknown: int = 0
    bits: float = 0.0

    @property
    def bits_per_char(self) -> float | None:
        """The mean surprisal of the scored characters, None if there are none."""
        return self.bits / self.scored if self.scored else None

    def add(self, text: str, bits: Bits, known: Known) -> None:
        """Add the line's next characters."""
        room = MAX_SHOWN - len(self.text)
        self.text += text[:room]
        self.values += bits[:room].tolist()
        scored = bits[~np.isnan(bits)]
        self.characters += len(text)
        self.scored += len(scored)
        self.unknown += len(text) - int(np.count_nonzero(known))
        self.bits += float(scored.sum())


class Lines:
    """Puts scored blocks together into lines. Only a newline ends a line, as for `wc` and `sed`."""

    def __init__(self) -> None:
        self.count = 0
        self._open: Line | None = None

    def feed(self, block: ScoredBlock) -> Iterator[Line]:
        """Take the next block; yield the lines that end in it."""
        text, bits, known = block
        start = 0
        while start < len(text):
            end = text.find("\n", start) + 1 or len(text)
            if self._open is None:
                self.count += 1
                self._open = Line(self.count)
            self._open.add(text[start:end], bits[start:end], known[start:end])
            if text[end - 1] == "\n":
                yield from self.finish()
            start = end

    def finish(self) -> Iterator[Line]:
        """End the line that is still open, if there is one, and yield it."""
        if self._open is not None:
            ended, self._open = self._open, None
            yield ended


class Candidate(NamedTuple):
    """A line that may be among those looked for; the greatest candidates are kept."""

    order: float
    earlier: int  # minus the line's number: of two equal lines the earlier one is preferred
    line: Line


class Ranking:
    """Finds the `count` lines of highest and of lowest mean surprisal, in one pass and in memory
    that does not grow with the text.

    A mean over few characters varies widely, so that the plain order would list the shortest lines
    first and last. Each line is ranked by the mean that it would have with `PRIOR` more characters
    of the text's mean surprisal. That mean is known only at the end; but it does not change the
    order of lines of equal length, so the `count` best of each length are kept until then.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._most: dict[int, list[Candidate]] = {}
        self._least: dict[int, list[Candidate]] = {}

    def add(self, lines: Iterable[Line]) -> None:
        """Take the next lines."""
        for line in lines:
            self._add(line)

    def most(self, mean: float) -> list[Line]:
        """The most surprising lines, in falling order; `mean` is the whole text's surprisal."""
        return self._first(self._most, -1, mean)

    def least(self, mean: float) -> list[Line]:
        """The least surprising lines, in rising order; `mean` is the whole text's surprisal."""
        return self._first(self._least, 1, mean)

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

    def _first(self, kept: dict[int, list[Candidate]], sign: int, mean: float) -> list[Line]:
        lines = (candidate.line for heap in kept.values() for candidate in heap)
        return heapq.nsmallest(
            self.count, lines, key=lambda line: (sign * _shrunk(line, mean), line.number)
        )


def _shrunk(line: Line, mean: float) -> float:
    """A line's bits per character together with `PRIOR` characters of mean surprisal."""
    return (line.bits + PRIOR * mean) / (line.scored + PRIOR)


def _short(line: Line) -> Line:
    """A copy of a line with `MAX_LISTED` characters of its text."""
    return replace(line, text=line.text[:MAX_LISTED], values=line.values[:MAX_LISTED])
