"""The tool in Python, as for notebooks: `charrnn_cli.load` and `charrnn_cli.train`.

Each call goes through the same doors as the command of its name and raises the errors of
`charrnn_cli.errors`. `import charrnn_cli` alone imports nothing of this.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.checkpoints.checkpoint import load as load_checkpoint
from charrnn_cli.checkpoints.finding import find_checkpoint
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.checkpoints.shipped import example_text
from charrnn_cli.config import SamplingConfig
from charrnn_cli.errors import UsageError
from charrnn_cli.inspection.facts import inspect
from charrnn_cli.models.registry import ARCHITECTURES
from charrnn_cli.sampling.samples import SampleRequest, samples_of
from charrnn_cli.scoring.score import Score, score_text
from charrnn_cli.settings import BEST_BY, SAVE_EVERY, SETTINGS, BestBy, Setting, settings_of
from charrnn_cli.text.pair_format import make_format
from charrnn_cli.text.sources import Sources, check_sources

if TYPE_CHECKING:
    from charrnn_cli.training.events import Event

Source = str | PathLike[str]


def load(
    name: Source | None = None, *, checkpoints: Source = "checkpoints", device: str = "auto"
) -> "TrainedModel":
    """Load a trained model: a run by its name or folder, or a checkpoint file; by default the
    newest run in the folder `checkpoints`.

    Raises CheckpointError if there is none or it is damaged. PyTorch is imported only for a
    `device` other than the CPU.
    """
    return TrainedModel(
        find_checkpoint(None if name is None else fspath(name), Path(checkpoints)), device
    )


class TrainedModel:
    """A trained model, to sample from and to score texts with."""

    def __init__(self, file: Path, device: str = "auto") -> None:
        self.file, self.device = file, device
        self.checkpoint: Checkpoint = load_checkpoint(file)

    def __repr__(self) -> str:
        model, name = self.checkpoint.model, Run(self.file.parent).name
        return f"<charrnn {model.architecture} {name!r}: {model.parameters:,} parameters>"

    @cached_property
    def info(self) -> dict[str, Any]:
        """The facts in the checkpoint, as `charrnn info --json` prints them: `val_loss`,
        `parameters`, `vocabulary`, `history` and more."""
        return inspect(self.file)

    def sample(
        self,
        seed: str = "",
        *,
        length: int = SETTINGS["length"].default,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        until: str | None = None,
        unknown: str = SETTINGS["unknown"].default,
        random_seed: int | None = None,
    ) -> str:
        """The seed and `length` characters after it, or fewer if the text `until` ends it.

        The same `random_seed` gives the same text, that of `charrnn sample --random-seed`. Raises
        UsageError for a seed with characters that the model does not know, unless `unknown` is
        `skip` or `replace`, and for a value outside its limits.
        """
        request = SampleRequest(
            checkpoint=str(self.file),
            checkpoints=self.file.parent,
            sampling=SamplingConfig(temperature, top_k, top_p, min_p),
            seed=seed,
            unknown=unknown,
            length=length,
            until=until,
            random_seed=random_seed,
            device=self.device,
            whole=True,
        )
        samples = samples_of(request, self.file, self.checkpoint)
        return "".join(piece for _, piece in samples.draw())

    def score(self, text: str) -> Score:
        """The surprisal of each character of a text, as `charrnn score` measures it; a notebook
        shows it as coloured text. Raises TextError for a text of fewer than 2 characters, and
        UsageError for a model of pairs."""
        if self.checkpoint.pairs is not None:
            raise UsageError(
                f"{self.file}: turns a source into a target and scores no text. Use translate."
            )
        return score_text(text, self.checkpoint, self.device)

    def translate(
        self,
        lines: Sequence[str],
        *,
        beam_size: int | None = None,
        unknown: str = SETTINGS["unknown"].default,
    ) -> list[str]:
        """The best translation of each line, as `charrnn translate` writes it; more `beam_size`
        candidates find likelier ones.

        Raises UsageError for a model that is not of pairs, TextError for a line that is no source.
        """
        from charrnn_cli.sampling.translation import TranslateRequest, Translator

        pairs = self.checkpoint.pairs
        if pairs is None:
            raise UsageError(
                f"{self.file}: continues texts and does not translate. Use sample, or load a model "
                "that was trained on pairs."
            )
        if isinstance(lines, str):
            raise UsageError("translate takes a list of lines. Give [line] for a single one.")
        if any("\n" in line for line in lines):
            raise UsageError("a line to translate has a newline in it. Give two lines instead.")
        if not lines:
            return []
        request = TranslateRequest(
            checkpoint=str(self.file),
            checkpoints=self.file.parent,
            lines=tuple(lines),
            beam_size=beam_size,
            unknown=unknown,
        )
        translator = Translator(request, self.file, self.checkpoint, pairs)
        return [one.targets[0].text for group in translator.groups() for one in group]


def train(
    text: Source | Sequence[Source] | None = None,
    *,
    glob: str | None = None,
    example: str | None = None,
    val_text: Source | Sequence[Source] | None = None,
    pairs: bool = False,
    source_columns: int | Sequence[int] | None = None,
    target_column: int | None = None,
    feature_columns: int | Sequence[int] | None = None,
    max_length: int | None = None,
    skip_bad_lines: bool = False,
    best_by: BestBy | None = None,
    name: str | None = None,
    checkpoints: Source = "checkpoints",
    resume: str | None = None,
    from_best: bool = False,
    changed_text: bool = False,
    init_from: Source | None = None,
    device: str = "auto",
    threads: int | None = None,
    save_every: float = SAVE_EVERY,
    **settings: Any,
) -> "Iterator[Event]":
    """Train a model on a text, or on a file of `pairs`; yield `Stepped`, `Evaluated`, `Finished`.

    `text` is a file, a folder or several of them; `val_text` is held out instead of a part of it.
    `settings` are the other options of `charrnn train` with underscores, such as `hidden_size`;
    what is left out is planned as the command plans it. Nothing is done until the first event is
    asked for. A loop that is left saves the run first: `resume` continues it.

    Raises UsageError for an argument that is unknown, makes no sense or is outside its limits;
    TextError for a text that cannot be read or is too short; CheckpointError for a `resume` or
    `init_from` that is missing, damaged or does not fit; WriteError if the run's folder cannot be
    written; RunInUseError while another process trains into it; DivergedError if a loss is no
    longer a number; MemoryLimitError if model and batch do not fit into memory.
    """
    given = _checked(settings)
    if example is not None:
        if text is not None:
            raise UsageError("example: stands for a text: leave text out.")
        text = example_text(example)
    sources, val_sources = _paths("text", text), _paths("val_text", val_text)
    check_sources(Sources(sources + val_sources, glob))
    reading = {
        "source_columns": _numbers("source_columns", source_columns),
        "target_column": target_column,
        "feature_columns": _numbers("feature_columns", feature_columns),
        "max_length": max_length,
    }
    how = _of_pairs(pairs, reading, val_sources, skip_bad_lines, best_by)
    from charrnn_cli.training.early_checks import check_request, check_runs
    from charrnn_cli.training.request import PairsRequest, Request

    request = Request(
        sources=sources,
        val_sources=() if pairs else val_sources,
        glob=glob,
        pairs=None if how is None else PairsRequest(**how),
        given=given,
        checkpoints=Path(checkpoints),
        started=time.monotonic(),
        name=name,
        resume=resume,
        from_best=from_best,
        changed_text=changed_text,
        init_from=None if init_from is None else fspath(init_from),
        device=device,
        threads=threads,
        save_every=save_every,
    )
    check_request(request)
    check_runs(request)
    from charrnn_cli.training.setup import open_training  # imports PyTorch

    with open_training(request) as training:
        left = False
        events = training.trainer.steps(lambda: left)
        try:
            for event in events:  # noqa: UP028 - `yield from` would close them when left
                yield event
        except (GeneratorExit, KeyboardInterrupt):
            left = True
            for _ in events:  # saves, and ends without another step
                pass
            raise


def _paths(name: str, given: Source | Sequence[Source] | None) -> tuple[str, ...]:
    """The paths of a text, of several or of none. Raises UsageError."""
    if given is None:
        return ()
    several = [given] if isinstance(given, str | PathLike) else given
    try:
        return tuple(fspath(one) for one in several)
    except TypeError:
        raise UsageError(f"{name} {given!r}: must be a path or a list of paths.") from None


def _numbers(name: str, given: int | Sequence[int] | None) -> str | None:
    """Columns in the form in which the command takes them, `1,3`. Raises UsageError."""
    if given is None:
        return None
    columns = tuple(given) if isinstance(given, Iterable) else (given,)
    if not all(type(column) is int for column in columns):
        raise UsageError(f"{name} {given!r}: must be numbers of columns, such as [1, 3].")
    return ",".join(map(str, columns))


def _of_pairs(
    pairs: bool,
    reading: Mapping[str, Any],
    val_sources: tuple[str, ...],
    skip_bad_lines: bool,
    best_by: BestBy | None,
) -> dict[str, Any] | None:
    """The fields of a `PairsRequest`; None for a text. Raises UsageError."""
    if not pairs:
        wishes = {**reading, "skip_bad_lines": skip_bad_lines or None, "best_by": best_by}
        for name, wish in wishes.items():
            if wish is not None:
                raise UsageError(f"{name}: is for pairs. Add pairs=True.")
        return None
    for name in ("target_column", "max_length"):
        if reading[name] is not None and type(reading[name]) is not int:
            raise UsageError(f"{name} {reading[name]!r}: must be a whole number.")
    if len(val_sources) > 1:
        raise UsageError("val_text: give one file of held-out pairs.")
    if best_by not in (None, *BEST_BY):
        raise UsageError(f"best_by {best_by!r}: must be one of {', '.join(BEST_BY)}.")
    return {
        "format": make_format(**reading),
        "val_source": next(iter(val_sources), None),
        "skip_bad_lines": skip_bad_lines,
        "best_by": best_by or BEST_BY[0],
    }


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that were given, each of its setting's type. Raises UsageError for one that is
    unknown or has a value that is not allowed."""
    known = *settings_of("model", model=ARCHITECTURES), *settings_of("training")
    rows: dict[str, Setting] = {row.key: row for row in (*known, SETTINGS["precision"])}
    given = {}
    for key, value in settings.items():
        if key not in rows:
            raise UsageError(f"{key}: is no setting of a training. There are {', '.join(rows)}.")
        if value is None or value == "auto":
            continue
        row = rows[key]
        if row.type is float and type(value) is int:
            value = float(value)
        if not isinstance(value, row.type):
            raise UsageError(f"{key} {value!r}: must be of type {row.type.__name__}.")
        row.check(value)
        given[key] = value
    return given
