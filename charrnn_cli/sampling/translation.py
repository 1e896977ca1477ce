"""From lines to their translations by a model of pairs, each as soon as it can be had."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.checkpoints.finding import find_checkpoint
from charrnn_cli.checkpoints.pairs_info import PairsInfo
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.environment import available_cores
from charrnn_cli.errors import CheckpointError, TextError, UsageError
from charrnn_cli.models.decoder import Array, Floats
from charrnn_cli.models.registry import build_pair_decoder
from charrnn_cli.sampling.beam_search import attention_of, search_all
from charrnn_cli.sampling.source_lines import LineReader
from charrnn_cli.settings.table import SETTINGS, check_all
from charrnn_cli.text.reader import TextStream

BEAM_SIZE = 3  # nothing was won by a wider beam (benchmarks/RESULTS.md)
BATCH_SIZE = 128


@dataclass(frozen=True)
class TranslateRequest:
    """What the user asked for; None means that it was not given.

    The lines are `lines`, those of `file`, or those of stdin.
    """

    checkpoint: str | None
    checkpoints: Path
    lines: tuple[str, ...] = ()
    file: str | None = None
    beam_size: int | None = None
    n_best: int = 1
    unknown: str = SETTINGS["unknown"].default
    batch_size: int = BATCH_SIZE


class Target(NamedTuple):
    """One translation of a line: its text, and its probability; None for an empty line."""

    text: str
    probability: float | None


class Attention(NamedTuple):
    """What the symbols of a target looked at: weights (T+1, S+1), each row of sum one.

    `source` and `target` are the symbols, the last of which is the empty text for the end.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: Floats


@dataclass(frozen=True)
class Translation:
    """A line, its number from 1, and its translations, the best first.

    `ids` are those of the source, and `target_ids` those of the best translation.
    """

    number: int
    line: str
    targets: tuple[Target, ...]
    ids: Array = field(repr=False)
    target_ids: Array = field(repr=False)


def open_translator(request: TranslateRequest) -> "Translator":
    """Load the model and check the request; nothing is read yet. Raises CharRNNError."""
    check_all({"unknown": request.unknown})
    if request.lines and request.file is not None:
        raise UsageError("--file and LINES exclude each other: use one of them.")
    if request.beam_size is not None and request.beam_size < request.n_best:
        raise UsageError(
            f"--beam-size {request.beam_size}: finds no {request.n_best} translations. Make it at "
            "least as large as --n-best."
        )
    try:
        file = find_checkpoint(request.checkpoint, request.checkpoints, of_pairs=True)
    except CheckpointError as error:
        if request.checkpoint is None:
            raise
        raise CheckpointError(
            f"{error} The model comes before the lines: charrnn translate MODEL LINE"
        ) from None
    checkpoint = load(file)
    if checkpoint.pairs is None:
        raise UsageError(
            f"{file}: is a language model, which has learned no pairs to translate by: charrnn "
            f"sample {request.checkpoint or Run(file.parent).name}"
        )
    return Translator(request, file, checkpoint, checkpoint.pairs)


class Translator:
    """Translates the lines of a request with a model of pairs.

    `file` is the model's file.
    """

    def __init__(
        self, request: TranslateRequest, file: Path, checkpoint: Checkpoint, pairs: PairsInfo
    ) -> None:
        self.request, self.file, self.pairs = request, file, pairs
        self.architecture = checkpoint.model.architecture
        self.reader = LineReader(pairs, request.unknown)
        self.decoder = build_pair_decoder(checkpoint.model, checkpoint.weights)
        self.beam_size = request.beam_size or max(BEAM_SIZE, request.n_best)

    def groups(self) -> Iterator[list[Translation]]:
        """The translations in the order of the lines, in groups of lines that are read together.

        Raises TextError for a line that is no source, after the translations of those before it.
        """
        number = 1
        for lines in self._lines():
            for begin in range(0, len(lines), self._lines_at_once):
                yield from self._translated(lines[begin : begin + self._lines_at_once], number)
                number += len(lines[begin : begin + self._lines_at_once])

    def attention(self, translation: Translation) -> Attention:
        """What the best translation of a line looked at. Raises UsageError for a model without
        attention."""
        try:
            weights = attention_of(self.decoder, translation.ids, translation.target_ids)
        except ValueError:
            raise UsageError(
                f"--attention: a model of kind {self.architecture} has none. Train one of kind "
                "attention or transformer."
            ) from None
        source, target = self.pairs.source, self.pairs.target
        return Attention(
            tuple(source.symbols[i] for i in (*translation.ids, source.end)),
            tuple(target.symbols[i] for i in (*translation.target_ids, target.end)),
            weights,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was changed in the lines read so far."""
        return self.reader.notes

    @property
    def _lines_at_once(self) -> int:
        # several batches, so that each has lines of like length
        return 16 * self.request.batch_size

    def _lines(self) -> Iterator[list[str]]:
        """The lines, in groups that can be had together."""
        if self.request.lines:
            self.reader.name = "the lines given"
            yield [line for text in self.request.lines for line in text.split("\n")]
            return
        stream = TextStream(self.request.file or "-", as_it_comes=True)
        self.reader.name = stream.name
        rest = ""
        for piece in stream:
            *lines, rest = (rest + piece).split("\n")
            if lines:
                yield lines
        if rest:
            yield [rest]

    def _translated(self, lines: list[str], number: int) -> Iterator[list[Translation]]:
        """The translations of some lines, of which the first has this number."""
        sources, refused = self._read(lines, number)
        found = self._search(sources)
        yield [
            Translation(number + offset, line, targets, ids, target_ids)
            for offset, (line, ids, (targets, target_ids)) in enumerate(
                zip(lines, sources, found, strict=False)
            )
        ]
        if refused is not None:
            raise refused

    def _read(self, lines: list[str], number: int) -> tuple[list[Array], TextError | None]:
        """The ids of some lines up to the first that is refused, and why that is."""
        sources: list[Array] = []
        try:
            for offset, line in enumerate(lines):
                sources.append(self.reader.read(line, number + offset))
        except TextError as error:
            return sources, error
        return sources, None

    def _search(self, sources: list[Array]) -> list[tuple[tuple[Target, ...], Array]]:
        """The translations of sources and the ids of the best, in batches of like length."""
        nothing = ((Target("", None),), np.zeros(0, np.int64))
        found: list[tuple[tuple[Target, ...], Array]] = [nothing for _ in sources]
        places = [place for place, ids in enumerate(sources) if len(ids)]
        batch = [sources[place] for place in places]
        results = search_all(
            self.decoder,
            batch,
            [self.pairs.lengths.limit(len(ids)) for ids in batch],
            self.beam_size,
            self.request.n_best,
            rows_at_once=self.request.batch_size,
            threads=available_cores(),
        )
        for place, hypotheses in zip(places, results, strict=True):
            targets = tuple(
                Target(self.pairs.target.decode(one.ids), math.exp(one.log_probability))
                for one in hypotheses
            )
            found[place] = targets, hypotheses[0].ids
        return found
