"""Turning a text into ids while it is read, before its vocabulary is known."""

import mmap

import numpy as np
import numpy.typing as npt

from charrnn_cli.text.vocabulary import Ids, Vocabulary, code_points, id_type

CHUNK = 1 << 16  # Ids are looked up so many at a time: NumPy needs eight bytes of scratch for each.
CODE_POINTS = 0x110000  # Unicode's code points are the numbers below this.
BLOCK = 1 << 20  # Ids are stored in blocks of at least so many characters.


class Indexer:
    """Collects a text piece by piece, and then returns its vocabulary and its ids.

    While the text is read, characters are numbered in the order in which they first occur. Peak
    memory is one copy of the text and one block: one byte a character, or two if the text has more
    than 256 distinct characters.
    """

    def __init__(self, points: int = CODE_POINTS) -> None:
        self.distinct = 0  # number of distinct characters so far
        self._numbers = np.zeros(points, np.int32)  # by code point, from 1; 0: not seen
        self._blocks: list[Ids] = []  # provisional ids; the last block is being filled
        self._filled = 0

    def __len__(self) -> int:
        return sum(map(len, self._blocks[:-1])) + self._filled

    def add(self, text: str) -> None:
        """Append the next piece of the text: at least one character, and fewer than `BLOCK`."""
        self.add_points(code_points(text))

    def add_points(self, points: npt.NDArray[np.integer]) -> None:
        """Append code points (N,), N at least 1. Symbols that are no characters may have numbers
        from `CODE_POINTS` on."""
        # clip: checking for indices out of range would take half the time
        numbers = self._numbers.take(points, mode="clip")
        if not numbers.min():
            new = np.unique(points[numbers == 0])
            self._numbers[new] = self.distinct + 1 + np.arange(len(new))
            self.distinct += len(new)
            numbers = self._numbers.take(points, mode="clip")
        end = self._filled + len(numbers)
        kind = id_type(self.distinct)
        if not self._blocks or end > len(self._blocks[-1]) or kind != self._blocks[-1].dtype:
            self._end_block()
            self._blocks.append(_new_block(kind, len(numbers)))
            end = len(numbers)
        self._blocks[-1][self._filled : end] = numbers - 1
        self._filled = end

    def finish(self) -> tuple[Vocabulary, Ids]:
        """Return the vocabulary and the ids (N,) of the whole text, and release the blocks.

        Nothing can be added afterwards.
        """
        points, ids = self.finish_points()
        return Vocabulary(points), ids

    def finish_points(self) -> tuple[npt.NDArray[np.int64], Ids]:
        """Return the distinct code points (V,), rising, and the ids (N,), which index them; release
        the blocks. Nothing can be added afterwards."""
        seen = np.flatnonzero(self._numbers)
        kind = id_type(len(seen))
        table = np.empty(self.distinct, kind)
        table[self._numbers[seen] - 1] = np.arange(self.distinct)
        total = len(self)
        self._end_block()
        if len(self._blocks) == 1:
            return seen, recoded(self._blocks.pop(), table)
        ids = np.empty(total, kind)
        start = 0
        self._blocks.reverse()
        while self._blocks:
            block = self._blocks.pop()  # frees its memory for the ids that follow
            ids[start : start + len(block)] = recoded(block, table)
            start += len(block)
        return seen, ids

    def _end_block(self) -> None:
        if self._blocks:
            self._blocks[-1] = self._blocks[-1][: self._filled]
        self._filled = 0


def _new_block(kind: np.dtype[np.unsignedinteger], least: int) -> Ids:
    # mmap returns the memory to the system when the block is freed; malloc may keep it
    return np.frombuffer(mmap.mmap(-1, max(BLOCK, least) * kind.itemsize), kind)


def recoded(ids: Ids, table: Ids) -> Ids:
    """`table[ids]` for ids (N,), computed in place.

    The ids are overwritten, unless the new ids need more bytes each than the old ones.
    """
    fits = table.itemsize <= ids.itemsize
    result = ids.view(table.dtype)[: len(ids)] if fits else np.empty(len(ids), table.dtype)
    for start in range(0, len(ids), CHUNK):
        part = slice(start, start + CHUNK)
        result[part] = table.take(ids[part], mode="clip")
    return result
