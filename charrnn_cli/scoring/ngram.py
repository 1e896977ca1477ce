"""An n-gram model of the text read so far, and its mixture with a model's probabilities."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn_cli.scoring.surprisal import Bits, Ids

CONSECUTIVE = 8  # contexts of each length up to so many characters are counted
CONTEXTS = (*range(CONSECUTIVE + 1), 12, 16)  # lengths of contexts, in characters
DISCOUNT = 0.75  # subtracted from each count in favour of shorter n-grams
MAX_READ = 1 << 18  # n-grams are counted in so many characters read last
# The shares of the n-gram model in the mixtures that are mixed; 0 and 1 are the two models alone.
SHARES = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.0])
AT_ONCE = 1 << 16  # characters are read at least so many at once
TINY = 1e-300  # a probability below this counts as this
COUNT_LEVELS = 6  # contexts seen 1, 2, 3-4, 5-8 … times have shares of their own

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Prediction(NamedTuple):
    """An n-gram model's predictions for characters (N,): the probability of each, and the kind of
    its context, which does not depend on the character itself."""

    probabilities: Floats
    kinds: Counts


class TextSoFar:
    """Predicts each character of a text from the n-grams in the text before it.

    Counts are interpolated by absolute discounting (Ney, Essen and Kneser 1994), from a uniform
    distribution over `vocabulary_size` characters up to the longest context.
    """

    kinds = len(CONTEXTS) * COUNT_LEVELS * 2  # of contexts

    def __init__(self, vocabulary_size: int) -> None:
        self.size = vocabulary_size
        self._read: Ids = np.empty(0, np.int64)

    def read(self, ids: Ids) -> Prediction:
        """Predict the text's next ids (N,), each from all before it."""
        text = np.concatenate([self._read, ids])
        old = len(self._read)
        self._read = text[-MAX_READ:]
        probabilities = np.full(len(text), 1 / self.size)
        kinds = np.zeros(len(text), np.int64)
        for level, context in enumerate(_contexts(text, self.size)):
            seen, own, distinct = context.counts_before(text, self.size)
            known = seen > 0
            counted = np.maximum(own - DISCOUNT, 0) + DISCOUNT * distinct * probabilities
            probabilities = np.where(known, counted / np.maximum(seen, 1), probabilities)
            count = np.frexp(seen - 0.5)[1].clip(0, COUNT_LEVELS - 1)  # 1, 2, 3-4, 5-8, …
            kind = (level * COUNT_LEVELS + count) * 2 + (distinct == 1)
            kinds = np.where(known, kind, kinds)
        return Prediction(probabilities[old:], kinds[old:])


class Mixture:
    """Mixes two models' probabilities in a Bayesian mixture of fixed shares, for each of `kinds` of
    contexts by itself: each share is weighted by the probability that it gave to what was read
    before. It is never worse than the best of SHARES by more than log2(len(SHARES)) bits for each
    kind."""

    def __init__(self, kinds: int) -> None:
        self._log_weights = np.zeros((kinds, len(SHARES)))

    def probabilities(self, ours: Floats, theirs: Floats, kinds: Counts) -> Floats:
        """The mixture's probabilities (N,) of characters whose contexts have these `kinds` (N,)."""
        if not len(kinds):
            return np.empty(0)
        order = np.argsort(kinds, kind="stable")
        mixed = np.outer(ours[order], 1 - SHARES) + np.outer(theirs[order], SHARES)  # (N, S)
        logs = np.log(np.maximum(mixed, TINY))
        found, starts = np.unique(kinds[order], return_index=True)
        result = np.empty(len(ours))
        for kind, begin, end in zip(found, starts, np.append(starts[1:], len(order)), strict=True):
            gained = np.cumsum(logs[begin:end], axis=0)
            before = self._log_weights[kind] + gained - logs[begin:end]
            self._log_weights[kind] += gained[-1]
            weights = np.exp(before - before.max(1, keepdims=True))
            part = (weights * mixed[begin:end]).sum(1) / weights.sum(1)
            result[order[begin:end]] = part
        return result


class NgramScore:
    """Adds up what a text costs in the mixture of a model and an n-gram model of the text so far.

    Characters wait until a good number of them is there: each call of `TextSoFar.read` takes as
    long as reading its history takes.
    """

    def __init__(self, vocabulary_size: int) -> None:
        self._text = TextSoFar(vocabulary_size)
        self._mixture = Mixture(TextSoFar.kinds)
        self._waiting: list[tuple[Ids, Bits, Mask]] = []
        self._mixed = self._alone = 0.0

    def add(self, ids: Ids, bits: Bits, counted: Mask) -> None:
        """Take the text's next ids (N,), their surprisal under the model (N,), NaN without context,
        and which (N,) are counted."""
        self._waiting.append((ids, bits, counted & ~np.isnan(bits)))
        if sum(len(ids) for ids, _, _ in self._waiting) >= AT_ONCE:
            self._read()

    def bits(self) -> tuple[float, float]:
        """The surprisal of all counted characters: in the mixture, and in the n-gram model."""
        if self._waiting:
            self._read()
        return self._mixed, self._alone

    def _read(self) -> None:
        ids, bits, counted = map(np.concatenate, zip(*self._waiting, strict=True))
        self._waiting = []
        predicted = self._text.read(ids)
        alone = predicted.probabilities[counted]
        ours = np.exp2(-bits[counted])
        mixed = self._mixture.probabilities(ours, alone, predicted.kinds[counted])
        self._mixed -= float(np.log2(np.maximum(mixed, TINY)).sum())
        self._alone -= float(np.log2(alone).sum())


class _Grouped:
    """Places of a text (N,) in groups of equal `keys`: the number of each place's group, the places
    ordered by group and within a group by rising place, and how many of the group are before."""

    def __init__(self, keys: Counts) -> None:
        places = np.arange(len(keys))
        # sorting unique keys takes a fraction of the time of a stable argsort
        ordered, self.order = np.divmod(np.sort(keys * len(keys) + places), max(1, len(keys)))
        new = np.ones(len(keys), bool)
        new[1:] = ordered[1:] != ordered[:-1]
        self.starts = np.maximum.accumulate(np.where(new, places, 0))  # in `order`
        self.numbers = np.empty_like(places)
        self.numbers[self.order] = np.cumsum(new) - 1
        self.before = np.empty_like(places)
        self.before[self.order] = places - self.starts

    def counts_before(self, text: Ids, size: int) -> tuple[Counts, Counts, Counts]:
        """Of contexts: how often that of each place occurred before, how often with the place's own
        character, and how many distinct characters had followed it."""
        own = _Grouped(self.numbers * size + text).before
        first = (own[self.order] == 0).astype(np.int64)
        total = np.cumsum(first) - first
        distinct = np.empty_like(total)
        distinct[self.order] = total - total[self.starts]
        return self.before, own, distinct


def _contexts(text: Ids, size: int) -> Iterator[_Grouped]:
    """The contexts of a text's places for each length of CONTEXTS."""
    numbers = np.zeros(len(text), np.int64)
    for length in range(CONSECUTIVE + 1):
        if length:
            numbers = _shifted(_Grouped(numbers * size + text).numbers + 1, 1)
        yield _Grouped(numbers)
    for length in CONTEXTS[CONSECUTIVE + 1 :]:
        farther = _shifted(numbers, length - CONSECUTIVE)
        yield _Grouped(numbers * (len(text) + 1) + farther)


def _shifted(numbers: Counts, back: int) -> Counts:
    """The number `back` places before each; 0 where there is none."""
    return np.concatenate([np.zeros(back, np.int64), numbers])[: len(numbers)]
