"""How well a model of pairs turns sources into their targets."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.checkpoints.pairs_info import PairsInfo
from charrnn_cli.models.decoder import Array
from charrnn_cli.models.registry import build_pair_decoder
from charrnn_cli.models.seq2seq.decoder import PairDecoder
from charrnn_cli.sampling.greedy import decode_greedily
from charrnn_cli.text.dataset import IGNORE
from charrnn_cli.text.edit_distance import edit_distance
from charrnn_cli.text.pair_batches import make_batch
from charrnn_cli.text.pairs import Pair
from charrnn_cli.text.ragged import Ragged
from charrnn_cli.text.symbols import SymbolVocabulary
from charrnn_cli.text.vocabulary import REPLACEMENT

AT_ONCE = 1_024  # Pairs are scored so many at a time: it bounds memory.
ROWS_AT_ONCE = 64  # The loss is computed on so many side by side.
PRIOR = 4  # A pair is ranked as if its target had 4 more characters of the mean surprisal.


class ScoredPair(NamedTuple):
    """A pair with what a model makes of it.

    `number` is that of its line, from 1. `edits` is the edit distance of output and target in
    characters, `symbol_edits` that in symbols, None without --symbols. `bits` is the surprisal of
    the target over its `predicted` characters, its end included. `unknown` counts the symbols of
    both sides that the model does not know: they are read as U+FFFD if it knows that, and else left
    out.
    """

    number: int
    source: str
    target: str
    output: str
    edits: int
    symbol_edits: int | None
    bits: float
    predicted: int
    unknown: int

    @property
    def exact(self) -> bool:
        """Whether the output is the target."""
        return self.output == self.target

    @property
    def bits_per_char(self) -> float:
        """The mean surprisal of the target's characters."""
        return self.bits / max(1, self.predicted)


@dataclass
class PairTotals:
    """The sums over all pairs that were scored; they grow with `add`."""

    separator: str | None
    pairs: int = 0
    exact: int = 0
    edits: int = 0
    characters: int = 0
    symbol_edits: int = 0
    symbols: int = 0
    bits: float = 0.0
    predicted: int = 0
    unknown: int = 0
    outputs: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)

    def add(self, pair: ScoredPair) -> None:
        """Add one pair."""
        self.pairs += 1
        self.exact += pair.exact
        self.edits += pair.edits
        self.characters += len(pair.target)
        if pair.symbol_edits is not None and self.separator is not None:
            self.symbol_edits += pair.symbol_edits
            self.symbols += len(split_symbols(pair.target, self.separator))
        self.bits += pair.bits
        self.predicted += pair.predicted
        self.unknown += pair.unknown
        self.outputs.append(pair.output)
        self.targets.append(pair.target)

    @property
    def exact_matches(self) -> float:
        """The share of outputs that are the target."""
        return self.exact / self.pairs

    @property
    def character_error_rate(self) -> float:
        """The edits of all outputs for each character of all targets."""
        return self.edits / max(1, self.characters)

    @property
    def symbol_error_rate(self) -> float | None:
        """The edits of all outputs for each symbol of all targets; None without --symbols."""
        return None if self.separator is None else self.symbol_edits / max(1, self.symbols)

    @property
    def bits_per_char(self) -> float:
        """The mean surprisal of the targets' characters and ends."""
        return self.bits / max(1, self.predicted)

    @property
    def loss(self) -> float:
        """The same in nats, comparable to a run's held-out loss."""
        return float(self.bits_per_char * np.log(2))


class PairScorer:
    """A model of pairs that scores pairs, decoding greedily in NumPy."""

    def __init__(self, name: str, file: Path, checkpoint: Checkpoint) -> None:
        assert checkpoint.pairs is not None
        self.name, self.file, self.checkpoint = name, file, checkpoint
        self.info: PairsInfo = checkpoint.pairs
        self.decoder: PairDecoder = build_pair_decoder(checkpoint.model, checkpoint.weights)

    def score(
        self, pairs: Iterable[tuple[int, Pair]], separator: str | None
    ) -> Iterator[ScoredPair]:
        """Score pairs, each with its number, in their order; `separator` stands between symbols."""
        pairs = iter(pairs)
        while some := list(itertools.islice(pairs, AT_ONCE)):
            yield from self._some(some, separator)

    def _some(
        self, numbered: list[tuple[int, Pair]], separator: str | None
    ) -> Iterator[ScoredPair]:
        texts = [pair for _, pair in numbered]
        read = [_encode(self.info.source, pair.source, pair.features) for pair in texts]
        wanted = [_encode(self.info.target, pair.target) for pair in texts]
        sources = _as_ragged([ids for ids, _ in read])
        targets = _as_ragged([ids for ids, _ in wanted])
        limits = [self.info.lengths.limit(len(ids) - 1) for ids, _ in read]
        outputs = decode_greedily(self.decoder, [ids[:-1] for ids, _ in read], limits)
        bits = self._surprisal(sources, targets)
        for row, (pair, ids) in enumerate(zip(texts, outputs, strict=True)):
            output = self.info.target.decode(ids)
            symbols = None
            if separator is not None:
                symbols = edit_distance(
                    split_symbols(pair.target, separator), split_symbols(output, separator)
                )
            yield ScoredPair(
                number=numbered[row][0],
                source=" ".join([*pair.features, pair.source]),
                target=pair.target,
                output=output,
                edits=edit_distance(pair.target, output),
                symbol_edits=symbols,
                bits=float(bits[row]),
                predicted=len(wanted[row][0]),
                unknown=read[row][1] + wanted[row][1],
            )

    def _surprisal(self, sources: Ragged, targets: Ragged) -> Array:
        """The surprisal in bits (R,) of each target, its end included."""
        bits = np.zeros(len(targets))
        every = np.arange(len(targets))
        order = np.lexsort((targets.lengths(every), sources.lengths(every)))
        ends = self.info.source.end, self.info.target.end
        for begin in range(0, len(order), ROWS_AT_ONCE):
            some = order[begin : begin + ROWS_AT_ONCE]
            batch = make_batch(sources, targets, some, slice(None), ends)
            logits = self.decoder.logits(batch.source, batch.inputs).astype(np.float64)  # (T, B, V)
            logits -= logits.max(axis=-1, keepdims=True)
            log_sums = np.log(np.exp(logits).sum(axis=-1))  # (T, B)
            measured = batch.targets != IGNORE
            chosen = np.where(measured, batch.targets, 0)[..., None]
            nats = log_sums - np.take_along_axis(logits, chosen, axis=-1)[..., 0]
            bits[some] = np.where(measured, nats, 0).sum(axis=0) / np.log(2)
        return bits


def worst(pairs: list[ScoredPair], totals: PairTotals, count: int) -> list[ScoredPair]:
    """The pairs that the model gets wrong with the most surprising targets, the worst first.

    A mean over few characters varies widely, so each is taken with `PRIOR` more of the mean.
    """

    def order(pair: ScoredPair) -> float:
        return -(pair.bits + PRIOR * totals.bits_per_char) / (pair.predicted + PRIOR)

    return sorted((pair for pair in pairs if not pair.exact), key=order)[:count]


def split_symbols(text: str, separator: str) -> list[str]:
    """The symbols of a text that are separated so."""
    return [symbol for symbol in text.split(separator) if symbol]


def _encode(
    vocabulary: SymbolVocabulary, text: str, features: tuple[str, ...] = ()
) -> tuple[Array, int]:
    """The ids (T + 1,) of a side with its end, and how many of its symbols are unknown."""
    places = [vocabulary.id_of_feature(feature) for feature in features]
    before = [place for place in places if place is not None]
    ids = vocabulary.characters.look_up(text).astype(np.int64)
    unknown = len(places) - len(before) + int(np.count_nonzero(ids < 0))
    replacement = vocabulary.characters.id_of(REPLACEMENT)
    if replacement is not None:
        ids = np.where(ids < 0, replacement, ids)
    return np.concatenate([before, ids[ids >= 0], [vocabulary.end]]).astype(np.int64), unknown


def _as_ragged(sequences: list[Array]) -> Ragged:
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    return Ragged.of(np.concatenate(sequences), lengths)
