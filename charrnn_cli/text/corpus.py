"""A text as ids: reading it, splitting off the held-out part, cutting it into batches."""

import os
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from charrnn_cli.errors import TextError
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.text.dataset import IGNORE, Batch, Dataset, Passage, Reading, whole
from charrnn_cli.text.indexer import CHUNK, Indexer, recoded
from charrnn_cli.text.mixed_forms import mixed_forms_note
from charrnn_cli.text.normalization import NONE
from charrnn_cli.text.reader import TextStream
from charrnn_cli.text.rows import WARM_UP, stateful_rows, windows, windows_at_once
from charrnn_cli.text.vocabulary import REPLACEMENT, Ids, Vocabulary, describe
from charrnn_cli.text.windows import ShuffledWindows, Windows, fit_batch, steps_per_epoch

# The shortest text to train on, in characters: one batch row of one window of 16.
MIN_TRAIN = 17
MIN_HELD_OUT = 2  # The shortest held-out part, in characters: one prediction.
# The held-out loss is measured on at most so many characters: more would take long and add little
# precision.
MAX_MEASURED = 250_000
# Time steps in one passage for a model that carries a state. It bounds memory.
PASSAGE = WARM_UP // 2

Watch = Callable[[TextStream], None]
"""Called now and then with the stream of the text that is being read, to show progress."""

# Control characters that are usual in a text. Others are reported.
_PLAIN_CONTROLS = frozenset("\t\n\r")


@dataclass
class Corpus:
    """A text read for training: its ids (N,), its vocabulary, its name and its checksum.

    `path` is absolute, and None for stdin or a pipe. `sha256` is the checksum of the bytes as read.
    `notes` are sentences about changes made while reading. `document_starts` are the places (D,)
    in the text at which its documents begin, each a file.
    """

    name: str
    ids: Ids
    vocabulary: Vocabulary
    sha256: str
    path: str | None = None
    notes: tuple[str, ...] = ()
    reading: Reading = field(default_factory=Reading)
    document_starts: tuple[int, ...] = (0,)
    val_text: Dataset | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def vocabulary_sizes(self) -> tuple[int, int | None]:
        """See `Dataset`."""
        return len(self.vocabulary), None

    def split(self, fraction: float) -> tuple[Dataset, Dataset]:
        """See `Dataset`. What is held out is the end of the text."""
        if self.val_text is not None:
            if len(self.ids) < MIN_TRAIN:
                raise TextError(
                    f"{self.name}: {len(self.ids):,} characters; training needs at least "
                    f"{MIN_TRAIN:,}. Use a longer text."
                )
            return self, self.val_text
        if len(self.ids) < (needed := characters_needed(fraction)):
            raise TextError(
                f"{self.name}: {len(self.ids):,} characters; training needs at least {needed:,}. "
                f"Use a longer text{' or a smaller --val-fraction' if fraction > 0.1 else ''}."
            )
        edge = len(self.ids) - _held_out(len(self.ids), fraction)
        return replace(self, ids=self.ids[:edge]), replace(self, ids=self.ids[edge:])

    def beginning(self, characters: int) -> "Corpus":
        """The first `characters` characters."""
        return replace(self, ids=self.ids[:characters])

    def fitted(self, config: TrainConfig, given: Collection[str] = ()) -> TrainConfig:
        """See `Dataset`: both are only reduced."""
        batch_size, seq_length = fit_batch(len(self.ids), config.batch_size, config.seq_length)
        return replace(config, batch_size=batch_size, seq_length=seq_length)

    def predictions_per_step(self, config: TrainConfig) -> int:
        """See `Dataset`."""
        return config.batch_size * config.seq_length

    def steps_per_epoch(self, config: TrainConfig) -> int:
        """How many whole windows each batch row holds."""
        return steps_per_epoch(len(self.ids), config.batch_size, config.seq_length)

    def batches(self, config: TrainConfig, epoch: int, rows: slice) -> Sequence[Batch]:
        """The batches of an epoch, restricted to some batch rows.

        Each batch row reads one contiguous stretch of the text, window after window; with
        `config.shuffle`, windows come in random order instead. Characters that do not fill whole
        windows are left out. Where they are is drawn anew each epoch, so that over several epochs
        every character is read and the windows' edges differ. Equal arguments give equal batches.
        """
        if config.shuffle:
            return self._shuffled(config, epoch, rows)
        length = self.steps_per_epoch(config) * config.seq_length
        used = config.batch_size * length
        rng = np.random.default_rng((config.random_seed, epoch))
        offset = int(rng.integers(len(self.ids) - used))
        inputs, targets = (
            self.ids[start : start + used].reshape(config.batch_size, length)[rows]  # (B, L)
            for start in (offset, offset + 1)
        )
        return Windows(inputs, targets, config.seq_length, len(inputs) / config.batch_size)

    def _shuffled(self, config: TrainConfig, epoch: int, rows: slice) -> "ShuffledWindows":
        steps, length = self.steps_per_epoch(config), config.seq_length
        needed, last = steps * config.batch_size, len(self.ids) - 1 - length
        rng = np.random.default_rng((config.random_seed, epoch))
        starts = np.arange(rng.integers(length), last + 1, length)  # edges differ by epoch
        starts = rng.permutation(starts)[:needed]
        more = rng.integers(
            last + 1, size=needed - len(starts)
        )  # replaces windows that the shift cost
        grid = np.concatenate([starts, more]).reshape(steps, config.batch_size)
        share = len(range(*rows.indices(config.batch_size))) / config.batch_size
        return ShuffledWindows(self.ids, grid[:, rows], length, share)

    def evaluation_size(self, context: int | None) -> int:
        """See `Dataset`: windows that overlap by half are read twice."""
        return min(len(self.ids), MAX_MEASURED) * (1 if context is None else 2)

    def passages(
        self, context: int | None, part: Callable[[int], slice] = whole
    ) -> Iterator[Passage]:
        """See `Dataset`. At most the first `MAX_MEASURED` characters are measured.

        For a model with a state (`context` is None), the text is cut into rows with a warm-up; for
        a model with a limited context, into windows of `context` characters that overlap by half.
        """
        ids = self.ids[: MAX_MEASURED + 1].astype(np.int64)
        total = len(ids) - 1
        cut = stateful_rows(total) if context is None else windows(total, context)
        mine = part(cut.positions.shape[1])
        targets = np.where(cut.own, ids[cut.positions + 1], IGNORE)
        if context is not None:
            at_once = windows_at_once(context)
            for begin in range(mine.start, mine.stop, at_once):
                some = slice(begin, min(begin + at_once, mine.stop))
                yield Passage(Batch(ids[cut.positions[:, some]], targets[:, some]), slice(None))
            return
        positions, targets = cut.positions[:, mine], targets[:, mine]
        for begin in range(0, len(positions) if positions.size else 0, PASSAGE):
            steps = slice(begin, begin + PASSAGE)
            # the first row starts at the beginning of the text; all others have a warm-up
            first = slice(0, 1 if begin == cut.start and mine.start == 0 else 0)
            fresh = first if begin else slice(None)
            yield Passage(Batch(ids[positions[steps]], targets[steps]), fresh)

    def counts(self) -> npt.NDArray[np.int64]:
        """How often each character occurs in the text: (V,)."""
        counts = np.zeros(len(self.vocabulary), dtype=np.int64)
        for start in range(
            0, len(self.ids), CHUNK
        ):  # bincount needs eight bytes of scratch for each id
            part = self.ids[start : start + CHUNK]
            counts += np.bincount(part, minlength=len(self.vocabulary))
        return counts

    def fold_rare(self, min_count: int) -> None:
        """Replace characters that occur fewer than `min_count` times by U+FFFD.

        Raises TextError if fewer than two distinct characters remain.
        """
        if min_count <= 1:
            return
        counts = self.counts()
        rare = counts < min_count
        if not rare.any():
            return
        points = np.append(self.vocabulary.code_points[~rare], ord(REPLACEMENT))
        vocabulary = Vocabulary(np.unique(points))
        if len(vocabulary) < 2:
            raise TextError(
                f"{self.name}: has no character {min_count:,} times. Lower --min-count."
            )
        self.recode(vocabulary, fold=True)
        self.notes += (
            f"{rare.sum():,} of {len(rare):,} characters, rarer than {min_count:,} times each, "
            f"read as U+FFFD: {counts[rare].sum() / len(self.ids):.2%} of the text",
        )

    def recode(self, vocabulary: Vocabulary, *, fold: bool) -> None:
        """Convert the ids to those of another vocabulary, such as a model's.

        With `fold`, characters that are not in it become U+FFFD, if that is in it. The ids are
        replaced in place where possible, since a large text leaves no memory for a copy. Raises
        TextError that names the characters which cannot be converted.
        """
        if self.vocabulary.characters == vocabulary.characters:
            return
        places = [vocabulary.id_of(character) for character in self.vocabulary.characters]
        replacement = vocabulary.id_of(REPLACEMENT) if fold else None
        if None in places and replacement is None:
            lacking = vocabulary.unknown(self.vocabulary.characters)
            named = ", ".join(map(describe, lacking[:5]))
            more = f" and {len(lacking) - 5:,} more" if len(lacking) > 5 else ""
            raise TextError(
                f"{self.name}: the model does not know {named}{more}. Give it a text without."
            )
        table = np.array(
            [replacement if place is None else place for place in places], dtype=vocabulary.dtype
        )
        self.ids, self.vocabulary = recoded(self.ids, table), vocabulary


def characters_needed(val_fraction: float) -> int:
    """The length of the shortest text that can be trained on."""
    total = MIN_TRAIN + MIN_HELD_OUT
    while total - _held_out(total, val_fraction) < MIN_TRAIN:
        total += 1
    return total


def _held_out(total: int, val_fraction: float) -> int:
    return max(MIN_HELD_OUT, round(total * val_fraction))


def read_corpus(source: str, watch: Watch = lambda stream: None, normalize: str = NONE) -> Corpus:
    """Read a UTF-8 text from a path, or from stdin if `source` is `-`, and convert it to ids.

    A byte-order mark is dropped, and CRLF and lone carriage returns are read as LF; `notes` records
    that. The text is read in the normal form `normalize`. The ids take one byte a character, or two
    if there are more than 256 distinct characters. `watch` is called with the stream after each
    piece, to show progress. Raises TextError if the source cannot be read, is not
    UTF-8 text, or has fewer than two distinct characters.
    """
    stream = TextStream(source, unchanging=True, normalize=normalize)
    indexer = Indexer()
    for piece in stream:
        indexer.add(piece)
        watch(stream)
    if not indexer.distinct:
        raise TextError(f"{stream.name}: the text is empty. Give a file with some text in it.")
    if indexer.distinct < 2:
        raise TextError(
            f"{stream.name}: the same character {len(indexer):,} times; "
            "there is nothing to learn. Give a text with at least two distinct characters."
        )
    vocabulary, ids = indexer.finish()
    corpus = Corpus(stream.name, ids, vocabulary, stream.sha256, lasting_path(source), stream.notes)
    corpus.notes += control_notes(corpus) + mixed_forms_note(ids, vocabulary)
    return corpus


def control_notes(corpus: Corpus) -> tuple[str, ...]:
    """A note if the text has unusual control characters: they are learned, but may be a mistake."""
    controls = [
        index
        for index, character in enumerate(corpus.vocabulary.characters)
        if unicodedata.category(character) == "Cc" and character not in _PLAIN_CONTROLS
    ]
    if not controls:
        return ()
    counts = corpus.counts()
    code_points = corpus.vocabulary.code_points
    named = ", ".join(f"U+{code_points[i]:04X} {counts[i]:,} times" for i in controls[:3])
    more = f" and {len(controls) - 3} more" if len(controls) > 3 else ""
    return (f"control characters are learned as any other: {named}{more}",)


def lasting_path(source: str) -> str | None:
    """The absolute path of a file; None for a source that cannot be read again, such as stdin."""
    return os.path.abspath(source) if source != "-" and os.path.isfile(source) else None
