"""Baselines to measure a model by: what a text costs without any network."""

from typing import Any

import numpy as np
import numpy.typing as npt

from charrnn_cli.checkpoints.records import AnyBaselines, Baselines
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.text.corpus import MAX_MEASURED
from charrnn_cli.text.dataset import Dataset
from charrnn_cli.text.pairs import Pairs
from charrnn_cli.text.vocabulary import Ids
from charrnn_cli.training.pair_runs import baselines_of_pairs

ORDER = 5  # characters in the longest n-gram
MAX_COUNTED = 1_000_000  # at most this many training characters are counted: about a second
MIN_COUNTED = 10_000  # at least this many are counted, however short the time
COUNTED_PER_SECOND = 400_000  # characters that a slow machine counts per second
SHARE = 0.05  # counting takes at most this share of a time limit

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def baselines_of(dataset: Dataset, config: TrainConfig) -> AnyBaselines:
    """The baselines for a run on a text, or on pairs."""
    if isinstance(dataset, Pairs):
        return baselines_of_pairs(dataset, config)
    train_part, held_out_part = dataset.split(config.val_fraction)
    size = len(dataset.vocabulary)
    return measure_baselines(train_part.ids, held_out_part.ids, size, config.minutes)


def measure_baselines(
    train_ids: Ids, held_out_ids: Ids, vocabulary_size: int, minutes: float | None = None
) -> Baselines:
    """The baselines of the held-out ids, counted on the training ids nearest to them; on fewer of
    them for a run that is limited to a few `minutes`."""
    most = MAX_COUNTED
    if minutes is not None:
        within = int(SHARE * 60 * minutes * COUNTED_PER_SECOND)
        most = min(most, max(MIN_COUNTED, within))
    counted = train_ids[-most:]
    measured = held_out_ids[: MAX_MEASURED + 1]
    # The first held-out character and the training characters before it are context only.
    read = np.concatenate((counted[1 - ORDER :], measured)).astype(np.int64)
    skipped = len(read) - len(measured) + 1
    frequency = np.bincount(counted, minlength=vocabulary_size) + 1.0
    unigram = np.log(frequency.sum()) - np.log(frequency[read[skipped:]])
    probabilities = KneserNey(counted, vocabulary_size).probabilities(read)[skipped:]
    return Baselines(
        uniform=float(np.log(vocabulary_size)),
        unigram=float(unigram.mean()),
        five_gram=float(-np.log(probabilities).mean()),
        counted=len(counted),
    )


class KneserNey:
    """An interpolated n-gram model of characters with modified Kneser-Ney smoothing (Chen and
    Goodman 1999), counted in ids (N,), N at least ORDER.

    An n-gram has a number, its rank among the counted n-grams of its length. Its key is the number
    of all but its last character, times the size of the vocabulary, plus that character.
    """

    def __init__(self, ids: Ids, vocabulary_size: int) -> None:
        self.size = vocabulary_size
        characters = ids.astype(np.int64)
        numbers = np.zeros(len(characters), np.int64)  # of the n-grams that end at each character
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
            # A shorter n-gram counts once for each different character found before it.
            _Level(
                np.bincount(occurrences[n][1:][firsts[n + 1]], minlength=len(self.keys[n]))
                if n + 1 < ORDER
                else np.bincount(numbers),
                self.keys[n] // self.size,
                len(self.keys[n - 1]) if n else 1,
            )
            for n in range(ORDER)
        ]

    def probabilities(self, ids: npt.NDArray[Any]) -> Floats:
        """The probability (T,) of each of ids (T,), given those before it."""
        characters = ids.astype(np.int64)
        probabilities = np.full(len(ids), 1 / self.size)
        context = np.zeros(len(ids), np.int64)  # number of the n-1 characters before; -1: unseen
        for keys, level in zip(self.keys, self.levels, strict=True):
            wanted = np.where(context >= 0, context * self.size + characters, -1)
            found = keys.searchsorted(wanted).clip(max=len(keys) - 1)
            number = np.where(keys[found] == wanted, found, -1)
            probabilities = level.probabilities(number, context, probabilities)
            context = np.concatenate(([-1], number[:-1]))
        return probabilities


class _Level:
    """The n-grams of one length: from each count (K,) a discount is taken for the shorter ones."""

    def __init__(self, counts: Counts, contexts: Counts, context_count: int) -> None:
        discounts = _discounts(counts)[np.minimum(counts, 3)]
        totals = np.bincount(contexts, counts, context_count)
        discounted = np.bincount(contexts, discounts, context_count)
        known = totals > 0
        self.own = (counts - discounts) / np.where(known, totals, 1)[contexts]
        self.backoff = np.where(known, discounted / np.where(known, totals, 1), 1.0)

    def probabilities(self, number: Counts, context: Counts, shorter: Floats) -> Floats:
        """The probabilities of n-grams after their contexts; -1 stands for one never seen."""
        own = np.where(number >= 0, self.own[number], 0.0)
        backoff = np.where(context >= 0, self.backoff[context], 1.0)
        return own + backoff * shorter


def _discounts(counts: Counts) -> Floats:
    """What is subtracted from a count of 0, 1, 2, and 3 or more. Each is above 0, so that no
    character is impossible, and below the count."""
    of = np.bincount(np.minimum(counts, 5), minlength=6).astype(np.float64)
    if not of[1:5].all():  # too few n-grams to estimate them
        return np.array([0.0, 0.5, 0.5, 0.5])
    share = of[1] / (of[1] + 2 * of[2])
    discounts = [n - (n + 1) * share * of[n + 1] / of[n] for n in (1, 2, 3)]
    return np.array([0.0, *(max(0.1, min(n - 0.1, d)) for n, d in enumerate(discounts, 1))])
