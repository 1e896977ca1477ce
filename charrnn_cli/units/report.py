"""From a checkpoint and a text to what its units follow, with a stretch of the text to show it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text.reader import TextStream
from charrnn_cli.text.vocabulary import REPLACEMENT, describe
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

MOST_SHOWN = 4  # units with a stretch of text: what is looked at before it tires
MOST_LINES = 12  # of that stretch
SHOWN = MIN_SPAN  # characters that it is chosen from: as many as surely lie in one half
VISIBLE = 0.3  # correlation: of less the eye sees nothing
MAX_NAMED = 5  # unknown characters named in one message


@dataclass(frozen=True)
class Exhibit:
    """A stretch of the text, from character `start` on, with the activation of a unit after each
    of its characters, (T,). `also` are findings whose features the same unit follows best."""

    finding: Finding
    also: tuple[Finding, ...]
    start: int
    text: str
    activations: list[float]


@dataclass(frozen=True)
class UnitReport:
    """What `charrnn info --units` tells: `characters` were read, `notes` says how, in words."""

    file: Path
    source: str
    checkpoint: Checkpoint
    characters: int
    notes: tuple[str, ...]
    study: Study
    exhibits: tuple[Exhibit, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON can hold it; activations in thousandths."""
        return {
            "file": str(self.file),
            "text": self.source,
            "characters": self.characters,
            "notes": list(self.notes),
            "features": [_json_of(finding) for finding in self.study.findings],
            "left_out": [feature.name for feature in self.study.left_out],
            "shown": [
                {
                    "feature": exhibit.finding.feature.name,
                    "layer": exhibit.finding.layer,
                    "unit": exhibit.finding.unit,
                    "start": exhibit.start,
                    "text": exhibit.text,
                    "activations": [round(a, 3) for a in exhibit.activations],
                }
                for exhibit in self.exhibits
            ],
        }


def report_units(file: Path, source: str, watch: Watch = lambda share: None) -> UnitReport:
    """Read a text, a path or `-` for stdin, with the model in a file, and compare its units with
    what a person can name. Raises CheckpointError, or TextError for a text too short for that.

    Of a long text the first `MAX_READ` characters are read. One that the model does not know is
    read as its nearest (a plain letter for one with an accent), or left out, or as U+FFFD by a
    model that learned rare ones so. `watch` is told the share done.
    """
    checkpoint = load(file)
    if not checkpoint.model.units:
        raise UsageError(
            f"--units: a model of kind {checkpoint.model.architecture} has no hidden units that "
            "could be studied. Leave --units out."
        )
    stream = TextStream(source)
    name = stream.name
    text, goes_on = _beginning(stream)
    notes = [*stream.notes]
    if goes_on:
        notes.append(f"the first {MAX_READ:,} characters are read")
    text, changed = _as_known(text, checkpoint)
    notes += changed
    if len(text) < MIN_READ:
        raise TextError(
            f"{name}: {len(text):,} characters that the model knows; --units needs at least "
            f"{MIN_READ:,}. Give a longer text."
        )
    found = study(checkpoint, text, watch)
    if not found.findings:
        raise TextError(
            f"{name}: nothing that units are compared with changes often enough in it. "
            "Give another text."
        )
    exhibits = tuple(_exhibits(checkpoint, text, found))
    return UnitReport(file, name, checkpoint, len(text), tuple(notes), found, exhibits)


def _beginning(stream: TextStream) -> tuple[str, bool]:
    """The first `MAX_READ` characters of a text, and whether it goes on."""
    pieces, length = [], 0
    for piece in stream:
        pieces.append(piece)
        length += len(piece)
        if length > MAX_READ:  # what follows need not even be read
            break
    return "".join(pieces)[:MAX_READ], length > MAX_READ


def worth_a_look(finding: Finding) -> bool:
    """Whether a finding is above both controls, and strong enough to be seen in a text."""
    return finding.gain > 0 and abs(finding.correlation) >= VISIBLE


def _as_known(text: str, checkpoint: Checkpoint) -> tuple[str, list[str]]:
    """The text with unknown characters replaced or left out, and in words which."""
    vocabulary, folds = checkpoint.vocabulary, checkpoint.folds
    stand_ins: dict[str, str | int | None] = {
        character: REPLACEMENT if folds else vocabulary.nearest(character)
        for character in vocabulary.unknown(text)
    }
    if not stand_ins:
        return text, []
    number = sum(map(text.count, stand_ins))
    names = [
        describe(character) + ("" if folds else f" read as {known!r}" if known else " left out")
        for character, known in stand_ins.items()
    ]
    more = len(names) - MAX_NAMED
    named = ", ".join(names[:MAX_NAMED]) + (f" and {more} more kinds" if more > 0 else "")
    changed = text.translate(str.maketrans(stand_ins))
    which = "that the model does not know, read as U+FFFD" if folds else "that the model never saw"
    return changed, [f"{number:,} characters {which}: {named}"]


def _exhibits(checkpoint: Checkpoint, text: str, found: Study) -> Iterator[Exhibit]:
    """The best findings, each of another unit, with activations; at least one."""
    best: dict[tuple[int, int], Finding] = {}
    for finding in found.findings:
        if (worth_a_look(finding) or not best) and len(best) < MOST_SHOWN:
            best.setdefault((finding.layer, finding.unit), finding)
    config, ids = checkpoint.model, checkpoint.vocabulary.encode(text)
    for (layer, unit), finding in best.items():
        start, end = _stretch(text, found.values[finding.feature], found.measured)
        blocks = read_states(config, checkpoint.weights, ids, np.array([start]), end - start)
        row = layer * config.hidden_size + unit
        activations = np.concatenate([units[row] for _, units in blocks]).tolist()
        also = tuple(
            other
            for other in found.findings
            if (other.layer, other.unit) == (layer, unit) and other is not finding
        )
        yield Exhibit(finding, also, start, text[start:end], activations)


def _stretch(text: str, values: Array, measured: Array) -> tuple[int, int]:
    """From where to where a text is shown: whole lines, on the half that the correlation was
    measured on, where the feature varies most, its odd extremes cut off. The activations have no
    say in it."""
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
