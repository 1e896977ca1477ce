"""A text encoded while it is read, when nobody knows yet what characters it has."""

import numpy as np

from charrnn_cli.vocabulary import Ids, Vocabulary, code_points, id_type

CHUNK = 1 << 16  # ids handled at a time: NumPy takes eight bytes for each meanwhile


class Encoder:
    """Gathers a text, piece by piece, and in the end gives its vocabulary and its ids.

    Until then characters are numbered as they come. Of a large text there is never more than this
    one copy, of one byte a character, or of two from the 257th distinct character on.
    """

    def __init__(self) -> None:
        self.distinct = 0  # characters met so far
        self._numbers = np.full(0x110000, -1, np.int32)  # of each code point; -1: not met yet
        self._type = id_type(0)
        self._text = bytearray()  # of numbers of that type; grows without being copied

    def __len__(self) -> int:
        return len(self._text) // self._type.itemsize

    def feed(self, text: str) -> None:
        """Add the next characters."""
        points = code_points(text)
        # clip: what looks for indices out of range would take half the time
        numbers = self._numbers.take(points, mode="clip")
        if numbers.min() < 0:
            new = np.unique(points[numbers < 0])
            self._numbers[new] = np.arange(self.distinct, self.distinct + len(new))
            self.distinct += len(new)
            if id_type(self.distinct) != self._type:
                self._widen(id_type(self.distinct))
            numbers = self._numbers.take(points, mode="clip")
        self._text += numbers.astype(self._type).tobytes()

    def finish(self) -> tuple[Vocabulary, Ids]:
        """The vocabulary of all that was fed, and the ids (N,); there is no feeding afterwards."""
        met = np.flatnonzero(self._numbers >= 0)  # sorted by code point
        vocabulary = Vocabulary(met)
        ids = np.empty(self.distinct, vocabulary.dtype)
        ids[self._numbers[met]] = np.arange(self.distinct)
        return vocabulary, recoded(np.frombuffer(self._text, self._type), ids)

    def _widen(self, wider: np.dtype[np.unsignedinteger]) -> None:
        """Let each number take more bytes, in place: beside the old ones there may be no room."""
        count = len(self)
        missing = count * wider.itemsize - len(self._text)
        for start in range(0, missing, CHUNK):
            self._text += bytes(min(CHUNK, missing - start))
        old, self._type = self._type, wider
        if count:
            numbers = np.frombuffer(self._text, old, count)
            wide = np.frombuffer(self._text, wider)
            for stop in range(count, 0, -CHUNK):  # from the end: none is overwritten unread
                part = slice(max(0, stop - CHUNK), stop)
                wide[part] = numbers[part].copy()  # else NumPy could read what it just wrote


def recoded(ids: Ids, table: Ids) -> Ids:
    """`table[ids]`, for ids (N,) that nobody needs any more: it takes their place in memory, unless
    it takes more bytes than they do."""
    fits = table.itemsize <= ids.itemsize
    result = ids.view(table.dtype)[: len(ids)] if fits else np.empty(len(ids), table.dtype)
    for start in range(0, len(ids), CHUNK):
        part = slice(start, start + CHUNK)
        result[part] = table.take(ids[part], mode="clip")
    return result
