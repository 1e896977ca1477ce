"""A text of documents or of items, one a line: models start afresh at each."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from charrnn_cli.errors import TextError
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.text.corpus import MAX_MEASURED, MIN_HELD_OUT, MIN_TRAIN, Corpus
from charrnn_cli.text.dataset import Batch, Dataset, Passage, Reading, whole
from charrnn_cli.text.holding_out import DIVISIONS, HoldOut, Ints, Spans
from charrnn_cli.text.measuring import Segments, passages, segments
from charrnn_cli.text.packing import PackedBatches, pack_shuffled, pack_streams, window_counts
from charrnn_cli.text.vocabulary import Ids, Vocabulary

MANY = 20  # From so many documents on, whole ones are held out, not the end of each.
# An item of a list is read in one window if it has at most so many characters.
MAX_ITEM = 512
TIMED_BATCHES = 4  # `beginning` has so many batches: the lengths of windows differ.


@dataclass(frozen=True)
class Documents:
    """A text cut into spans, between which a model's state starts afresh, or some of its spans.

    `hold_out` is how `split` divides it: the `end` of each document; whole `documents`, drawn at
    random; `blocks` spread over a text; or `items`, lines drawn at random, equal ones together.
    """

    corpus: Corpus
    spans: Spans
    hold_out: HoldOut
    val_text: Dataset | None = None

    @property
    def lines(self) -> bool:
        """Whether each span is an item of a list, with its newline."""
        return self.hold_out == "items"

    @property
    def name(self) -> str:
        """See `Dataset`."""
        return self.corpus.name

    @property
    def sha256(self) -> str:
        """See `Dataset`."""
        return self.corpus.sha256

    @property
    def path(self) -> str | None:
        """See `Dataset`."""
        return self.corpus.path

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Dataset`."""
        return self.corpus.notes

    @property
    def reading(self) -> Reading:
        """See `Dataset`."""
        return self.corpus.reading

    @property
    def vocabulary(self) -> Vocabulary:
        """See `Dataset`."""
        return self.corpus.vocabulary

    @cached_property
    def ids(self) -> Ids:
        """The predicted characters (N,), span after span."""
        edges = np.zeros(len(self.corpus.ids) + 1, np.int8)
        edges[self.spans.first] += 1
        edges[self.spans.end] -= 1
        return self.corpus.ids[np.cumsum(edges, dtype=np.int8)[:-1].view(np.bool_)]

    @property
    def vocabulary_sizes(self) -> tuple[int, int | None]:
        """See `Dataset`."""
        return self.corpus.vocabulary_sizes

    def counts(self) -> Ints:
        """How often each character occurs in the whole text: (V,)."""
        return self.corpus.counts()

    def __len__(self) -> int:
        spans = self.spans
        unpredicted = 0 if self.lines else int((spans.first - spans.origin == 1).sum())
        return self.predictions + unpredicted

    @property
    def predictions(self) -> int:
        """The number of characters that are predicted: of a document all but the first."""
        return int(self.spans.sizes.sum())

    def __repr__(self) -> str:
        return f"Documents({self.name!r}, {len(self.spans.end):,} spans, {self.hold_out})"

    def split(self, fraction: float) -> tuple[Dataset, Dataset]:
        """See `Dataset`. What is held out depends on the text and `fraction` alone."""
        if self.val_text is not None:
            self._check_size(self, MIN_TRAIN, "train on")
            return self, self.val_text
        if fraction not in self._parts:
            divided = DIVISIONS[self.hold_out](self.corpus.ids, self.spans, fraction)
            train, held_out = (replace(self, spans=part) for part in divided)
            self._check_size(train, MIN_TRAIN, "train on")
            self._check_size(held_out, MIN_HELD_OUT - 1, "hold some out")
            self._parts[fraction] = train, held_out
        return self._parts[fraction]

    def _check_size(self, part: "Documents", needed: int, purpose: str) -> None:
        if part.predictions < needed:
            kind = "different lines" if self.lines else "characters in its files"
            raise TextError(f"{self.name}: too few {kind} to {purpose}. Give a longer text.")

    @cached_property
    def _parts(self) -> dict[float, tuple["Documents", "Documents"]]:
        """The divisions made so far, by the fraction held out."""
        return {}

    def beginning(self, characters: int) -> "Documents":
        """See `Dataset`: spans taken evenly from all of them, at least a few batches."""
        sizes = np.minimum(self.spans.sizes, characters)
        wanted = TIMED_BATCHES * characters
        step = max(1, int(sizes.sum() // max(1, wanted)))
        which = np.arange(0, len(sizes), step)
        some = self.spans.some(which)
        longest = np.maximum(characters, wanted // len(which))
        return replace(self, spans=some._replace(end=np.minimum(some.end, some.first + longest)))

    def fitted(self, config: TrainConfig, given: Collection[str] = ()) -> TrainConfig:
        """See `Dataset`. A window holds a whole item of a list, and a batch as many items as make
        about the characters that the settings ask for."""
        sizes = self.spans.sizes
        batch_size, seq_length = config.batch_size, config.seq_length
        if self.lines:
            per_step = batch_size * seq_length
            if not config.shuffle and "seq_length" not in given:
                seq_length = MAX_ITEM
        seq_length = max(1, min(seq_length, int(sizes.max())))
        if self.lines and "batch_size" not in given:
            mean = float(np.minimum(sizes, seq_length).mean())
            batch_size = max(batch_size, round(per_step / mean))
        windows = int(window_counts(sizes, seq_length).sum())
        return replace(config, batch_size=min(batch_size, windows), seq_length=seq_length)

    def steps_per_epoch(self, config: TrainConfig) -> int:
        """See `Dataset`."""
        counts = window_counts(self.spans.sizes, config.seq_length)
        return int(counts.sum()) // config.batch_size

    def predictions_per_step(self, config: TrainConfig) -> float:
        """See `Dataset`."""
        windows = int(window_counts(self.spans.sizes, config.seq_length).sum())
        return self.predictions * config.batch_size / windows

    def batches(self, config: TrainConfig, epoch: int, rows: slice) -> Sequence[Batch]:
        """See `Dataset`. Windows never cross a document's end, and no state is carried over it."""
        rng = np.random.default_rng((config.random_seed, epoch))
        sizes = self.spans.sizes
        carried = not config.shuffle and (not self.lines or sizes.max() > config.seq_length)
        pack = pack_streams if carried else pack_shuffled
        packing = pack(self.spans.first - 1, sizes, config.batch_size, config.seq_length, rng)
        return PackedBatches(self.corpus.ids, packing, rows)

    def evaluation_size(self, context: int | None) -> int:
        """See `Dataset`."""
        cut = self._segments(context)
        return int((cut.end - cut.read).sum())

    def passages(
        self, context: int | None, part: Callable[[int], slice] = whole
    ) -> Iterator[Passage]:
        """See `Dataset`. Of more than `MAX_MEASURED` characters the beginning of each span is
        measured, or of a list some of the items."""
        return passages(self.corpus.ids, self._segments(context), context, part)

    def _segments(self, context: int | None) -> Segments:
        spans, excess = self.spans, self.predictions / MAX_MEASURED
        if excess > 1 and self.lines:
            which = np.arange(0, len(spans.end), excess).astype(np.int64)
            spans = spans.some(which)
        elif excess > 1:
            sizes = np.maximum(1, (spans.sizes / excess).astype(np.int64))
            spans = spans._replace(end=spans.first + sizes)
        return segments(*spans, context)


def as_lines(corpus: Corpus) -> Documents:
    """A text as a list: each line that is not empty is an item.

    The corpus must begin and end with a newline, as `read_texts` makes it for lists. The newline
    before an item is what its first character is predicted from; the one after it ends it.
    """
    newline = corpus.vocabulary.id_of("\n")
    if newline is None:
        raise TextError(
            f"{corpus.name}: line ends are rarer than --min-count, so its lines cannot be told "
            "apart. Lower --min-count."
        )
    places = np.flatnonzero(corpus.ids == newline).astype(np.int64)
    before, after = places[:-1], places[1:]
    filled = after - before > 1
    before, after = before[filled], after[filled]
    if not len(before):
        raise TextError(f"{corpus.name}: has no line with anything on it. Give a list of lines.")
    return Documents(corpus, Spans(before, before + 1, after + 1), "items")


def as_documents(corpus: Corpus, hold_out: HoldOut | None = None) -> Documents:
    """A text as its documents, the first character of each being context only. Of many documents
    whole ones are held out, unless `hold_out` says otherwise."""
    starts = np.asarray(corpus.document_starts, np.int64)
    ends = np.append(starts[1:], len(corpus.ids))
    readable = ends - starts > 1  # a single character predicts nothing
    spans = Spans(starts, starts + 1, ends).some(readable)
    if hold_out is None:
        hold_out = "documents" if len(spans.end) >= MANY else "end"
    return Documents(corpus, spans, hold_out)
