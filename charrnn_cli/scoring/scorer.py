"""What a text costs under one or more models, in bits."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.checkpoints.finding import find_checkpoint
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.models.decoders import decoders_on
from charrnn_cli.scoring.documents import DocumentStreams
from charrnn_cli.scoring.item_surprisal import ItemSurprisal
from charrnn_cli.scoring.lines import Line, Lines, ScoredBlock
from charrnn_cli.scoring.ngram import NgramScore
from charrnn_cli.scoring.surprisal import Meter, Surprisal
from charrnn_cli.text.normalization import NONE, as_read, joins
from charrnn_cli.text.vocabulary import REPLACEMENT, Vocabulary

BLOCK = 1 << 17  # Characters are scored 131,072 at a time: bounds memory, fills many batch rows.
ESCAPE_BITS = 10.0  # Bits to signal an unknown character: its probability is taken as 1 in 1,024.
CODE_POINTS = 0x110000 - 0x800  # A text can hold this many: Unicode without its surrogates.

NO_CHARACTER = -1  # The id of an unknown character that the model skips.


class TextScore:
    """A text of one or several files, and the models that score it, all in one pass over it. Each
    file is read as a document of its own."""

    def __init__(self, stream: DocumentStreams, models: list["ModelScore"]) -> None:
        self.stream, self.models = stream, models
        self.line_count = 0

    def read(self) -> Iterator[list[Line]]:
        """Score the text block by block; yield the lines that end in each, as the first model
        scores them.

        Raises TextError for a text that cannot be read, or is too short to be scored.
        """
        lines = Lines()
        for document in self.stream:
            for block in _blocks(document):
                scored = [model.feed(block) for model in self.models]
                yield list(lines.feed(scored[0]))
            yield list(lines.finish())
            for model in self.models:
                model.restart()
        self.line_count = lines.count
        name = self.stream.name
        if not self.models[0].scorer.characters:
            raise TextError(f"{name}: the text is empty. Give a file with some text in it.")
        if not all(model.scorer.scored for model in self.models):
            raise TextError(f"{name}: 1 character; scoring needs at least 2. Give a longer text.")

    def is_training_text(self, model: "ModelScore") -> bool:
        """Whether the model was trained on this text, so that its score says little about others.

        Call it when the text has been read.
        """
        return self.stream.are_of(model.checkpoint.corpus)


class ModelScore:
    """A model with its score of a text: as it is, and perhaps also adapting as it reads."""

    def __init__(
        self,
        name: str,
        file: Path,
        checkpoint: Checkpoint,
        static: "Scorer",
        adapted: "Scorer | None",
    ) -> None:
        self.name, self.file, self.checkpoint = name, file, checkpoint
        self.static, self.adapted = static, adapted

    @property
    def scorer(self) -> "Scorer":
        """The scorer whose figures and lines are reported: the adapted one, if there is one."""
        return self.adapted or self.static

    def restart(self) -> None:
        """Begin another document."""
        for scorer in filter(None, (self.static, self.adapted)):
            scorer.meter.restart()

    def feed(self, text: str) -> ScoredBlock:
        """Score the text's next characters."""
        scored = self.static.feed(text)
        return self.adapted.feed(text) if self.adapted else scored


def open_model(
    which: str | None, checkpoints: Path, device: str, adapt: bool, with_ngram: bool = False
) -> ModelScore:
    """Load the model that `which` names, the newest run's if it is None. Raises CharRNNError."""
    file = find_checkpoint(which, checkpoints)
    checkpoint = load(file)
    if checkpoint.pairs is not None:
        raise UsageError(
            f"{file}: is a model of pairs, and the first is not. Score one kind at a time."
        )
    adapted = None
    ngram = NgramScore(len(checkpoint.vocabulary)) if with_ngram else None
    if adapt:
        from charrnn_cli.models.device import choose_device
        from charrnn_cli.scoring.dynamic_evaluation import AdaptiveMeter

        # a GPU gains nothing from a batch of one: it is used only if asked for
        chosen = choose_device("cpu" if device == "auto" else device)
        adapted = _scorer_with(AdaptiveMeter(checkpoint, chosen), checkpoint, ngram)
    name = which or Run(file.parent).name
    static = scorer_of(checkpoint, device, None if adapt else ngram)
    return ModelScore(name, file, checkpoint, static, adapted)


def scorer_of(checkpoint: Checkpoint, device: str, ngram: NgramScore | None = None) -> "Scorer":
    """A scorer of texts as a checkpoint's model reads them: a running text, or a list's items."""
    open_decoder = decoders_on(checkpoint.model, checkpoint.weights, device)
    meter: Meter = Surprisal(open_decoder, checkpoint.model.context)
    if checkpoint.train.lines:
        meter = ItemSurprisal(open_decoder, checkpoint.vocabulary.line_start)
    return _scorer_with(meter, checkpoint, ngram)


def _scorer_with(meter: Meter, checkpoint: Checkpoint, ngram: NgramScore | None) -> "Scorer":
    form, reads_replacement = checkpoint.train.normalize, checkpoint.reads_replacement
    return Scorer(checkpoint.vocabulary, meter, reads_replacement, form, ngram)


class Scorer:
    """Adds up the surprisal of a text that comes in blocks.

    A known character costs its surprisal in bits, given all characters before it. An unknown one
    costs `unknown_cost`; the model reads the most similar known character in its place, as `e` for
    `é`, or skips it. A model that reads unknown characters as U+FFFD (`reads_replacement`), as in
    its training, has an `unknown_cost` of None: each costs the surprisal of U+FFFD. The first
    character that the model reads has no context, and costs nothing. An `ngram` adds up what known
    characters cost in a mixture; no other figure depends on it.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        meter: Meter,
        reads_replacement: bool = False,
        normalize: str = NONE,
        ngram: NgramScore | None = None,
    ) -> None:
        self.vocabulary, self.meter, self.normalize = vocabulary, meter, normalize
        self.ngram = ngram
        self.forms: Counter[str] = Counter()  # letters read in their other normal form, by form
        self.unknown_cost = None if reads_replacement else unknown_cost(vocabulary)
        self.characters = 0
        self.scored = 0  # characters that cost something: all but the first one read
        self.known_scored = 0
        self.known_bits = 0.0
        self.unknown_bits = 0.0
        self.unknown: Counter[str] = Counter()
        self._substitutes: dict[str, int] = {}

    def feed(self, text: str) -> ScoredBlock:
        """Score the text's next characters, and add them to the totals.

        The block returned has the text as the model reads it: in its normal form, if it was trained
        with one, and letters that it does not know in their other form, if it knows that.
        """
        text, forms = as_read(text, self.normalize, self.vocabulary)
        self.forms += forms
        ids = self.vocabulary.look_up(text).astype(np.int64)
        known = ids >= 0
        for place in np.flatnonzero(~known).tolist():
            self.unknown[text[place]] += 1
            ids[place] = self._substitute(text[place])
        read = ids != NO_CHARACTER
        bits = np.full(len(ids), np.nan)
        bits[read] = self.meter.bits(ids[read])
        predicted = known if self.unknown_cost is not None else read
        if self.ngram is not None:
            self.ngram.add(ids[read], bits[read], predicted[read])
        if self.unknown_cost is not None:
            bits[~known] = self.unknown_cost
        self.characters += len(ids)
        has_bits = ~np.isnan(bits)
        self.scored += int(np.count_nonzero(has_bits))
        self.known_scored += int(np.count_nonzero(has_bits & known))
        self.known_bits += float(bits[has_bits & known].sum())
        self.unknown_bits += float(bits[has_bits & ~known].sum())
        return ScoredBlock(text, bits, known)

    @property
    def unknown_count(self) -> int:
        """The number of unknown characters in the text."""
        return self.unknown.total()

    @property
    def replaced_count(self) -> int:
        """The number of characters that the model read as U+FFFD."""
        return self.unknown_count if self.unknown_cost is None else 0

    @property
    def bits(self) -> float:
        """The total surprisal of the text."""
        return self.known_bits + self.unknown_bits

    @property
    def bits_per_char(self) -> float | None:
        """The mean surprisal of the scored characters, None if there are none."""
        return self.bits / self.scored if self.scored else None

    @property
    def loss(self) -> float | None:
        """The same mean in nats, comparable to a run's held-out loss."""
        return None if self.bits_per_char is None else self.bits_per_char * math.log(2)

    def ngram_bits_per_char(self) -> tuple[float, float] | None:
        """The mean surprisal of the scored characters in the mixture with the n-gram model, and in
        that model alone; None without one. Unknown characters cost as much as in the others."""
        if self.ngram is None or not self.scored:
            return None
        fixed = self.unknown_bits if self.unknown_cost is not None else 0.0
        mixed, alone = ((bits + fixed) / self.scored for bits in self.ngram.bits())
        return mixed, alone

    @property
    def perplexity(self) -> float | None:
        """Two to the power of `bits_per_char`."""
        return None if self.bits_per_char is None else 2.0**self.bits_per_char

    @property
    def known_bits_per_char(self) -> float | None:
        """The mean surprisal of the known characters alone."""
        return self.known_bits / self.known_scored if self.known_scored else None

    def _substitute(self, character: str) -> int:
        """The id that the model reads for an unknown character, NO_CHARACTER for none."""
        if character not in self._substitutes:
            reads_replacement = self.unknown_cost is None
            known = REPLACEMENT if reads_replacement else self.vocabulary.nearest(character)
            index = None if known is None else self.vocabulary.id_of(known)
            self._substitutes[character] = NO_CHARACTER if index is None else index
        return self._substitutes[character]


def unknown_cost(vocabulary: Vocabulary) -> float:
    """Bits that a character outside the vocabulary costs.

    It is coded as an escape, followed by one of all other code points, each as likely as the next.
    """
    return ESCAPE_BITS + math.log2(CODE_POINTS - len(vocabulary))


def _blocks(pieces: Iterable[str]) -> Iterator[str]:
    """Join the pieces into strings of at least `BLOCK` characters; the last may be shorter. None
    begins with a mark that belongs to the letter before it."""
    gathered: list[str] = []
    for piece in pieces:
        if sum(map(len, gathered)) >= BLOCK and not joins(piece[0]):
            yield "".join(gathered)
            gathered = []
        gathered.append(piece)
    if gathered:
        yield "".join(gathered)
