"""What a text costs under a model: in all, and line by line."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn_cli.scoring.surprisal import Bits, Meter
from charrnn_cli.text.vocabulary import REPLACEMENT, Vocabulary

ESCAPE_BITS = 10.0  # what it costs to say that a character is unknown: one in 1,024 is taken to be
CODE_POINTS = 0x110000 - 0x800  # all that a text can hold: Unicode without its surrogates
KEPT = 10_000  # characters of a line that are kept to be shown

Known = npt.NDArray[np.bool_]

NO_CHARACTER = -1  # read in place of an unknown character that no known one resembles


def unknown_cost(vocabulary: Vocabulary) -> float:
    """Bits that a character outside the vocabulary costs: those of an escape, and then of any code
    point there is, one as likely as the other."""
    return ESCAPE_BITS + math.log2(CODE_POINTS - len(vocabulary))


class Scored(NamedTuple):
    """A block of text with the bits (N,) of its characters, NaN for the one that costs nothing, and
    which of them (N,) the model knows."""

    text: str
    bits: Bits
    known: Known


class Scorer:
    """Scores a text that comes in blocks, and adds up.

    A known character costs what the model gave for it after all before it. An unknown one costs
    `unknown_cost`; in its place the model reads the nearest known character, as `e` for `é`, or
    else goes on as if it were not there. A model that `folds` reads U+FFFD for every unknown one,
    as in its training, and `unknown_cost` is None: each costs what the model gave for U+FFFD. The
    first character that the model reads has nothing before it, and costs nothing.
    """

    def __init__(self, vocabulary: Vocabulary, meter: Meter, folds: bool = False) -> None:
        self.vocabulary, self.meter = vocabulary, meter
        self.unknown_cost = None if folds else unknown_cost(vocabulary)
        self.characters = 0
        self.scored = 0  # those that cost something
        self.known_scored = 0
        self.known_bits = 0.0
        self.unknown_bits = 0.0  # what the unknown characters cost in all
        self.unknown: Counter[str] = Counter()
        self._nearest: dict[str, int] = {}

    def feed(self, text: str) -> "Scored":
        """Score the text's next characters."""
        ids = self.vocabulary.look_up(text).astype(np.int64)
        known = ids >= 0
        for place in np.flatnonzero(~known).tolist():
            self.unknown[text[place]] += 1
            ids[place] = self._stand_in(text[place])
        read = ids != NO_CHARACTER
        bits = np.full(len(ids), np.nan)
        bits[read] = self.meter.bits(ids[read])
        if self.unknown_cost is not None:
            bits[~known] = self.unknown_cost
        self.characters += len(ids)
        charged = ~np.isnan(bits)
        self.scored += int(np.count_nonzero(charged))
        self.known_scored += int(np.count_nonzero(charged & known))
        self.known_bits += float(bits[charged & known].sum())
        self.unknown_bits += float(bits[charged & ~known].sum())
        return Scored(text, bits, known)

    @property
    def unknown_count(self) -> int:
        """How many characters were unknown."""
        return self.unknown.total()

    @property
    def folded_count(self) -> int:
        """How many of them cost no more than the U+FFFD that stands for all."""
        return self.unknown_count if self.unknown_cost is None else 0

    @property
    def bits(self) -> float:
        """What the text costs in all."""
        return self.known_bits + self.unknown_bits

    @property
    def bits_per_char(self) -> float | None:
        """The mean over the characters that cost something, None if there are none."""
        return self.bits / self.scored if self.scored else None

    @property
    def loss(self) -> float | None:
        """The same mean in nats, as a training's held-out loss is."""
        return None if self.bits_per_char is None else self.bits_per_char * math.log(2)

    @property
    def perplexity(self) -> float | None:
        """Of how many equally likely characters the model is in doubt, in the mean."""
        return None if self.bits_per_char is None else 2.0**self.bits_per_char

    @property
    def known_bits_per_char(self) -> float | None:
        """The mean over the known ones alone."""
        return self.known_bits / self.known_scored if self.known_scored else None

    def _stand_in(self, character: str) -> int:
        """The id that is read for an unknown character."""
        if character not in self._nearest:
            folds = self.unknown_cost is None
            nearest = REPLACEMENT if folds else self.vocabulary.nearest(character)
            index = None if nearest is None else self.vocabulary.id_of(nearest)
            self._nearest[character] = NO_CHARACTER if index is None else index
        return self._nearest[character]


@dataclass
class Line:
    """One line, its newline included in the figures. `values` are the bits of its characters.

    `text` and `values` hold its first `KEPT` characters; `scored` are those that cost something.
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
        """The mean over what cost something, None if nothing did."""
        return self.bits / self.scored if self.scored else None

    def add(self, text: str, bits: Bits, known: Known) -> None:
        """Add the next characters."""
        room = KEPT - len(self.text)
        self.text += text[:room]
        self.values += bits[:room].tolist()
        charged = bits[~np.isnan(bits)]
        self.characters += len(text)
        self.scored += len(charged)
        self.unknown += len(text) - int(np.count_nonzero(known))
        self.bits += float(charged.sum())


class Lines:
    """Puts scored blocks together into lines. Only a newline ends one, as for `wc` and `sed`."""

    def __init__(self) -> None:
        self.count = 0
        self._open: Line | None = None

    def feed(self, block: Scored) -> Iterator[Line]:
        """The lines that this block ends."""
        text, bits, known = block
        start = 0
        while start < len(text):
            end = text.find("\n", start) + 1 or len(text)
            if self._open is None:
                self.count += 1
                self._open = Line(self.count)
            self._open.add(text[start:end], bits[start:end], known[start:end])
            if text[end - 1] == "\n":
                yield from self.end()
            start = end

    def end(self) -> Iterator[Line]:
        """The line that is still open, if there is one."""
        if self._open is not None:
            ended, self._open = self._open, None
            yield ended
