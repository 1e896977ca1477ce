"""`charrnn_cli.load`: a trained model in Python.

Each call goes through the same doors as the command of its name and raises the errors of
`charrnn_cli.errors`.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from charrnn_cli.api.arguments import Source, of_type, optional, path, settings, several, shown
from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.checkpoints.checkpoint import load as load_checkpoint
from charrnn_cli.checkpoints.finding import find_checkpoint
from charrnn_cli.checkpoints.pairs_info import PairsInfo
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import UsageError
from charrnn_cli.inspection.facts import inspect
from charrnn_cli.sampling.samples import SampleRequest, samples_of
from charrnn_cli.scoring.pair_score import PairScore, score_of_pairs
from charrnn_cli.scoring.score import Score, score_text
from charrnn_cli.settings.configs import SamplingConfig
from charrnn_cli.settings.table import SETTINGS


def load(
    name: Source | None = None, *, checkpoints: Source = "checkpoints", device: str = "auto"
) -> "TrainedModel":
    """Load a trained model: a run by its name or folder, or a checkpoint file; by default the
    newest run in the folder `checkpoints`.

    Raises CheckpointError if there is none or it is damaged. PyTorch is imported only for a
    `device` other than the CPU.
    """
    which = None if name is None else path("name", name)
    of_type("device", device, str)
    return TrainedModel(find_checkpoint(which, Path(path("checkpoints", checkpoints))), device)


class TrainedModel:
    """A trained model, to sample from and to score texts with, or to translate and to score pairs
    with."""

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
        `skip` or `replace`, and for a value of a wrong type or outside its limits.
        """
        filters = settings(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
        wishes = settings(length=length, unknown=unknown, random_seed=random_seed)
        request = SampleRequest(
            checkpoint=str(self.file),
            checkpoints=self.file.parent,
            sampling=SamplingConfig(**filters),
            seed=optional("seed", seed, str),
            until=optional("until", until, str),
            device=self.device,
            whole=True,
            **wishes,
        )
        samples = samples_of(request, self.file, self.checkpoint)
        return "".join(piece for _, piece in samples.draw())

    @overload
    def score(self, text: str, /) -> Score: ...

    @overload
    def score(
        self, text: Iterable[tuple[str, str]], /, *, symbols: str | None = None
    ) -> PairScore: ...

    def score(
        self, text: str | Iterable[tuple[str, str]], /, *, symbols: str | None = None
    ) -> Score | PairScore:
        """How well the model knows a text, or pairs, as `charrnn score` measures it.

        Of a language model: the surprisal of each character of a text; a notebook shows it as
        coloured text. Of a model of pairs: how many sources of a list of `(source, target)` it
        turns into their targets, and the loss; with `symbols`, the text between symbols, also the
        symbol error rate. A source is as for `translate`.

        Raises TextError for a text of fewer than 2 characters, for no pairs, and for a source or
        target that is empty; UsageError for what is not of the model's kind.
        """
        optional("symbols", symbols, str)
        if self.checkpoint.pairs is None:
            if symbols is not None:
                raise UsageError("symbols: is for models of pairs. Leave it out.")
            return score_text(of_type("text", text, str), self.checkpoint, self.device)
        if isinstance(text, str):
            raise UsageError(
                f"{self.file}: turns a source into a target and scores no text. Give a list of "
                "pairs, [(source, target), …], or use translate."
            )
        given = several("text", text, "pairs, [(source, target), …]")
        pairs = [_as_pair(number, one) for number, one in enumerate(given, start=1)]
        return score_of_pairs(pairs, self.file, self.checkpoint, symbols)

    def translate(
        self,
        lines: Sequence[str],
        *,
        beam_size: int | None = None,
        unknown: str = SETTINGS["unknown"].default,
    ) -> list[str]:
        """The best translation of each line, as `charrnn translate` writes it; more `beam_size`
        candidates find likelier ones.

        Raises UsageError for a model that is not of pairs and for a value of a wrong type or
        outside its limits, TextError for a line that is no source.
        """
        from charrnn_cli.sampling.translation import TranslateRequest, Translator

        pairs = self._pairs_to_translate()
        if isinstance(lines, str):
            raise UsageError("translate takes a list of lines. Give [line] for a single one.")
        given = several("lines", lines, "lines")
        if any("\n" in of_type("line", line, str) for line in given):
            raise UsageError("a line to translate has a newline in it. Give two lines instead.")
        request = TranslateRequest(
            checkpoint=str(self.file),
            checkpoints=self.file.parent,
            lines=tuple(given),
            **settings(beam_size=beam_size, unknown=unknown),
        )
        if not given:
            return []
        translator = Translator(request, self.file, self.checkpoint, pairs)
        return [one.targets[0].text for group in translator.groups() for one in group]

    def _pairs_to_translate(self) -> PairsInfo:
        if self.checkpoint.pairs is None:
            raise UsageError(
                f"{self.file}: continues texts and does not translate. Use sample, or load a model "
                "that was trained on pairs."
            )
        return self.checkpoint.pairs


def _as_pair(number: int, given: Any) -> tuple[str, str]:
    """A source and a target. Raises UsageError for anything else, by its number."""
    texts = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else ()
    if len(texts) != 2 or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"pair {number:,}, {shown(given)}: must be two texts, (source, target).")
    if any("\n" in text for text in texts):
        raise UsageError(f"pair {number:,}: has a newline in it. Leave it out.")
    return texts[0], texts[1]
