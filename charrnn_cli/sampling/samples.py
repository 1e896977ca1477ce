"""From a request for samples to text: the seed, the engine, and when to stop."""

import itertools
import json
import secrets
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load, peek
from charrnn_cli.checkpoints.runs import Run, find_checkpoint, text_path
from charrnn_cli.config import SamplingConfig
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.models.base import Decoder
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.sampling.drawing import generate, surprise
from charrnn_cli.sampling.originality import GRAM, compare
from charrnn_cli.settings import check_all
from charrnn_cli.text.corpus import Corpus, read_corpus
from charrnn_cli.text.reader import read_text
from charrnn_cli.text.vocabulary import REPLACEMENT, Vocabulary, describe

MAX_NAMED = 5  # unknown characters named in one message


@dataclass(frozen=True)
class SampleRequest:
    """What the user asked for; None means that it was not given. Length 0: until stopped.

    `whole` means that the text is of use only when it has ended.
    """

    checkpoint: str | None
    checkpoints: Path
    sampling: SamplingConfig
    seed: str | None = None
    seed_file: str | None = None
    unknown: str = "refuse"
    length: int = 500
    until: str | None = None
    num_samples: int = 1
    random_seed: int | None = None
    device: str = "auto"
    whole: bool = False


@dataclass(frozen=True)
class Samples:
    """Samples about to be drawn. `notes` is what the user should know of them."""

    request: SampleRequest
    file: Path
    checkpoint: Checkpoint
    seed: str
    random_seed: int
    notes: tuple[str, ...]
    written: list[str] = field(default_factory=list)

    def text(self, separator: str) -> Iterator[str]:
        """All samples as one text, piece by piece, a separator line between two."""
        current = 0
        for index, piece in self.pieces(keep=self.request.whole):
            if index != current:
                yield f"\n{separator}\n"
                current = index
            yield piece

    def pieces(self, keep: bool) -> Iterator[tuple[int, str]]:
        """The text piece by piece, each with the number of its sample; one sample after another.

        All samples are drawn side by side: the first appears as it is made, the others when done.
        With `keep`, or of several, what was written, without the seeds, is then in `written`.
        Ctrl-C ends all samples where they are.
        """
        request, characters = self.request, self.checkpoint.vocabulary.characters
        several = request.num_samples > 1
        streams = request.num_samples if several else None
        steps = generate(
            self._engine(streams), self._prompt(), request.sampling, self.random_seed, streams
        )
        going = set(range(request.num_samples))
        until = request.until or ""
        # of one sample that is only passed on, no more is kept than what `until` needs
        most = None if several or keep else len(until) or 1
        written = [deque[str](maxlen=most) for _ in going]
        yield 0, self.seed
        interrupted = False
        try:
            for ids in itertools.islice(steps, request.length or None):
                for index in list(going):
                    character = characters[ids[index] if several else ids]
                    written[index].append(character)
                    if index == 0:
                        yield 0, character
                    if until and character == until[-1] and _ends_with(written[index], until):
                        going.discard(index)
                if not going:
                    break
        except KeyboardInterrupt:
            interrupted = True
        self.written[:] = map("".join, written)
        for index, text in enumerate(self.written[1:], start=1):
            yield index, self.seed + text
        if interrupted:
            raise KeyboardInterrupt

    def json_lines(self) -> Iterator[str]:
        """One JSON object a line per sample: `sample` (its number), `seed`, `text` after it,
        `random_seed`, and `bits_per_char`, how surprising the model itself finds that text."""
        interrupted = False
        try:
            for _ in self.pieces(keep=True):
                pass
        except KeyboardInterrupt:
            interrupted = True
        for index, text in enumerate(self.written):
            ids = self.checkpoint.vocabulary.encode(text)
            bits = surprise(self._engine(None), self._prompt(), ids)
            record: dict[str, object] = {
                "sample": index,
                "seed": self.seed,
                "text": text,
                "random_seed": self.random_seed,
                "bits_per_char": float(bits.mean()) if len(bits) else None,
            }
            yield json.dumps(record) + "\n"
        if interrupted:
            raise KeyboardInterrupt

    def learned_text(self, source: str | None) -> Corpus:
        """The text that the model learned, from `source` or from where its run says.

        Raises UsageError if the run does not say or there is no such file, TextError if it is
        another text by now.
        """
        if source is not None:
            return self._as_learned(read_corpus(source))
        last = Run(self.file.parent).last
        info = peek(last).corpus if last.is_file() else None
        if info is None or info.path is None or info.sha256 != self.checkpoint.corpus.sha256:
            raise UsageError(
                f"--originality: {self.file} does not say where its text is "
                f"({self.checkpoint.corpus.name}). Give it: --originality TEXT"
            )
        path = text_path(info)
        if path is None:
            raise UsageError(
                f"--originality: the text that the model learned, {info.path}, is not there. "
                "Give it: --originality TEXT"
            )
        corpus = read_corpus(path)
        if corpus.sha256 != info.sha256:
            raise TextError(
                f"{path}: not the text that the model learned, or changed since. "
                "Give it: --originality TEXT"
            )
        return self._as_learned(corpus)

    def _as_learned(self, corpus: Corpus) -> Corpus:
        """The text as the model read it: the rare characters of --min-count as one."""
        if self.checkpoint.folds:
            corpus.recode(self.checkpoint.vocabulary, fold=True)
        return corpus

    def originality(self, learned: Corpus) -> str:
        """How much of what was written is new, in words."""
        found = compare(self.written, learned)
        if found.new is None:
            return f"originality: fewer than {GRAM} characters were written: too few to tell"
        longest = f"{len(found.longest)} characters: {found.longest!r}" if found.longest else "none"
        return (
            f"originality: {found.new:.0%} of the {GRAM}-character sequences are not in "
            f"{learned.name}; longest verbatim run (from {GRAM} up): {longest}"
        )

    def _prompt(self) -> list[int]:
        vocabulary = self.checkpoint.vocabulary
        return vocabulary.encode(self.seed).tolist() or [vocabulary.line_start]

    def _engine(self, streams: int | None) -> Decoder:
        if self.request.device in ("auto", "cpu"):
            return build_decoder(self.checkpoint.model, self.checkpoint.weights, streams)
        from charrnn_cli.models.device import choose_device
        from charrnn_cli.models.torch_decoder import TorchDecoder
        from charrnn_cli.models.weights import trained_model

        device = choose_device(self.request.device)
        model = trained_model(self.checkpoint.model, self.checkpoint.weights, device)
        return TorchDecoder(model, streams)


def open_samples(request: SampleRequest) -> Samples:
    """Load the model and check the request. Raises CharRNNError; draws nothing yet."""
    check_all(
        {
            "length": request.length,
            "num_samples": request.num_samples,
            "random_seed": request.random_seed,
            "unknown": request.unknown,
        }
    )
    if request.seed is not None and request.seed_file is not None:
        raise UsageError("--seed and --seed-file exclude each other: use one of them.")
    if request.device not in ("auto", "cpu"):
        from charrnn_cli.models.device import choose_device

        choose_device(request.device)  # complains now, while nothing is written
    if request.until == "":
        raise UsageError("--until: the text to stop at is empty. Leave --until out.")
    if not (request.length or request.until) and (request.num_samples > 1 or request.whole):
        raise UsageError(
            "--length 0: several samples, --json and --originality need an end. "
            "Give --length or --until."
        )
    file = find_checkpoint(request.checkpoint, request.checkpoints)
    checkpoint = load(file)
    notes = []
    seed = request.seed or ""
    if request.seed_file is not None:
        seed = read_text(request.seed_file)
    if unknown := checkpoint.vocabulary.unknown(seed):
        names = _named(unknown, checkpoint.vocabulary)
        replaceable = REPLACEMENT in checkpoint.vocabulary
        if request.unknown == "refuse":
            way = ", or replace" if replaceable else ""
            raise UsageError(
                f"the model never saw {names}. Leave that out of the seed, or use "
                f"--unknown skip{way}."
            )
        if request.unknown == "replace" and not replaceable:
            raise UsageError(
                "--unknown replace: this model has no U+FFFD to read unknown characters as; those "
                "trained with --min-count have. Use --unknown skip"
            )
        instead = REPLACEMENT if request.unknown == "replace" else ""
        seed = "".join(c if c in checkpoint.vocabulary else instead for c in seed)
        notes.append(f"{'read as U+FFFD' if instead else 'left out of the seed'}: {names}")
    if request.until and (unknown := checkpoint.vocabulary.unknown(request.until)):
        raise UsageError(
            f"--until: the model never writes {_named(unknown, checkpoint.vocabulary)}, "
            "so it would not stop there. Choose another text."
        )
    random_seed = request.random_seed
    if random_seed is None:
        random_seed = secrets.randbits(32)
        if request.sampling.temperature > 0:
            # with it the model, so that the same sample can be had again; else all was said before
            model = "" if request.checkpoint else f", model {file}"
            notes.append(f"random seed {random_seed}{model}")
    return Samples(request, file, checkpoint, seed, random_seed, tuple(notes))


def _ends_with(characters: deque[str], end: str) -> bool:
    return len(characters) >= len(end) and all(
        a == b for a, b in zip(reversed(characters), reversed(end), strict=False)
    )


def _named(characters: list[str], vocabulary: Vocabulary) -> str:
    """Unknown characters in words, each with the nearest known one."""
    names = []
    for character in characters[:MAX_NAMED]:
        nearest = vocabulary.nearest(character)
        names.append(describe(character) + (f" (it knows {nearest!r})" if nearest else ""))
    more = len(characters) - MAX_NAMED
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
