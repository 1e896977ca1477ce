"""The tool in Python, as for notebooks: `charrnn_cli.load` and `charrnn_cli.train`.

Each call goes through the same doors as the command of its name and raises the errors of
`charrnn_cli.errors`. `import charrnn_cli` alone imports nothing of this.
"""

import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.checkpoints.checkpoint import load as load_checkpoint
from charrnn_cli.checkpoints.finding import find_checkpoint
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.config import SamplingConfig
from charrnn_cli.errors import UsageError
from charrnn_cli.inspection.facts import inspect
from charrnn_cli.models.registry import ARCHITECTURES
from charrnn_cli.sampling.samples import SampleRequest, samples_of
from charrnn_cli.scoring.score import Score, score_text
from charrnn_cli.settings import SAVE_EVERY, SETTINGS, Setting, settings_of

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
    text: Source | None = None,
    *,
    pairs: bool = False,
    name: str | None = None,
    checkpoints: Source = "checkpoints",
    resume: str | None = None,
    init_from: Source | None = None,
    device: str = "auto",
    threads: int | None = None,
    save_every: float = SAVE_EVERY,
    **settings: Any,
) -> "Iterator[Event]":
    """Train a model on a text file, or one of `pairs`; yield `Stepped`, `Evaluated`, `Finished`.

    `settings` are the options of `charrnn train` with underscores: `model`, `minutes`,
    `hidden_size`, `precision` and so on; what is left out is planned as the command plans it.
    Nothing is done until the first event is asked for. A loop that is left saves the run first:
    `resume` continues it, also without `text`. Raises UsageError for a setting that is unknown or
    outside its limits, and whatever the command reports as an error.
    """
    given = _checked(settings)
    from charrnn_cli.training.request import PairsRequest, Request
    from charrnn_cli.training.setup import open_training  # imports PyTorch

    request = Request(
        sources=() if text is None else (fspath(text),),
        pairs=PairsRequest() if pairs else None,
        given=given,
        checkpoints=Path(checkpoints),
        started=time.monotonic(),
        name=name,
        resume=resume,
        init_from=None if init_from is None else fspath(init_from),
        device=device,
        threads=threads,
        save_every=save_every,
    )
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


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that were given, each of its setting's type. Raises UsageError for one that is
    unknown or has a value that is not allowed."""
    rows: dict[str, Setting] = {
        row.key: row
        for row in (
            *settings_of("model", model=ARCHITECTURES),
            *settings_of("training"),
            SETTINGS["precision"],
        )
    }
    given = {}
    for key, value in settings.items():
        if key not in rows:
            raise UsageError(f"{key}: is no setting of a training. There are {', '.join(rows)}.")
        if value is None or value == "auto":
            continue
        row = rows[key]
        whole_number = isinstance(value, int) and not isinstance(value, bool)
        if row.type is float and whole_number:
            value = float(value)
        if not isinstance(value, row.type):
            raise UsageError(f"{key} {value!r}: must be of type {row.type.__name__}.")
        row.check(value)
        given[key] = value
    return given
