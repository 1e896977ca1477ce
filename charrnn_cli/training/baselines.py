"""Baselines to measure a model by: what a text costs without any network."""

from typing import Any

import numpy as np
import numpy.typing as npt

from charrnn_cli.checkpoints.records import Baselines
from charrnn_cli.text.corpus import MAX_MEASURED
from charrnn_cli.text.vocabulary import Ids

ORDER = 5
MAX_COUNTED = 1_000_000  # training characters, those nearest the held-out part: about a second
COUNTED_PER_SECOND = 400_000  # of a slow machine, to keep within a share of --minutes
MIN_COUNTED = 10_000
SHARE = 0.05  # of a time limit, at most

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def measure_baselines(
    train_ids: Ids, held_out_ids: Ids, vocabulary_size: int, minutes: float | None = None
) -> Baselines:
    """The baselines of a text; fewer characters are counted for a run limited to a few
    `minutes`."""
    most = MAX_COUNTED
    if minutes is not None:
        within = int(SHARE * 60 * minutes * COUNTED_PER_SECOND)
        most = min(most, max(MIN_COUNTED, within))
    counted = train_ids[-most:]
    measured = held_out_ids[: MAX_MEASURED + 1]
    # the first held-out character is read, not predicted, and so are those of the training before
    read = np.concatenate((counted[1 - ORDER :], measured)).astype(np.int64)
    skipped = len(read) - len(measured) + 1
    frequency = np.bincount(counted, minlength=vocabulary_size) + 1.0
    unigram = np.log(frequency.sum()) - np.log(frequency[read[skipped:]])
    chances = KneserNey(counted, vocabulary_size).chances(read)[skipped:]
    return Baselines(
        uniform=float(np.log(vocabulary_size)),
        unigram=float(unigram.mean()),
        five_gram=float(-np.log(chances).mean()),
        counted=len(counted),
    )


class KneserNey:
    """An interpolated n-gram model of characters, counted in ids (N,), N at least ORDER.

    An n-gram is named by a number, its rank among those counted of its length; its key is the
    number of all but its last character, times the size of the vocabulary, plus that character.
    """

    def __init__(self, ids: Ids, vocabulary_size: int) -> None:
        self.size = vocabulary_size
        characters = ids.astype(np.int64)
        numbers = np.zeros(len(characters), np.int64)  # of the n-gram that ends at each character
        occurrences: list[Counts] = []
        self.keys: list[Counts] = []
        firsts: list[Counts] = []
        for order in range(1, ORDER + 1):
            before = numbers[:-1] if order > 1 else numbers
            keys, first, numbers = np.unique(
                before * self.size + characters[order - 1 :], return_index=True, return_inverse=True
            )
            self.keys.append(keys)
            firsts.append(first)
            occurrences.append(numbers)
        self.levels = [
            # a shorter n-gram counts once for each character that was found before it
            _Level(
                np.bincount(occurrences[n][1:][firsts[n + 1]], minlength=len(self.keys[n]))
                if n + 1 < ORDER
                else np.bincount(numbers),
                self.keys[n] // self.size,
                len(self.keys[n - 1]) if n else 1,
            )
            for n in range(ORDER)
        ]

    def chances(self, ids: npt.NDArray[Any]) -> Floats:
        """The chance (T,) of each of ids (T,), given those before it."""
        characters = ids.astype(np.int64)
        chances = np.full(len(ids), 1 / self.size)
        context = np.zeros(len(ids), np.int64)  # the number of the n-1 characters before; -1: new
        for keys, level in zip(self.keys, self.levels, strict=True):
            wanted = np.where(context >= 0, context * self.size + characters, -1)
            found = keys.searchsorted(wanted).clip(max=len(keys) - 1)
            number = np.where(keys[found] == wanted, found, -1)
            chances = level.chances(number, context, chances)
            context = np.concatenate(([-1], number[:-1]))
        return chances


class _Level:
    """The n-grams of one length: their counts (K,) less a discount, which goes to shorter ones."""

    def __init__(self, counts: Counts, contexts: Counts, context_count: int) -> None:
        discounts = _discounts(counts)[np.minimum(counts, 3)]
        totals = np.bincount(contexts, counts, context_count)
        left = np.bincount(contexts, discounts, context_count)
        known = totals > 0
        self.own = (counts - discounts) / np.where(known, totals, 1)[contexts]
        self.passed_on = np.where(known, left / np.where(known, totals, 1), 1.0)

    def chances(self, number: Counts, context: Counts, shorter: Floats) -> Floats:
        """The chances of n-grams after their contexts; -1 stands for one never seen."""
        own = np.where(number >= 0, self.own[number], 0.0)
        passed_on = np.where(context >= 0, self.passed_on[context], 1.0)
        return own + passed_on * shorter


def _discounts(counts: Counts) -> Floats:
    """What is taken off a count of 0, 1, 2, and 3 or more. Each is above 0, so that nothing is
    impossible, and below the count."""
    of = np.bincount(np.minimum(counts, 5), minlength=6).astype(np.float64)
    if not of[1:5].all():  # too few to tell
        return np.array([0.0, 0.5, 0.5, 0.5])
    share = of[1] / (of[1] + 2 * of[2])
    taken = [n - (n + 1) * share * of[n + 1] / of[n] for n in (1, 2, 3)]
    return np.array([0.0, *(max(0.1, min(n - 0.1, d)) for n, d in enumerate(taken, 1))])
