"""From a checkpoint and a text to a report of what its attention heads follow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from charrnn_cli.attention.patterns import Mask, Text
from charrnn_cli.attention.probe import (
    MAX_READ,
    MIN_READ,
    SPAN,
    Array,
    Finding,
    Head,
    Study,
    Watch,
    study,
)
from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.errors import UsageError
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.text.known import read_known

MOST_SHOWN = 4  # Excerpts are shown for at most 4 heads.
SHOWN = 48  # An excerpt has at most 48 characters: a picture of more would not be legible.
MOST_COMPARED = 200  # An excerpt is the best of at most so many.


@dataclass(frozen=True)
class Excerpt:
    """T characters of the text, from character `start` on, and what a head looks at there.

    `weights` (T, T) are the attention weights of each character on those of the excerpt, and
    `before` (T,) the sum on all characters before it. `named` (T, T) has what the pattern names.
    `most` has for each character how far back the one lies that it looks at most, its weight, and
    which character it is; it may lie before the excerpt. `also` are the other patterns that the
    same head follows.
    """

    finding: Finding
    also: tuple[Finding, ...]
    start: int
    text: str
    weights: Array
    before: Array
    named: Mask
    most: tuple[tuple[int, float, str], ...]


@dataclass(frozen=True)
class AttentionReport:
    """What `charrnn info --attention` reports. `characters` is the number of characters read;
    `notes` says in words what was changed in reading them."""

    file: Path
    source: str
    characters: int
    notes: tuple[str, ...]
    study: Study
    excerpts: tuple[Excerpt, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON can hold it; the weights of excerpts are rounded to thousandths."""
        return {
            "file": str(self.file),
            "text": self.source,
            "characters": self.characters,
            "notes": list(self.notes),
            "patterns": [_json_of_finding(finding) for finding in self.study.best],
            "heads": [_json_of_head(head) for head in self.study.heads],
            "left_out": [pattern.name for pattern in self.study.left_out],
            "shown": [_json_of_excerpt(excerpt) for excerpt in self.excerpts],
        }


def report_attention(file: Path, source: str, watch: Watch = lambda share: None) -> AttentionReport:
    """Read a text (a path, or `-` for stdin) with the model in a file, and measure what its
    attention heads follow.

    Of a long text the first `MAX_READ` characters are read; unknown characters are treated as by
    `read_known`. `watch` is called with the share done, from 0 to 1. Raises CheckpointError,
    UsageError for a model without attention, or TextError for a text that is too short.
    """
    checkpoint = load(file)
    if not checkpoint.model.attention_heads:
        kind = checkpoint.model.architecture
        if checkpoint.model.units:
            raise UsageError(f"--attention: a model of kind {kind} has no heads. Use --units.")
        raise UsageError(
            f"--attention: a model of kind {kind} looks at a source. See it with charrnn translate "
            "MODEL LINE --attention"
        )
    name, text, notes = read_known(
        source,
        checkpoint.vocabulary,
        checkpoint.reads_replacement,
        checkpoint.train.normalize,
        most=MAX_READ,
        least=MIN_READ,
        option="--attention",
    )
    found = study(checkpoint, text, watch)
    excerpts = tuple(_excerpts(checkpoint, text, found))
    return AttentionReport(file, name, len(text), notes, found, excerpts)


def _excerpts(checkpoint: Checkpoint, text: str, found: Study) -> Iterator[Excerpt]:
    """The best findings, one per head and at least one, each with an excerpt of the text."""
    best: dict[tuple[int, int], Finding] = {}
    for finding in found.best:
        if (finding.is_followed or not best) and len(best) < MOST_SHOWN:
            best.setdefault((finding.layer, finding.head), finding)
    asked, ids = Text(text), checkpoint.vocabulary.encode(text)
    context = min(checkpoint.model.context or len(ids), len(ids))
    heads = {(head.layer, head.head): head for head in found.heads}
    for head, finding in best.items():
        also = tuple(other for other in heads[head].followed if other is not finding)
        start = _most_named(asked, finding, min(SHOWN, context))
        end = start + min(SHOWN, context)
        first = max(0, end - context)
        decoder = build_decoder(checkpoint.model, checkpoint.weights)
        layers = list(decoder.read_attention(ids[first:end]))
        weights = layers[finding.layer][finding.head, start - first :]  # (T, S)
        places = np.arange(start, end)
        most = weights.argmax(1)
        yield Excerpt(
            finding,
            also,
            start,
            text[start:end],
            weights[:, start - first :],
            weights[:, : start - first].sum(1),
            finding.pattern.mask(asked, places, first)[:, start - first :],
            tuple(
                (int(place - first - at), float(row[at]), text[first + at])
                for place, at, row in zip(places, most.tolist(), weights, strict=True)
            ),
        )


def _most_named(text: Text, finding: Finding, length: int) -> int:
    """The start of the excerpt in which the pattern names something for most characters.

    It lies in the half of the text that heads were measured on, and begins with a line if it can.
    Attention does not count: the excerpt is not chosen to look good.
    """
    places = np.arange(len(text) - length + 1)
    measured = (places // SPAN % 2 == 1) & ((places + length - 1) // SPAN % 2 == 1)
    measured &= places // SPAN == (places + length - 1) // SPAN
    places = places[measured] if measured.any() else places
    lines = places[text.line[places] == places - 1]
    starts = lines if len(lines) else places
    starts = starts[:: -(-len(starts) // MOST_COMPARED)]
    named = [
        int(finding.pattern.mask(text, np.arange(at, at + length), at).any(1).sum())
        for at in starts.tolist()
    ]
    return int(starts[int(np.argmax(named))])


def _json_of_finding(finding: Finding) -> dict[str, Any]:
    return {
        "pattern": finding.pattern.name,
        "meaning": finding.pattern.meaning,
        "layer": finding.layer,
        "head": finding.head,
        "places": finding.places,
        "weight": finding.weight,
        "even": finding.even,
        "by_distance": finding.by_distance,
        "untrained": finding.untrained,
        "chosen_at": finding.chosen_at,
        "gain": finding.gain,
        "followed": finding.is_followed,
    }


def _json_of_head(head: Head) -> dict[str, Any]:
    return {
        "layer": head.layer,
        "head": head.head,
        "look_back": head.look_back,
        "spread": head.spread,
        "patterns": [_json_of_finding(finding) for finding in head.findings],
    }


def _json_of_excerpt(excerpt: Excerpt) -> dict[str, Any]:
    return {
        "pattern": excerpt.finding.pattern.name,
        "layer": excerpt.finding.layer,
        "head": excerpt.finding.head,
        "start": excerpt.start,
        "text": excerpt.text,
        "looks_at": "".join(character for _, _, character in excerpt.most),
        "back": [back for back, _, _ in excerpt.most],
        "weight": [round(weight, 3) for _, weight, _ in excerpt.most],
        "before": excerpt.before.astype(float).round(3).tolist(),
        "weights": excerpt.weights.astype(float).round(3).tolist(),
    }
