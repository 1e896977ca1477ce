"""Finding out whether a text writes the same accents in two ways."""

import unicodedata
from collections import Counter

import numpy as np

from charrnn_cli.text.vocabulary import Ids, Vocabulary

CHUNK = 1 << 20  # ids are searched so many at a time: bounds memory


def mixed_forms_note(ids: Ids, vocabulary: Vocabulary) -> tuple[str, ...]:
    """A note on a text, ids (N,), that has the same accents both in one code point and in two."""
    marks = [c for c in vocabulary.characters if unicodedata.combining(c)]
    composed = [
        c
        for c in vocabulary.characters
        if any(map(unicodedata.combining, unicodedata.normalize("NFD", c)[1:]))
    ]
    if not (marks and composed):
        return ()
    pairs: Counter[str] = Counter()
    mark_ids = vocabulary.encode("".join(marks))
    composed_ids = vocabulary.encode("".join(composed))
    in_one = 0
    for start in range(0, len(ids), CHUNK):
        part = ids[max(0, start - 1) : start + CHUNK]  # with the letter before the first mark
        places = np.flatnonzero(np.isin(part[1:], mark_ids)) + 1
        pairs.update(map(vocabulary.decode, np.stack([part[places - 1], part[places]], axis=1)))
        in_one += int(np.isin(ids[start : start + CHUNK], composed_ids).sum())
    in_two = {
        pair: count for pair, count in pairs.items() if len(unicodedata.normalize("NFC", pair)) == 1
    }
    if not in_two:
        return ()
    pair = max(in_two, key=in_two.__getitem__)
    return (
        f"accents are written in two ways: {in_one:,} times in one code point, as "
        f"{composed[0]!r}, and {sum(in_two.values()):,} times in two, as {pair[0]!r} and "
        f"U+{ord(pair[1]):04X}. --normalize NFC makes them one",
    )
