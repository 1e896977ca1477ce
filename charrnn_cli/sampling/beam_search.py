"""Beam search: the most probable targets of sources, for a whole batch at once."""

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from charrnn_cli.models.decoder import Array, Floats
from charrnn_cli.models.seq2seq.decoder import PairDecoder
from charrnn_cli.text.dataset import IGNORE

ROWS_AT_ONCE = 128  # Sources are read so many side by side.
LENGTH_POWER = 0.6  # The exponent of the length normalisation.
COMPACTED = 0.125  # Finished sources are left out once they are this fraction of a batch.
# A block of up to `LONGEST_BLOCK` symbols may stand at the end of a target `REPEATS` times in a
# row, shorter blocks as often as fits into `REPEATED_SYMBOLS`, and more often only if the source
# repeats itself as often.
LONGEST_BLOCK = 12
REPEATS = 4
REPEATED_SYMBOLS = 12


class Hypothesis(NamedTuple):
    """One target: its ids (T,) without END, the natural logarithm of its probability, END included,
    and the score by which it is ranked."""

    ids: Array
    log_probability: float
    score: float


def search(
    decoder: PairDecoder,
    sources: Sequence[Array],
    limits: Sequence[int],
    beam_size: int = 1,
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """The `n_best` targets of each source that beam search finds, the best first.

    `sources` are ids (S,) without END, `limits` the most symbols of each target; `n_best` is at
    most `beam_size`. A beam size of one is greedy decoding. Hypotheses are ranked by their log
    probability divided by a power of their length (Wu et al. 2016). The search for a source ends
    with `beam_size` complete hypotheses, if no other would be better were it complete now; or with
    `n_best`, if no other can become better. What is found does not depend on the other sources of
    the batch.
    """
    beams = _Beams(decoder, sources, np.asarray(limits), beam_size, n_best)
    while len(beams.rows):
        beams.advance()
    ranked = (sorted(found, key=lambda one: -one.score) for found in beams.finished)
    return [found[:n_best] for found in ranked]


def search_all(
    decoder: PairDecoder,
    sources: Sequence[Array],
    limits: Sequence[int],
    beam_size: int = 1,
    n_best: int = 1,
    *,
    rows_at_once: int = ROWS_AT_ONCE,
    threads: int = 1,
) -> list[list[Hypothesis]]:
    """As `search`, for any number of sources: in batches of like length, `rows_at_once` sources
    each, and so many batches at once as there are `threads`."""

    def found(places: list[int]) -> list[list[Hypothesis]]:
        batch, most = [sources[i] for i in places], [limits[i] for i in places]
        return search(decoder.another(), batch, most, beam_size, n_best)

    # the longest first: a thread that begins one of them last would keep the others waiting
    order = sorted(range(len(sources)), key=lambda place: -len(sources[place]))
    batches = [order[begin : begin + rows_at_once] for begin in range(0, len(order), rows_at_once)]
    if min(threads, len(batches)) > 1:
        with ThreadPoolExecutor(threads) as pool:
            results = [*pool.map(found, batches)]
    else:
        results = [*map(found, batches)]
    ranked = dict(zip(order, itertools.chain(*results), strict=True))
    return [ranked[place] for place in range(len(sources))]


def attention_of(decoder: PairDecoder, source: Array, target: Array) -> Floats:
    """The attention weights (T+1, S+1) of a target's symbols, END included, to those of its source.

    The ids are without END. Raises ValueError for a model without attention.
    """
    decoder.encode(_padded([source], decoder.config.source_end))
    weights = []
    for index in (decoder.end, *target):
        decoder.step(np.full((1, 1), index))
        if decoder.attention is None:
            raise ValueError(f"a model of kind {decoder.config.architecture} has no attention")
        weights.append(decoder.attention[0, 0])
    return np.stack(weights)


class _Beams:
    """The hypotheses of a batch: `rows` are the sources that are not finished, B of them.

    `scores` (B, K) are log probabilities, -inf for a beam that is not in use. `targets` (B, K, T)
    are the ids so far, and `inputs` (B, K) the last of them.
    """

    def __init__(
        self,
        decoder: PairDecoder,
        sources: Sequence[Array],
        limits: Array,
        beam_size: int,
        n_best: int,
    ) -> None:
        self.decoder, self.sources, self.limits = decoder, sources, limits
        self.beam_size, self.n_best, self.end = beam_size, n_best, decoder.end
        self.finished: list[list[Hypothesis]] = [[] for _ in sources]
        # scores of the best finished hypotheses, falling
        self.best: Array = np.full((len(sources), beam_size), -np.inf)
        self.rows = np.arange(len(sources))
        self.open = np.ones(len(sources), bool)  # of `rows`, those to go on with
        self.scores: Array = np.full((len(sources), beam_size), -np.inf)
        self.scores[:, 0] = 0.0
        self.targets = np.zeros((len(sources), beam_size, max(limits, default=0) + 1), np.int32)
        self.inputs = np.full((len(sources), beam_size), decoder.end)
        self.length = 0
        if len(sources):
            decoder.encode(_padded(sources, decoder.config.source_end), beam_size)

    def advance(self) -> None:
        """Add a symbol to every hypothesis, and leave out the sources that are finished."""
        totals = _log_softmax(self.decoder.step(self.inputs))  # (B, K, V)
        self._forbid(totals)
        totals += self.scores[:, :, None]
        ids, parents, scores = self._candidates(totals)
        self._finish(ids, parents, scores)
        self._go_on(ids, parents, scores)
        self.length += 1
        self._compact()

    def _forbid(self, totals: Array) -> None:
        """Give no probability to a symbol beyond a target's limit, or one that goes on with a
        repetition."""
        full = self.limits[self.rows] <= self.length
        totals[full, :, : self.end] = -np.inf
        length, so_far = self.length, self.targets[:, :, : self.length]
        for block in range(1, LONGEST_BLOCK + 1):
            repeats = max(REPEATS, REPEATED_SYMBOLS // block)
            span = block * repeats
            if span > length:
                continue
            tail = so_far[:, :, length - span :]
            repeated = (tail[:, :, block:] == tail[:, :, :-block]).all(axis=2)
            for row, beam in np.argwhere(repeated & np.isfinite(self.scores)):
                source = self.sources[self.rows[row]]
                if _repeats_at_end(so_far[row, beam], block) >= _most_repeats(source):
                    totals[row, beam, so_far[row, beam, length - block]] = -np.inf

    def _candidates(self, totals: Array) -> tuple[Array, Array, Array]:
        """The best continuations of each source: ids, beams that they continue, and log
        probabilities, (B, 2 K) each or (B, 1) for one beam, the best first.

        With so many, there are K that do not end.
        """
        rows, beams, symbols = totals.shape
        flat = totals.reshape(rows, -1)
        if beams == 1:
            best = flat.argmax(axis=1)[:, None]
        else:
            count = min(2 * beams, flat.shape[1])
            best = np.argpartition(flat, -count, axis=1)[:, -count:]
            best.sort(axis=1)  # equal ones are taken in the order of their ids
            order = np.argsort(-np.take_along_axis(flat, best, axis=1), axis=1, kind="stable")
            best = np.take_along_axis(best, order, axis=1)
        scores = np.take_along_axis(flat, best, axis=1)
        return best % symbols, best // symbols, scores

    def _finish(self, ids: Array, parents: Array, scores: Array) -> None:
        """Store the hypotheses that end here, of the best K continuations of each source."""
        ends = (ids == self.end) & np.isfinite(scores) & self.open[:, None]
        for row, rank in np.argwhere(ends[:, : self.beam_size]):
            target = self.targets[row, parents[row, rank], : self.length].copy()
            score = float(scores[row, rank])
            hypothesis = Hypothesis(target, score, score / _power(self.length))
            finished = self.finished[self.rows[row]]
            finished.append(hypothesis)
            best = sorted((one.score for one in finished), reverse=True)[: self.beam_size]
            self.best[row, : len(best)] = best

    def _go_on(self, ids: Array, parents: Array, scores: Array) -> None:
        """Continue with the best K hypotheses that do not end."""
        if self.beam_size > 1:
            order = np.argsort(ids == self.end, axis=1, kind="stable")[:, : self.beam_size]
            ids, parents, scores = (
                np.take_along_axis(values, order, axis=1) for values in (ids, parents, scores)
            )
            self.decoder.follow(parents)
            self.targets = self.targets[np.arange(len(parents))[:, None], parents]
        self.scores = np.where(ids == self.end, -np.inf, scores)
        self.inputs = ids
        self.targets[:, :, self.length] = ids
        likeliest = self.scores.max(axis=1)
        self.open &= likeliest / _power(self.length) > self.best[:, -1]
        # a log probability only falls, and is divided by no more than the power of the limit
        self.open &= likeliest / _power(self.limits[self.rows]) > self.best[:, self.n_best - 1]

    def _compact(self) -> None:
        """Leave out finished sources once there are enough to save time."""
        closed = len(self.open) - np.count_nonzero(self.open)
        if closed < len(self.open) and closed <= COMPACTED * len(self.open):
            return
        kept = np.flatnonzero(self.open)
        self.decoder.keep(kept)
        self.rows, self.open = self.rows[kept], self.open[kept]
        self.scores, self.inputs = self.scores[kept], self.inputs[kept]
        self.targets, self.best = self.targets[kept], self.best[kept]


def _power(length: Any) -> Any:
    """By this the log probability of a target of so many symbols and its END is divided."""
    return ((5 + length + 1) / 6) ** LENGTH_POWER


def _padded(sources: Sequence[Array], end: int) -> Array:
    """Sources, each with its END, as ids (S, B)."""
    padded = np.full((max(map(len, sources)) + 1, len(sources)), IGNORE)
    for row, source in enumerate(sources):
        padded[: len(source), row] = source
        padded[len(source), row] = end
    return padded


def _log_softmax(logits: Floats) -> Array:
    """Logarithms of probabilities over the last axis, in double precision."""
    logits = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
    sums = np.add.reduce(np.exp(logits), axis=-1, keepdims=True)
    values: Array = logits - np.log(sums, dtype=np.float64)
    return values


def _repeats_at_end(ids: Array, block: int) -> int:
    """How often the last `block` symbols of ids (T,) stand in a row at the end."""
    last = ids[len(ids) - block :]
    count = 1
    while len(ids) >= (count + 1) * block and np.array_equal(
        ids[len(ids) - (count + 1) * block : len(ids) - count * block], last
    ):
        count += 1
    return count


def _most_repeats(ids: Array) -> int:
    """How often a block of symbols stands in a row in ids (T,) at most; 1 if nothing repeats."""
    most = 1
    for block in range(1, min(LONGEST_BLOCK, len(ids) // 2) + 1):
        run = 0
        for same in ids[block:] == ids[:-block]:
            run = run + 1 if same else 0
            most = max(most, run // block + 1)
    return most
