"""Pairs of a source and a target: reading them, splitting off the held-out part, batches."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn_cli.errors import TextError
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.text.dataset import Batch, Passage, Reading, whole
from charrnn_cli.text.indexer import recoded
from charrnn_cli.text.pair_batches import PairBatches, epoch_order, make_batch
from charrnn_cli.text.pair_format import PairFormat
from charrnn_cli.text.ragged import Ragged, Rows, mixed
from charrnn_cli.text.symbols import SymbolVocabulary
from charrnn_cli.text.vocabulary import REPLACEMENT, Ids, Vocabulary

# The held-out loss is measured on pairs of at most so many characters, with their sources.
MAX_MEASURED = 250_000
MAX_DECODED = 1_000  # Exact matches are counted among at most so many held-out pairs.
ROWS_AT_ONCE = 128  # Held-out pairs are read so many side by side.
MAX_HELD_OUT_FRACTION = 0.9
# A held-out character takes twice as long as one of a text, beside a character of training: its
# batches are padded more, and decoding is symbol by symbol.
EVALUATION_COST = 2


@dataclass(frozen=True)
class ValText:
    """The file of --val-text: an `Identified`."""

    name: str
    sha256: str
    characters: int
    path: str | None
    reading: Reading = field(default_factory=Reading)

    def __len__(self) -> int:
        return self.characters


class Pair(NamedTuple):
    """One pair as text; what was cut is not there."""

    features: tuple[str, ...]
    source: str
    target: str


@dataclass
class Pairs:
    """Pairs read for training, or a part of them: a `Dataset`.

    `sources` and `targets` hold all pairs; `rows` (N,) are the numbers of those in this part.
    `len` is the number of their targets' characters, ends included. `first_held_out`
    is the number of the first pair of --val-text, None without one, as is `val_text`. `skipped` are
    the numbers of the lines that were left out, from 1. `notes` as in `Dataset`.
    """

    name: str
    sources: Ragged
    targets: Ragged
    source_vocabulary: SymbolVocabulary
    target_vocabulary: SymbolVocabulary
    format: PairFormat
    sha256: str
    path: str | None = None
    rows: Rows = field(default_factory=lambda: np.zeros(0, np.int64))
    first_held_out: int | None = None
    val_text: ValText | None = None
    notes: tuple[str, ...] = ()
    skipped: tuple[int, ...] = ()
    reading: Reading = field(default_factory=Reading)

    def __len__(self) -> int:
        return int(self.targets.lengths(self.rows).sum())

    @property
    def vocabulary(self) -> Vocabulary:
        """The characters of the targets."""
        return self.target_vocabulary.characters

    @property
    def ids(self) -> Ids:
        """The ids of the targets, one after another."""
        return self.targets.ids

    @property
    def vocabulary_sizes(self) -> tuple[int, int | None]:
        """The numbers of symbols of the targets and of the sources, their ends included."""
        return len(self.target_vocabulary), len(self.source_vocabulary)

    def split(self, fraction: float) -> tuple["Pairs", "Pairs"]:
        """The part to train on and the held-out part, in random order.

        Held out is the file of --val-text, or else a random part of about this fraction: equal
        sources are all on one side, and which are held out depends on nothing but the sources.
        Raises TextError if one of the parts would be empty.
        """
        rows, measured = self.split_rows(fraction)
        return replace(self, rows=rows), replace(self, rows=measured)

    def split_rows(self, fraction: float) -> tuple[Rows, Rows]:
        """The numbers of the pairs in each part, see `split`."""
        if self.first_held_out is not None:
            held_out = self.rows >= self.first_held_out
            order = mixed(self.rows[held_out].astype(np.uint64))
        else:
            hashes = self.sources.hashes(self.rows, self.source_vocabulary.hash_values())
            count = max(1, round(len(hashes) * min(fraction, MAX_HELD_OUT_FRACTION)))
            held_out = hashes <= np.partition(hashes, count - 1)[count - 1]
            order = mixed(hashes[held_out])
        if held_out.all() or not held_out.any():
            raise TextError(
                f"{self.name}: {len(self.rows):,} pairs, of one source; training needs pairs of at "
                "least two. Give it more pairs, or others to measure on with --val-text."
            )
        return self.rows[~held_out], self.rows[held_out][np.argsort(order, kind="stable")]

    def fitted(self, config: TrainConfig, given: Collection[str] = ()) -> TrainConfig:
        """See `Dataset`: at most as many batch rows as there are pairs, each as long as the longest
        target."""
        longest = int(self.targets.lengths(self.rows).max())
        return replace(
            config, batch_size=min(config.batch_size, len(self.rows)), seq_length=longest
        )

    def steps_per_epoch(self, config: TrainConfig) -> int:
        """How many batches hold each pair at least once."""
        if config.batch_size > len(self.rows):
            return 0
        return -(-len(self.rows) // config.batch_size)

    def predictions_per_step(self, config: TrainConfig) -> float:
        """See `Dataset`."""
        return len(self) / len(self.rows) * config.batch_size

    def batches(self, config: TrainConfig, epoch: int, rows: slice) -> Sequence[Batch]:
        """The batches of an epoch, restricted to some batch rows.

        Each pair is in one of them; pairs of like length are together, and the batches come in
        random order. The last batch is filled with pairs drawn at random. Equal arguments give
        equal batches.
        """
        rng = np.random.default_rng((config.random_seed, epoch))
        lengths = self.sources.lengths(self.rows), self.targets.lengths(self.rows)
        order = epoch_order(*lengths, config.batch_size, rng)
        return PairBatches(self.sources, self.targets, self.rows[order], rows, self._ends)

    def beginning(self, characters: int) -> "Pairs":
        """See `Dataset`: pairs of the middle lengths, whose targets have about so many characters,
        or more."""
        mean = max(1, len(self) // len(self.rows))
        count = min(len(self.rows), -(-characters // mean))
        totals = self.sources.lengths(self.rows) + self.targets.lengths(self.rows)
        first = (len(self.rows) - count) // 2
        middle = np.argpartition(totals, (first, first + count - 1))[first : first + count]
        return replace(self, rows=self.rows[middle])

    def evaluation_size(self, context: int | None) -> int:
        """See `Dataset`: the pairs that are decoded are read once more, symbol by symbol."""
        measured, decoded = (replace(self, rows=r) for r in (self._measured(), self.decoded()))
        return EVALUATION_COST * (len(measured) + len(decoded))

    def passages(
        self, context: int | None, part: Callable[[int], slice] = whole
    ) -> Iterator[Passage]:
        """See `Dataset`: pairs of like length side by side, at most `MAX_MEASURED` characters."""
        measured = self._measured()
        lengths = self.sources.lengths(measured), self.targets.lengths(measured)
        measured = measured[np.lexsort(lengths)]
        for begin in range(0, len(measured), ROWS_AT_ONCE):
            some = measured[begin : begin + ROWS_AT_ONCE]
            mine = part(len(some))
            if mine.stop > mine.start:
                batch = make_batch(self.sources, self.targets, some, mine, self._ends)
                yield Passage(batch, slice(None))

    def first(self, count: int) -> "Pairs":
        """The first pairs, `count` of them at most."""
        return replace(self, rows=self.rows[:count])

    def pair(self, row: int) -> Pair:
        """A pair by its number."""
        source = self.sources[row]
        return Pair(
            self.source_vocabulary.features_of(source),
            self.source_vocabulary.decode(source),
            self.target_vocabulary.decode(self.targets[row]),
        )

    def numbered(self) -> Iterator[tuple[int, Pair]]:
        """The pairs, each with the number of its line, from 1; without those of --val-text."""
        return ((self.line_of(row), self.pair(row)) for row in map(int, self.rows))

    def line_of(self, row: int) -> int:
        """The number of the line, from 1, that a pair of the first file stands on."""
        before = np.array(self.skipped, np.int64) - np.arange(len(self.skipped))
        return row + 1 + int(np.searchsorted(before, row + 1, side="right"))

    def decoded(self) -> Rows:
        """The numbers of the pairs whose exact matches are counted: the first ones."""
        return self.rows[:MAX_DECODED]

    def counts(self) -> npt.NDArray[np.int64]:
        """How often each character occurs in the targets: (V,)."""
        return _counts(self.targets, self.target_vocabulary)

    def fold_rare(self, min_count: int) -> None:
        """Replace characters that occur fewer than `min_count` times in the sources, or in the
        targets, by U+FFFD there."""
        if min_count <= 1:
            return
        source = _without_rare(self.sources, self.source_vocabulary, min_count)
        target = _without_rare(self.targets, self.target_vocabulary, min_count)
        before = len(self.source_vocabulary) + len(self.target_vocabulary)
        self.recode(source, target, fold=True)
        folded = before - len(source) - len(target)
        if folded:
            self.notes += (
                f"characters rarer than {min_count:,} times in the sources or in the targets are "
                "read as U+FFFD there",
            )

    def recode(self, source: SymbolVocabulary, target: SymbolVocabulary, *, fold: bool) -> None:
        """Convert the ids to those of other vocabularies, such as a model's; in place where
        possible. `fold` as in `Corpus.recode`. Raises TextError that names unknown symbols."""
        new = []
        for side, old, other in (
            (self.sources, self.source_vocabulary, source),
            (self.targets, self.target_vocabulary, target),
        ):
            if old == other:
                new.append(side)
                continue
            table = old.table(other, fold)
            if table is None:
                raise TextError(
                    f"{self.name}: the model does not know {old.lacking_in(other)}. Give it pairs "
                    "without."
                )
            new.append(Ragged(recoded(side.ids, table), side.offsets))
        self.sources, self.targets = new
        self.source_vocabulary, self.target_vocabulary = source, target

    @property
    def _ends(self) -> tuple[int, int]:
        return self.source_vocabulary.end, self.target_vocabulary.end

    def _measured(self) -> Rows:
        """The numbers of the first pairs, of at most `MAX_MEASURED` characters together."""
        some = self.rows[:MAX_MEASURED]  # a pair has at least two characters
        total = np.cumsum(self.sources.lengths(some) + self.targets.lengths(some))
        return some[: max(1, int(np.searchsorted(total, MAX_MEASURED, side="right")))]


def _counts(side: Ragged, vocabulary: SymbolVocabulary) -> npt.NDArray[np.int64]:
    counts = np.zeros(len(vocabulary), np.int64)
    for begin in range(0, len(side.ids), 1 << 16):  # bincount needs eight bytes for each id
        counts += np.bincount(side.ids[begin : begin + (1 << 16)], minlength=len(vocabulary))
    return counts[: len(vocabulary.characters)]


def _without_rare(side: Ragged, vocabulary: SymbolVocabulary, least: int) -> SymbolVocabulary:
    rare = _counts(side, vocabulary) < least
    if not rare.any():
        return vocabulary
    points = np.append(vocabulary.characters.code_points[~rare], ord(REPLACEMENT))
    return SymbolVocabulary(Vocabulary(np.unique(points)), vocabulary.features)
