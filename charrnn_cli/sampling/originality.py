"""How much of a written text is new, and what was copied from the text that was learned."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from charrnn_cli.text.corpus import Corpus

GRAM = 8  # characters: about a word and a half, long enough to be rarely a chance match
CHUNK = 1 << 16  # characters hashed at a time: what fits the processor's cache
FILTER_BITS = 20

Hashes = npt.NDArray[np.uint64]
_BASE = 0x9E3779B97F4A7C15  # odd: multiplying by it loses nothing modulo 2^64


@dataclass(frozen=True)
class Originality:
    """`longest`: the longest run of characters that stands in the learned text as it is, '' if it
    is under GRAM. `new`: the share of the GRAM-character sequences written that do not stand there,
    None if too little was written."""

    longest: str
    new: float | None


class _Sequences:
    """All sequences of one length in some texts, as hashes, to be looked for in the corpus."""

    def __init__(self, texts: Sequence[Hashes], length: int) -> None:
        self.length = length
        self.of_text = [_hashes(ids, length) for ids in texts]
        self.known = np.unique(np.concatenate(self.of_text))
        self.found = np.zeros(len(self.known), dtype=bool)
        self.likely = np.zeros(1 << FILTER_BITS, dtype=bool)  # spares most of the corpus a search
        self.likely[_slots(self.known)] = True
        self.of_slot = np.zeros(1 << FILTER_BITS, dtype=np.int32)
        self.of_slot[_slots(self.known)] = np.arange(len(self.known))

    def look(self, hashes: Hashes) -> bool:
        """Mark those that are among `hashes`, of the corpus; whether there were any."""
        slots = _slots(hashes)
        candidates = np.flatnonzero(self.likely[slots])
        hashes = hashes[candidates]
        which = self.of_slot[slots[candidates]]
        right = self.known[which] == hashes
        self.found[which[right]] = True
        # a slot that several share names but one of them: the others are searched for
        missed = hashes[~right]
        which = self.known.searchsorted(missed).clip(0, len(self.known) - 1)
        also = self.known[which] == missed
        self.found[which[also]] = True
        return bool(right.any() or also.any())

    def first_found(self, texts: Sequence[str]) -> str:
        """The first of the found ones, as it is written."""
        for text, hashes in zip(texts, self.of_text, strict=True):
            places = np.flatnonzero(np.isin(hashes, self.known[self.found]))
            if len(places):
                return text[places[0] : places[0] + self.length]
        return ""


def compare(written: Sequence[str], corpus: Corpus) -> Originality:
    """Compare texts written with the text learned; some seconds per 100 million characters, and
    little memory, whatever is in it.

    Sequences are compared by 64-bit hashes: two different ones of ordinary text are taken for equal
    once in 10^12.
    """
    texts = [_ids(text, corpus) for text in written]
    most = max(map(len, texts), default=0)
    if most < GRAM:
        return Originality("", None)
    # doubling the length as long as there is a match, then halving the gap
    level = shortest = _Sequences(texts, GRAM)
    chunks = _chunks_with(shortest, corpus, range(0, len(corpus.ids), CHUNK))
    new = float(1 - np.isin(np.concatenate(level.of_text), level.known[level.found]).mean())
    if not chunks:
        return Originality("", new)
    too_long = most + 1
    while 2 * level.length < too_long:
        longer = _Sequences(texts, 2 * level.length)
        if found := _chunks_with(longer, corpus, chunks):
            level, chunks = longer, found
        else:
            too_long = longer.length
    while too_long - level.length > 1:
        middle = _Sequences(texts, (level.length + too_long) // 2)
        if found := _chunks_with(middle, corpus, chunks):
            level, chunks = middle, found
        else:
            too_long = middle.length
    return Originality(level.first_found(written), new)


def _chunks_with(wanted: _Sequences, corpus: Corpus, chunks: Iterable[int]) -> list[int]:
    """Those of the chunks, by their starts, in which a wanted sequence begins."""
    found = []
    for start in chunks:
        ids = corpus.ids[start : start + CHUNK + wanted.length - 1].astype(np.uint64)
        if wanted.look(_hashes(ids, wanted.length)):
            found.append(start)
    return found


def _ids(text: str, corpus: Corpus) -> Hashes:
    """The corpus's ids of a text; a character that it lacks gets one that nothing there has."""
    ids = [corpus.vocabulary.id_of(character) for character in text]
    return np.array([len(corpus.vocabulary) if i is None else i for i in ids], dtype=np.uint64)


def _hashes(ids: Hashes, length: int) -> Hashes:
    """A hash of every `length` ids in a row (Karp and Rabin 1987), in log2(length) steps:
    of hashes of neighbours, that of both together is first * base^width + second."""
    count = max(0, len(ids) - length + 1)
    block, width = ids + np.uint64(1), 1
    hashes, done = np.zeros(count, np.uint64), 0
    while count and length > done:
        if (length >> (width.bit_length() - 1)) & 1:
            factor = np.uint64(pow(_BASE, width, 1 << 64))
            hashes = hashes * factor + block[done : done + count]
            done += width
        if done < length:
            factor = np.uint64(pow(_BASE, width, 1 << 64))
            block = block[:-width] * factor + block[width:]
            width *= 2
    return hashes


def _slots(hashes: Hashes) -> Hashes:
    return (hashes * np.uint64(_BASE)) >> np.uint64(64 - FILTER_BITS)
