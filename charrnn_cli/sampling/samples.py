"""From a request for samples to their text: as it is drawn, or as JSON."""

import itertools
import json
import secrets
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.checkpoints.runs import Run, find_checkpoint
from charrnn_cli.config import SamplingConfig
from charrnn_cli.errors import UsageError
from charrnn_cli.models.decoders import decoders_on
from charrnn_cli.sampling.drawing import Floats, generate_with_logits, surprisal
from charrnn_cli.sampling.prompt import Prompt, name_unknown, read_prompt
from charrnn_cli.settings import SETTINGS, check_all


@dataclass(frozen=True)
class SampleRequest:
    """What the user asked for; None means that it was not given.

    `length` is in characters after the seed, 0 means without end. `until` is a text that ends a
    sample. `whole` means that the samples are needed when they are complete: for JSON, or to be
    compared with the text learned.
    """

    checkpoint: str | None
    checkpoints: Path
    sampling: SamplingConfig
    seed: str | None = None
    seed_file: str | None = None
    unknown: str = SETTINGS["unknown"].default
    length: int = SETTINGS["length"].default
    until: str | None = None
    num_samples: int = SETTINGS["num_samples"].default
    random_seed: int | None = None
    device: str = SETTINGS["device"].default
    whole: bool = False


def open_samples(request: SampleRequest) -> "Samples":
    """Load the model and check the request; nothing is drawn yet. Raises CharRNNError."""
    _check(request)
    file = find_checkpoint(request.checkpoint, request.checkpoints)
    return _samples_of(request, file, load(file))


def samples_of(request: SampleRequest, file: Path, checkpoint: Checkpoint) -> "Samples":
    """As `open_samples`, of the checkpoint in `file`, which is loaded already."""
    _check(request)
    return _samples_of(request, file, checkpoint)


def _samples_of(request: SampleRequest, file: Path, checkpoint: Checkpoint) -> "Samples":
    if checkpoint.pairs is not None:
        raise UsageError(
            f"{file}: turns a source into a target, and needs one: charrnn translate "
            f"{request.checkpoint or Run(file.parent).name}"
        )
    vocabulary = checkpoint.vocabulary
    prompt = read_prompt(request.seed, request.seed_file, request.unknown, vocabulary)
    if (
        checkpoint.train.lines
    ):  # a sample is an item, which begins after a newline and ends with one
        start = vocabulary.line_start
        ids = (
            prompt.ids if prompt.text.startswith("\n") or not prompt.text else (start, *prompt.ids)
        )
        request = replace(request, until=request.until or "\n")
        prompt = replace(prompt, ids=ids)
    if request.until and (lacking := vocabulary.unknown(request.until)):
        raise UsageError(
            f"--until: the model never writes {name_unknown(lacking, vocabulary)}, "
            "so it would not stop there. Choose another text."
        )
    if request.random_seed is not None:
        return Samples(request, file, checkpoint, prompt, request.random_seed, prompt.notes)
    random_seed, notes = secrets.randbits(32), prompt.notes
    if request.sampling.temperature > 0:
        # all that the user needs to get the same text again
        model = "" if request.checkpoint else f", model {file}"
        notes += (f"random seed {random_seed}{model}",)
    return Samples(request, file, checkpoint, prompt, random_seed, notes)


def _check(request: SampleRequest) -> None:
    """Raise CharRNNError for a request that no model could fulfil."""
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

        choose_device(request.device)  # raises now, before anything is written
    if request.until == "":
        raise UsageError("--until: the text to stop at is empty. Leave --until out.")
    if not (request.length or request.until) and (request.num_samples > 1 or request.whole):
        raise UsageError(
            "--length 0: several samples, --json and --originality need an end. "
            "Give --length or --until."
        )


@dataclass(frozen=True)
class Samples:
    """Samples that can be drawn: the model, the prompt and the random seed that determine them.

    `notes` says in words what the user should know about them.
    """

    request: SampleRequest
    file: Path
    checkpoint: Checkpoint
    prompt: Prompt
    random_seed: int
    notes: tuple[str, ...]

    def draw(self) -> "Drawing":
        """Begin to draw the samples; every drawing gives the same ones."""
        return Drawing(self)


class Drawing:
    """The samples while they are drawn, all side by side; they can be read once.

    Iterating yields pieces of text, each with the number of its sample, from 0, in the order of the
    samples. The first piece of a sample is the prompt's text. Sample 0 appears character by
    character as it is drawn, the others once all have ended. Ctrl-C ends all samples where they
    are: their text is yielded, and then KeyboardInterrupt is raised.
    """

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self.several = samples.request.num_samples > 1
        self._written = [deque[str]() for _ in range(samples.request.num_samples)]
        self._bits = [0.0 for _ in self._written]

    @property
    def texts(self) -> list[str]:
        """What has been written of each sample so far, after the prompt; of one sample of a request
        that is not `whole`, its last characters only."""
        return list(map("".join, self._written))

    @property
    def notes(self) -> tuple[str, ...]:
        """What to say when they have been drawn."""
        return ()

    def __iter__(self) -> Iterator[tuple[int, str]]:
        seed = self.samples.prompt.text
        yield 0, seed
        interrupted = False
        try:
            for character in self._draw(keep=self.several or self.samples.request.whole):
                yield 0, character
        except KeyboardInterrupt:
            interrupted = True
        for number, text in enumerate(self.texts[1:], start=1):
            yield number, seed + text
        if interrupted:
            raise KeyboardInterrupt

    def text(self, separator: str) -> Iterator[str]:
        """Yield all samples as one text, piece by piece, with a separator line between two;
        items of a list end with a newline of their own."""
        between = "" if self.samples.checkpoint.train.lines else f"\n{separator}\n"
        current = 0
        for number, piece in self:
            if number != current:
                yield between
                current = number
            yield piece

    def json_lines(self) -> Iterator[str]:
        """Yield one JSON object a line per sample.

        Its keys are `sample` (the number), `seed`, `text` (after the seed), `random_seed` and
        `bits_per_char`: the mean surprisal of that text under the model itself, at temperature 1
        and without filters; null for an empty text.
        """
        interrupted = False
        try:
            for _ in self._draw(keep=True, measure=True):
                pass
        except KeyboardInterrupt:
            interrupted = True
        for number, text in enumerate(self.texts):
            record: dict[str, object] = {
                "sample": number,
                "seed": self.samples.prompt.text,
                "text": text,
                "random_seed": self.samples.random_seed,
                "bits_per_char": self._bits[number] / len(text) if text else None,
            }
            yield json.dumps(record) + "\n"
        if interrupted:
            raise KeyboardInterrupt

    def _draw(self, keep: bool, measure: bool = False) -> Iterator[str]:
        """Draw all samples, and yield the characters of sample 0. With `keep` the texts are kept
        whole; with `measure` their surprisal is added up."""
        request, characters = self.samples.request, self.samples.checkpoint.vocabulary.characters
        until = request.until or ""
        if not keep:  # the text can be endless: `until` needs its last characters alone
            self._written = [deque(maxlen=len(until) or 1) for _ in self._written]
        going = list(range(request.num_samples))
        for ids, logits in itertools.islice(self._steps(), request.length or None):
            bits = surprisal(logits, ids) if measure else None
            for number in tuple(going):
                character = characters[ids[number] if self.several else ids]
                self._written[number].append(character)
                if bits is not None:
                    self._bits[number] += float(bits[number] if self.several else bits)
                if number == 0:
                    yield character
                if until and character == until[-1] and _ends_with(self._written[number], until):
                    going.remove(number)
            if not going:
                break

    def _steps(self) -> Iterator[tuple[Any, Floats]]:
        """Yield the ids of each step, an int or (B,), and the logits that they were drawn from."""
        samples, request = self.samples, self.samples.request
        streams = request.num_samples if self.several else None
        model, weights = samples.checkpoint.model, samples.checkpoint.weights
        return generate_with_logits(
            decoders_on(model, weights, request.device)(streams),
            samples.prompt.ids,
            request.sampling,
            samples.random_seed,
            streams,
        )


def _ends_with(characters: deque[str], end: str) -> bool:
    return len(characters) >= len(end) and all(
        a == b for a, b in zip(reversed(characters), reversed(end), strict=False)
    )
