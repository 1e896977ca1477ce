"""The vocabulary: which characters a model knows, and the integer of each."""

import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.unsignedinteger]
# With --min-count, all rare characters of a text are replaced by this one.
REPLACEMENT = "\ufffd"


class Vocabulary:
    """A one-to-one map between characters and the integers 0 … V-1, sorted by code point.

    Raises ValueError unless the code points are integers, strictly rising, and characters.
    """

    def __init__(self, code_points: Sequence[int] | npt.NDArray[np.integer]) -> None:
        if not isinstance(code_points, np.ndarray) and any(type(p) is not int for p in code_points):
            # checked before NumPy sees them: an array of long strings could be huge
            raise ValueError("a vocabulary's code points must be integers")
        points = np.asarray(code_points)
        if points.dtype.kind not in "iu":  # a cast would accept "97" and 97.5 as well
            raise ValueError("a vocabulary's code points must be integers")
        points = points.astype(np.int64)
        if points.ndim != 1 or not len(points) or (np.diff(points) <= 0).any():
            raise ValueError("a vocabulary's code points must be strictly rising")
        if points[0] < 0 or points[-1] > 0x10FFFF:
            raise ValueError("a code point lies outside Unicode")
        if ((points >= 0xD800) & (points <= 0xDFFF)).any():
            raise ValueError("a surrogate is not a character")
        self.code_points = points
        self.characters = "".join(map(chr, points.tolist()))
        self.dtype = id_type(len(points))
        self._table = np.full(int(points[-1]) + 2, -1, dtype=np.int32)
        self._table[points] = np.arange(len(points))

    @classmethod
    def of(cls, text: str) -> "Vocabulary":
        """The vocabulary of a text: its distinct characters."""
        return cls(sorted(map(ord, set(text))))

    def __len__(self) -> int:
        return len(self.code_points)

    def __contains__(self, character: str) -> bool:
        return self.id_of(character) is not None

    def id_of(self, character: str) -> int | None:
        """The integer of one character, or None if it is unknown."""
        index = int(self._table[min(ord(character), len(self._table) - 1)])
        return index if index >= 0 else None

    @property
    def line_start(self) -> int:
        """The id to start from without a prompt: that of a newline, else of a space, else 0."""
        starts = [self.id_of(character) for character in "\n "]
        return next((index for index in starts if index is not None), 0)

    def encode(self, text: str) -> Ids:
        """The ids (T,) of a text's characters. Raises KeyError naming the first unknown one."""
        ids = self.look_up(text)
        if (ids < 0).any():
            raise KeyError(text[int(np.argmax(ids < 0))])
        encoded: Ids = ids.astype(self.dtype)
        return encoded

    def look_up(self, text: str) -> npt.NDArray[np.int32]:
        """The ids (T,) of a text's characters, -1 for each unknown one."""
        points = code_points(text)
        ids: npt.NDArray[np.int32] = self._table[np.minimum(points, len(self._table) - 1)]
        return ids

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> str:
        """The text of ids (T,); the inverse of `encode`."""
        points = self.code_points[np.asarray(ids, dtype=np.int64)].astype("<u4")
        return points.tobytes().decode("utf-32-le")

    def unknown(self, text: str) -> list[str]:
        """The distinct characters of `text` that are not in the vocabulary, in their order."""
        return [character for character in dict.fromkeys(text) if character not in self]

    def nearest(self, character: str) -> str | None:
        """A known character to suggest for an unknown one: other case, no accent or a plain quote.

        None if there is none.
        """
        plain = _PLAIN.get(character, character)
        base = unicodedata.normalize("NFKD", plain)[:1]
        for candidate in (plain, plain.swapcase(), base, base.swapcase()):
            if len(candidate) == 1 and candidate in self:
                return candidate
        return None


def id_type(size: int) -> np.dtype[np.unsignedinteger]:
    """The smallest integer type for the ids of a vocabulary of `size` characters."""
    return np.dtype(np.uint8 if size <= 1 << 8 else np.uint16 if size <= 1 << 16 else np.uint32)


def code_points(text: str) -> npt.NDArray[np.int32]:
    """The code points (T,) of a text's characters."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<i4")


# typographic signs whose plain form Unicode's own decompositions do not give
_PLAIN = dict(zip("‘’‚‛“”„«»`´‐‑‒–—−\t\r\u00a0", "''''\"\"\"\"\"''------ \n ", strict=True))


_NAMES = {"\n": "newline", "\t": "tab", "\r": "carriage return"}


def describe(character: str) -> str:
    """One character in printable form with its code point, such as `'é' (U+00E9)`."""
    shown = repr(character) if character.isprintable() else _NAMES.get(character, "unprintable")
    return f"{shown} (U+{ord(character):04X})"
