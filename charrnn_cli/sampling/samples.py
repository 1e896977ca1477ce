"""From a request for samples to the model and the prompt that they are drawn with."""

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.checkpoints.finding import find_checkpoint
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import UsageError
from charrnn_cli.sampling.prompt import Prompt, escape_hint, name_unknown, read_prompt
from charrnn_cli.sampling.written import Drawing, Task
from charrnn_cli.settings.configs import SamplingConfig
from charrnn_cli.settings.table import SETTINGS, check_all
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.normalization import as_read

LENGTH = 500  # characters of a sample whose end the request does not say
MAX_LINE = 10_000  # characters a line, at most, of a sample of so many lines


@dataclass(frozen=True)
class SampleRequest:
    """What the user asked for; None means that it was not given.

    `length` is in characters after the seed, 0 means without end. `lines` is a number of lines, and
    `until` a text, that ends a sample. `whole` means that the samples are needed when they are
    complete: for JSON, or to be compared with the text learned.
    """

    checkpoint: str | None
    checkpoints: Path
    sampling: SamplingConfig
    seed: str | None = None
    seed_file: str | None = None
    unknown: str = SETTINGS["unknown"].default
    length: int | None = None
    lines: int | None = None
    until: str | None = None
    num_samples: int = SETTINGS["num_samples"].default
    random_seed: int | None = None
    device: str = SETTINGS["device"].default
    whole: bool = False

    @property
    def max_length(self) -> int | None:
        """The most characters that a sample has after the seed; None without a limit."""
        if self.length is None:
            return LENGTH if self.lines is None else MAX_LINE * self.lines
        return self.length or None


def open_samples(request: SampleRequest) -> "Samples":
    """Load the model and check the request; nothing is drawn yet. Raises CharRNNError."""
    _check(request)
    file = find_checkpoint(request.checkpoint, request.checkpoints, of_pairs=False)
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
    form = checkpoint.train.normalize
    prompt = read_prompt(request.seed, request.seed_file, request.unknown, vocabulary, form)
    if checkpoint.train.lines:
        request, prompt = _of_list(request, prompt, vocabulary.line_start)
    if request.until:
        until, _ = as_read(request.until, form, vocabulary)
        request = replace(request, until=until)
        if lacking := vocabulary.unknown(until):
            raise UsageError(
                f"--until: the model never writes {name_unknown(lacking, vocabulary)}, so it would "
                f"not stop there. Choose another text.{escape_hint(lacking)}"
            )
    if request.lines is not None and "\n" not in vocabulary:
        raise UsageError("--lines: the model never writes a newline. Use --length or --until.")
    if request.random_seed is not None:
        return Samples(request, file, checkpoint, prompt, request.random_seed, prompt.notes)
    random_seed, notes = secrets.randbits(32), prompt.notes
    if request.seed is not None and request.seed.isdecimal():
        notes += (
            f"Note: --seed {request.seed} is the text to continue. The seed of the random "
            f"generator is --random-seed {request.seed}",
        )
    if request.sampling.temperature > 0:
        # all that the user needs to get the same text again
        model = "" if request.checkpoint else f", model {file}"
        notes += (f"random seed {random_seed}{model}",)
    return Samples(request, file, checkpoint, prompt, random_seed, notes)


def _of_list(
    request: SampleRequest, prompt: Prompt, line_start: int
) -> tuple[SampleRequest, Prompt]:
    """The request and prompt for a model of a list. A sample of it is an item: it begins after a
    newline and ends with one; so many --lines are so many samples."""
    if request.until is not None:
        raise UsageError("--until: a sample of a list ends with its line. Leave --until out.")
    count = request.num_samples if request.lines is None else request.lines
    if request.lines is not None and request.num_samples > 1:
        raise UsageError("--lines: a sample of a list is one line. Use --num-samples alone.")
    most = SETTINGS["num_samples"].at_most
    if most is not None and count > most:
        raise UsageError(f"--lines {count}: of a list at most {most:,.0f} are drawn at a time.")
    length = LENGTH if request.length is None else request.length
    if prompt.text and not prompt.text.startswith("\n"):
        prompt = replace(prompt, ids=(line_start, *prompt.ids))
    return replace(request, lines=1, num_samples=count, length=length), prompt


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
    endless = request.max_length is None and not (request.until or request.lines)
    if endless and (request.num_samples > 1 or request.whole):
        raise UsageError(
            "--length 0: several samples, --json, --originality and --skip-copied need an end. "
            "Give --length, --lines or --until."
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

    def draw(self, learned: Corpus | None = None) -> Drawing:
        """Begin to draw the samples; every drawing gives the same ones. Those that stand in the
        text `learned` are left out, and others drawn in their place."""
        request = self.request
        task = Task(
            checkpoint=self.checkpoint,
            prompt=self.prompt,
            sampling=request.sampling,
            random_seed=self.random_seed,
            num_samples=request.num_samples,
            max_length=request.max_length,
            lines=request.lines,
            until=request.until or "",
            device=request.device,
            whole=request.whole,
        )
        return Drawing(task, learned)
