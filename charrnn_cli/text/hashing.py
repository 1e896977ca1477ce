"""Hashes of sequences of ids, to find equal ones in a large text."""

import numpy as np
import numpy.typing as npt

from charrnn_cli.text.vocabulary import Ids

Hashes = npt.NDArray[np.uint64]
BASE = 0x9E3779B97F4A7C15  # odd, so that multiplying by it modulo 2^64 is one-to-one
FILTER_BITS = 20  # The table that finds a hash quickly has 2^20 slots.
CHUNK = 1 << 20  # Spans are hashed so many characters at a time: NumPy needs scratch for each.


def hashes_of_spans(ids: Ids, first: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> Hashes:
    """The hash (D,) of each span of a text, which holds the ids from `first` up to `end` (D,), at
    least one: a polynomial modulo 2^64 (Karp and Rabin 1987)."""
    sizes = end - first
    powers = np.full(int(sizes.max()), BASE, np.uint64)
    powers[0] = 1
    np.multiply.accumulate(powers, out=powers)
    hashes = np.empty(len(sizes), np.uint64)
    total = np.cumsum(sizes)
    begin = 0
    while begin < len(sizes):
        done = total[begin] - sizes[begin]
        after = max(begin + 1, int(np.searchsorted(total, done + CHUNK)))
        some = sizes[begin:after]
        starts = np.cumsum(some) - some
        place = np.arange(int(some.sum())) - np.repeat(starts, some)
        values = ids[np.repeat(first[begin:after], some) + place].astype(np.uint64) + np.uint64(1)
        hashes[begin:after] = np.add.reduceat(values * powers[place], starts)
        begin = after
    return hashes


def scrambled(hashes: Hashes) -> Hashes:
    """The hashes mixed once more (the finalizer of SplitMix64, Steele et al. 2014), so that their
    order says nothing about the text."""
    mixed = hashes ^ (hashes >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def hashes_of_windows(ids: Hashes, length: int) -> Hashes:
    """The hash of every sequence of `length` ids (Karp and Rabin 1987), in log2(length) steps.

    The hash of two neighbouring sequences together is first * base^width + second, where `width` is
    the length of the second.
    """
    count = max(0, len(ids) - length + 1)
    block, width = ids + np.uint64(1), 1
    hashes, done = np.zeros(count, np.uint64), 0
    while count and length > done:
        if (length >> (width.bit_length() - 1)) & 1:
            factor = np.uint64(pow(BASE, width, 1 << 64))
            hashes = hashes * factor + block[done : done + count]
            done += width
        if done < length:
            factor = np.uint64(pow(BASE, width, 1 << 64))
            block = block[:-width] * factor + block[width:]
            width *= 2
    return hashes


class HashSearch:
    """A search for hashes of sequences among many others, which come in parts.

    `hashes` (H,) are the distinct ones that are looked for, and `found` (H,) those seen so far. A
    table indexed by some bits of a hash finds most without a binary search.
    """

    def __init__(self, wanted: Hashes) -> None:
        self.hashes = np.unique(wanted)
        self.found = np.zeros(len(self.hashes), dtype=bool)
        self._slot_is_used = np.zeros(1 << FILTER_BITS, dtype=bool)
        self._slot_is_used[_slots(self.hashes)] = True
        self._index_in_slot = np.zeros(1 << FILTER_BITS, dtype=np.int32)
        self._index_in_slot[_slots(self.hashes)] = np.arange(len(self.hashes))

    def mark_found(self, others: Hashes) -> bool:
        """Mark what is among these hashes as found; return whether anything is."""
        slots = _slots(others)
        candidates = np.flatnonzero(self._slot_is_used[slots])
        others = others[candidates]
        index = self._index_in_slot[slots[candidates]]
        equal = self.hashes[index] == others
        self.found[index[equal]] = True
        # a slot holds one of the hashes that share it: look for the others by binary search
        rest = others[~equal]
        index = self.hashes.searchsorted(rest).clip(0, len(self.hashes) - 1)
        also_equal = self.hashes[index] == rest
        self.found[index[also_equal]] = True
        return bool(equal.any() or also_equal.any())

    def were_found(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Which of some hashes (N,) are among those found."""
        return np.isin(hashes, self.hashes[self.found])


def _slots(hashes: Hashes) -> Hashes:
    return (hashes * np.uint64(BASE)) >> np.uint64(64 - FILTER_BITS)
