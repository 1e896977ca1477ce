"""A text encoded while it is read, when nobody knows yet what characters it has."""

import mmap

import numpy as np

from charrnn_cli.text.vocabulary import Ids, Vocabulary, code_points, id_type

CHUNK = 1 << 16  # ids looked up at a time: NumPy takes eight bytes for each meanwhile
BLOCK = 1 << 20  # characters gathered in one piece


class Encoder:
    """Gathers a text, piece by piece, and in the end gives its vocabulary and its ids.

    Until then characters are numbered as they come. There is never more than a block beside one
    copy of the text, which takes one byte a character, or two if more than 256 are distinct.
    """

    def __init__(self) -> None:
        self.distinct = 0  # characters met so far
        self._numbers = np.zeros(0x110000, np.int32)  # of each code point, from 1; 0: not met
        self._blocks: list[Ids] = []  # of numbers; the last one is being filled
        self._filled = 0

    def __len__(self) -> int:
        return sum(map(len, self._blocks[:-1])) + self._filled

    def feed(self, text: str) -> None:
        """Add the next characters, which are few beside a block; at least one."""
        points = code_points(text)
        # clip: looking for indices out of range would take half the time
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
        """The vocabulary and the ids (N,) of all that was fed; there is no feeding afterwards."""
        met = np.flatnonzero(self._numbers)  # sorted by code point
        vocabulary = Vocabulary(met)
        table = np.empty(self.distinct, vocabulary.dtype)
        table[self._numbers[met] - 1] = np.arange(self.distinct)
        total = len(self)
        self._end_block()
        if len(self._blocks) == 1:
            return vocabulary, recoded(self._blocks.pop(), table)
        ids = np.empty(total, vocabulary.dtype)
        start = 0
        self._blocks.reverse()
        while self._blocks:
            block = self._blocks.pop()  # its memory is free for the ids to come
            ids[start : start + len(block)] = recoded(block, table)
            start += len(block)
        return vocabulary, ids

    def _end_block(self) -> None:
        if self._blocks:
            self._blocks[-1] = self._blocks[-1][: self._filled]
        self._filled = 0


def _new_block(kind: np.dtype[np.unsignedinteger], least: int) -> Ids:
    # mapped, so that its memory goes back to the system with it: malloc would not promise that
    return np.frombuffer(mmap.mmap(-1, max(BLOCK, least) * kind.itemsize), kind)


def recoded(ids: Ids, table: Ids) -> Ids:
    """`table[ids]`, for ids (N,) that nobody needs any more: it takes their place in memory, unless
    it takes more bytes than they do."""
    fits = table.itemsize <= ids.itemsize
    result = ids.view(table.dtype)[: len(ids)] if fits else np.empty(len(ids), table.dtype)
    for start in range(0, len(ids), CHUNK):
        part = slice(start, start + CHUNK)
        result[part] = table.take(ids[part], mode="clip")
    return result
