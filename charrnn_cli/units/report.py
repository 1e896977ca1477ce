"""From a checkpoint and a text to a report of the features that its units follow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text.known import read_known
from charrnn_cli.units.probe import (
    MAX_READ,
    MIN_READ,
    MIN_SPAN,
    Array,
    Finding,
    Study,
    Watch,
    read_states,
    study,
)

MOST_SHOWN = 4  # Excerpts are shown for at most 4 units.
MOST_LINES = 12  # An excerpt has at most 12 lines.
SHOWN = MIN_SPAN  # An excerpt has at most this many characters: so many always lie in one half.
VISIBLE = 0.3  # A correlation under 0.3 cannot be seen in a coloured text.


@dataclass(frozen=True)
class Excerpt:
    """An excerpt of the text, from character `start` on, with the activation of a unit after each
    of its T characters. `also` are the other features that the same unit follows best."""

    finding: Finding
    also: tuple[Finding, ...]
    start: int
    text: str
    activations: tuple[float, ...]


@dataclass(frozen=True)
class UnitReport:
    """What `charrnn info --units` reports. `characters` is the number of characters read; `notes`
    says in words what was changed in reading them."""

    file: Path
    source: str
    checkpoint: Checkpoint
    characters: int
    notes: tuple[str, ...]
    study: Study
    excerpts: tuple[Excerpt, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON can hold it; activations are rounded to thousandths."""
        return {
            "file": str(self.file),
            "text": self.source,
            "characters": self.characters,
            "notes": list(self.notes),
            "features": [_json_of(finding) for finding in self.study.findings],
            "left_out": [feature.name for feature in self.study.left_out],
            "shown": [
                {
                    "feature": excerpt.finding.feature.name,
                    "layer": excerpt.finding.layer,
                    "unit": excerpt.finding.unit,
                    "start": excerpt.start,
                    "text": excerpt.text,
                    "activations": [round(a, 3) for a in excerpt.activations],
                }
                for excerpt in self.excerpts
            ],
        }


def report_units(file: Path, source: str, watch: Watch = lambda share: None) -> UnitReport:
    """Read a text (a path, or `-` for stdin) with the model in a file, and compare the model's
    units with the text's features.

    Of a long text the first `MAX_READ` characters are read. An unknown character is read as the
    most similar known one (such as a letter without its accent) or left out; a model trained with
    `--min-count` reads it as U+FFFD. `watch` is called with the share done, from 0 to 1. Raises
    CheckpointError, or TextError for a text that is too short or has no feature that changes often.
    """
    checkpoint = load(file)
    if not checkpoint.model.units:
        kind = checkpoint.model.architecture
        if checkpoint.model.attention_heads:
            raise UsageError(f"--units: a model of kind {kind} has no state. Use --attention.")
        raise UsageError(
            f"--units: a model of kind {kind} has no hidden units that could be studied. "
            "Leave --units out."
        )
    name, text, notes = read_known(
        source,
        checkpoint.vocabulary,
        checkpoint.reads_replacement,
        checkpoint.train.normalize,
        most=MAX_READ,
        least=MIN_READ,
        option="--units",
    )
    found = study(checkpoint, text, watch)
    if not found.findings:
        raise TextError(
            f"{name}: nothing that units are compared with changes often enough in it. "
            "Give another text."
        )
    excerpts = tuple(_excerpts(checkpoint, text, found))
    return UnitReport(file, name, checkpoint, len(text), notes, found, excerpts)


def is_visible(finding: Finding) -> bool:
    """Whether a correlation exceeds both controls, and is large enough to be seen in a text."""
    return finding.gain > 0 and abs(finding.correlation) >= VISIBLE


def _excerpts(checkpoint: Checkpoint, text: str, found: Study) -> Iterator[Excerpt]:
    """The best findings, one per unit and at least one, each with an excerpt of the text."""
    best: dict[tuple[int, int], Finding] = {}
    for finding in found.findings:
        if (is_visible(finding) or not best) and len(best) < MOST_SHOWN:
            best.setdefault((finding.layer, finding.unit), finding)
    config, ids = checkpoint.model, checkpoint.vocabulary.encode(text)
    for (layer, unit), finding in best.items():
        start, end = _most_varied(text, found.values[finding.feature], found.measured)
        blocks = read_states(config, checkpoint.weights, ids, np.array([start]), end - start)
        row = layer * config.hidden_size + unit
        activations = tuple(np.concatenate([units[row] for _, units in blocks]).tolist())
        also = tuple(
            other
            for other in found.findings
            if (other.layer, other.unit) == (layer, unit) and other is not finding
        )
        yield Excerpt(finding, also, start, text[start:end], activations)


def _most_varied(text: str, values: Array, measured: Array) -> tuple[int, int]:
    """The start and end of the excerpt in which the feature varies most.

    It consists of whole lines, in the half of the text that the correlation was measured on. Values
    beyond two standard deviations are cut off, so that outliers do not decide. The activations do
    not count: the excerpt is not chosen to look good.
    """
    values = ((values - values.mean()) / values.std()).clip(-2, 2)
    places = np.flatnonzero(measured[: len(text) - SHOWN + 1])
    places = places[measured[places + SHOWN - 1]]
    starts = places[[at == 0 or text[at - 1] == "\n" for at in places]]
    starts = starts if len(starts) else places
    totals, squares = (
        np.concatenate([[0.0], np.cumsum(v, dtype=float)]) for v in (values, values * values)
    )
    mean = (totals[starts + SHOWN] - totals[starts]) / SHOWN
    variance = (squares[starts + SHOWN] - squares[starts]) / SHOWN - mean**2
    start = int(starts[np.argmax(variance)])
    lines = text[start : start + SHOWN].splitlines(keepends=True)
    whole = lines[:-1] if len(lines) > 1 else lines
    return start, start + sum(map(len, whole[:MOST_LINES]))


def _json_of(finding: Finding) -> dict[str, Any]:
    return {
        "feature": finding.feature.name,
        "meaning": finding.feature.meaning,
        "layer": finding.layer,
        "unit": finding.unit,
        "correlation": finding.correlation,
        "chosen_at": finding.chosen_at,
        "untrained": finding.untrained,
        "character": finding.character,
        "mean": finding.mean,
        "deviation": finding.deviation,
        "gain": finding.gain,
    }
