"""The symbols of one side of pairs: characters, features, and the end."""

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charrnn_cli.text.ragged import Hashes, mixed
from charrnn_cli.text.vocabulary import REPLACEMENT, Ids, Vocabulary, describe, id_type


class SymbolVocabulary:
    """A one-to-one map between symbols and the integers 0 … V-1.

    The `characters` come first, then the `features`, which are symbols of one or more characters
    each, such as `PL`; the last integer is `end`, which ends every line. Raises ValueError unless
    the features are distinct texts.
    """

    def __init__(self, characters: Vocabulary, features: Sequence[str] = ()) -> None:
        if any(type(feature) is not str or not feature for feature in features):
            raise ValueError("a feature must be a text")
        if len(set(features)) < len(features):
            raise ValueError("a feature occurs twice")
        self.characters, self.features = characters, tuple(features)
        self.end = len(characters) + len(features)
        self.dtype = id_type(len(self))
        self._feature_ids = {f: len(characters) + i for i, f in enumerate(self.features)}

    def __len__(self) -> int:
        return self.end + 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SymbolVocabulary) and self.symbols == other.symbols

    def __hash__(self) -> int:
        return hash((self.characters.characters, self.features))

    @property
    def symbols(self) -> tuple[str, ...]:
        """Each symbol as text, in the order of its integer; that of the end is empty."""
        return (*self.characters.characters, *self.features, "")

    def id_of_feature(self, feature: str) -> int | None:
        """The integer of a feature, or None if it is unknown."""
        return self._feature_ids.get(feature)

    def encode(self, text: str, features: Sequence[str] = ()) -> Ids:
        """The ids (T,) of features and of the characters after them, without the end.

        Raises KeyError naming the first unknown symbol.
        """
        before = [self._feature_ids[feature] for feature in features]
        ids: Ids = np.concatenate([before, self.characters.encode(text)]).astype(self.dtype)
        return ids

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> str:
        """The characters of ids (T,) up to the first end; features are left out."""
        known = np.asarray(ids, dtype=np.int64)
        ends = np.flatnonzero(known == self.end)
        known = known[: ends[0]] if len(ends) else known
        return self.characters.decode(known[known < len(self.characters)])

    def features_of(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> tuple[str, ...]:
        """The features in ids (T,), in their order."""
        first = len(self.characters)
        return tuple(self.features[i - first] for i in ids if first <= i < self.end)

    def hash_values(self) -> Hashes:
        """A number (V,) for each symbol, which does not depend on the other symbols."""
        features = [(1 << 32) + zlib.crc32(feature.encode()) for feature in self.features]
        points = [*self.characters.code_points.tolist(), *features, 1 << 40]
        return mixed(np.array(points, np.uint64))

    def table(self, other: "SymbolVocabulary", fold: bool) -> Ids | None:
        """The id (V,) in another vocabulary of each symbol; None if one has none there.

        With `fold`, unknown symbols become U+FFFD, if that is in the other vocabulary.
        """
        ids = [other.characters.id_of(character) for character in self.characters.characters]
        ids += [other.id_of_feature(feature) for feature in self.features]
        replacement = other.characters.id_of(REPLACEMENT) if fold else None
        known = [replacement if index is None else index for index in (*ids, other.end)]
        return None if None in known else np.array(known, dtype=other.dtype)

    def shared(self, other: "SymbolVocabulary") -> tuple[Ids, Ids]:
        """The ids (K,) here and in another vocabulary of the symbols that both have."""
        ours = [*map(self.characters.id_of, self.characters.characters)]
        theirs = [*map(other.characters.id_of, self.characters.characters)]
        ours += [*map(self.id_of_feature, self.features), self.end]
        theirs += [*map(other.id_of_feature, self.features), other.end]
        both = [
            (a, b) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None
        ]
        own, others = zip(*both, strict=True)
        return np.array(own, self.dtype), np.array(others, other.dtype)

    def lacking_in(self, other: "SymbolVocabulary") -> str:
        """The symbols that another vocabulary lacks, in words."""
        lacking = list(map(describe, other.characters.unknown(self.characters.characters)))
        lacking += [f"the feature {f!r}" for f in self.features if other.id_of_feature(f) is None]
        more = f" and {len(lacking) - 5:,} more" if len(lacking) > 5 else ""
        return ", ".join(lacking[:5]) + more
