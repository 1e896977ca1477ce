"""Many short sequences of ids in one array."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from charrnn_cli.text.vocabulary import Ids

Rows = npt.NDArray[np.integer[Any]]
Counts = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

AT_ONCE = 1 << 12  # Sequences are hashed so many at a time: it takes some scratch memory for each.


@dataclass(frozen=True)
class Ragged:
    """Sequences of ids: number i is `ids[offsets[i] : offsets[i + 1]]`, with N + 1 offsets."""

    ids: Ids
    offsets: Rows

    @classmethod
    def of(cls, ids: Ids, *lengths: Rows) -> "Ragged":
        """Sequences one after another in `ids`; their lengths are all of `lengths`, in that
        order."""
        small = len(ids) < 1 << 32
        count = sum(map(len, lengths))
        offsets: Rows = np.zeros(count + 1, np.uint32 if small else np.int64)
        begin = 0
        for some in lengths:
            part = offsets[begin : begin + len(some) + 1]  # the first is known
            part[1:] = some
            np.cumsum(part, dtype=part.dtype, out=part)
            begin += len(some)
        return cls(ids, offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Ids:
        return self.ids[int(self.offsets[row]) : int(self.offsets[row + 1])]

    def lengths(self, rows: Rows) -> Counts:
        """The lengths (R,) of some sequences, by their numbers (R,)."""
        return self.offsets[rows + 1].astype(np.int64) - self.offsets[rows]

    def padded(self, rows: Rows, length: int, fill: int) -> Counts:
        """Some sequences as the columns of an array (length, R), `fill` after their ends."""
        places = np.arange(length)[:, None]
        inside = places < self.lengths(rows)
        flat = np.where(inside, self.offsets[rows].astype(np.int64) + places, 0)
        padded: Counts = np.where(inside, self.ids[flat].astype(np.int64), fill)
        return padded

    def hashes(self, rows: Rows, values: Hashes) -> Hashes:
        """A 64-bit hash (R,) of each of some sequences that are not empty. Id i counts as
        `values[i]`, so that hashes do not depend on the numbering of symbols."""
        found = np.empty(len(rows), np.uint64)
        for begin in range(0, len(rows), AT_ONCE):
            some = rows[begin : begin + AT_ONCE]
            lengths = self.lengths(some)
            starts = np.cumsum(lengths) - lengths
            places = np.arange(lengths.sum()) - np.repeat(starts, lengths)
            ids = self.ids[np.repeat(self.offsets[some].astype(np.int64), lengths) + places]
            terms = mixed(values[ids] + places.astype(np.uint64) * _ODD)
            found[begin : begin + AT_ONCE] = np.add.reduceat(terms, starts)
        return mixed(found)


_ODD = np.uint64(0x9E3779B97F4A7C15)


def mixed(values: Hashes) -> Hashes:
    """Numbers (N,) mixed into numbers that look random, one to one (splitmix64; Steele et al.
    2014)."""
    values = values + _ODD
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: Hashes = values ^ (values >> np.uint64(31))
    return result
