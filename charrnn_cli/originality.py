"""How much of a written text is new, and what was copied from the text that was learned."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from charrnn_cli.corpus import Corpus

GRAM = 8  # characters: about a word and a half, long enough to be rarely a chance match
CHUNK = 1 << 20  # characters hashed at a time: bounds memory, and fits the processor's cache
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


def compare(written: Sequence[str], corpus: Corpus) -> Originality:
    """Compare texts written with the text learned. Takes about a second per 100 million characters.

    Sequences are compared by 64-bit hashes: two different ones are taken for equal once in 10^12.
    """
    grams = [_hashes(_ids(text, corpus)) for text in written]
    known = np.unique(np.concatenate(grams)) if grams else np.empty(0, np.uint64)
    if not len(known):
        return Originality("", None)
    places, found = _find(known, corpus)
    seen = np.isin(np.concatenate(grams), known[np.unique(found)])
    by_gram = np.argsort(found, kind="stable")
    starts = found[by_gram].searchsorted(np.arange(len(known) + 1))
    by_gram = places[by_gram]  # the places of sequence k of `known` are starts[k] to starts[k + 1]
    longest = ""
    for text, hashes in zip(written, grams, strict=True):
        places_of = [by_gram[starts[k] : starts[k + 1]] for k in known.searchsorted(hashes)]
        longest = max(longest, _longest_run(text, places_of), key=len)
    return Originality(longest, float(1 - seen.mean()))


def _ids(text: str, corpus: Corpus) -> npt.NDArray[np.uint64]:
    """The corpus's ids of a text; a character that it lacks gets one that nothing there has."""
    ids = [corpus.vocabulary.id_of(character) for character in text]
    return np.array([len(corpus.vocabulary) if i is None else i for i in ids], dtype=np.uint64)


def _hashes(ids: npt.NDArray[np.uint64]) -> Hashes:
    """A polynomial hash of every GRAM ids in a row, built by doubling (Karp and Rabin 1987)."""
    hashes, width = ids + np.uint64(1), 1
    while width < GRAM:
        if len(hashes) <= width:
            return np.empty(0, np.uint64)
        factor = np.uint64(pow(_BASE, width, 1 << 64))
        hashes = hashes[:-width] * factor + hashes[width:]
        width *= 2
    return hashes


def _find(known: Hashes, corpus: Corpus) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where in the corpus sequences of `known` (sorted) stand, and which of them each is."""
    shift = np.uint64(64 - FILTER_BITS)
    mixer = np.uint64(_BASE)
    likely = np.zeros(1 << FILTER_BITS, dtype=bool)  # lets nearly all others go without a search
    likely[(known * mixer) >> shift] = True
    places, found = [], []
    for start in range(0, len(corpus.ids), CHUNK):
        hashes = _hashes(corpus.ids[start : start + CHUNK + GRAM - 1].astype(np.uint64))
        candidates = np.flatnonzero(likely[(hashes * mixer) >> shift])
        which = known.searchsorted(hashes[candidates]).clip(0, len(known) - 1)
        right = known[which] == hashes[candidates]
        places.append(candidates[right] + start)
        found.append(which[right])
    return np.concatenate(places), np.concatenate(found)


def _longest_run(text: str, places_of: Sequence[npt.NDArray[np.int64]]) -> str:
    """The longest stretch of `text` that stands in the corpus: sequences that follow one another
    there as they do here. `places_of[i]` is where, rising, the sequence at `text[i]` stands."""
    best, end = 0, 0
    before = np.full(1, -2)  # places of the sequence before, and how many led up to each
    lengths = np.zeros(1, np.int64)
    for index, here in enumerate(places_of):
        at = before.searchsorted(here - 1).clip(0, len(before) - 1)
        lengths = np.where(before[at] == here - 1, lengths[at] + 1, 1)
        before = here
        if not len(here):
            before, lengths = np.full(1, -2), np.zeros(1, np.int64)
        if lengths.max() > best:
            best, end = int(lengths.max()), index + GRAM
    return text[end - GRAM + 1 - best : end] if best else ""
