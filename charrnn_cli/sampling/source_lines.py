"""Lines to translate, read as a model of pairs reads its sources."""

from collections.abc import Sequence

import numpy as np

from charrnn_cli.checkpoints.pairs_info import PairsInfo
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.models.decoder import Array
from charrnn_cli.sampling.prompt import MAX_NAMED, name_unknown
from charrnn_cli.text.pair_format import Source, described
from charrnn_cli.text.vocabulary import REPLACEMENT


class LineReader:
    """Turns lines into the ids of sources, and collects what it had to change in them.

    `unknown` is `refuse`, or `skip`, which leaves unknown symbols out, or `replace`, which puts
    U+FFFD in place of unknown characters and leaves unknown features out. `name` is that of the
    text. Raises UsageError if unknown characters cannot be replaced.
    """

    def __init__(self, pairs: PairsInfo, unknown: str) -> None:
        self.pairs, self.unknown = pairs, unknown
        self.name = "stdin"
        self._changed: dict[str, None] = {}  # unknown symbols, in the order in which they came
        self._changed_lines = 0
        self._cut_lines = 0
        if unknown == "replace" and REPLACEMENT not in pairs.source.characters:
            raise UsageError(
                "--unknown replace: this model has no U+FFFD to read unknown characters as; those "
                "trained with --min-count have. Use --unknown skip"
            )

    def read(self, line: str, number: int) -> Array:
        """The ids (S,) of a line's source, without the end; none for an empty line.

        The line is a source, or a whole line of a file like the one trained on, whose target is
        left out. Raises TextError, with the line's number.
        """
        if not line:
            return np.zeros(0, np.int64)
        source = self._columns(line, number)
        text = source.text
        if len(text) > self.pairs.format.max_length:
            text = text[: self.pairs.format.max_length]
            self._cut_lines += 1
        ids = [self.pairs.source.id_of_feature(feature) for feature in source.features]
        ids += [index if index >= 0 else None for index in self._look_up(text)]
        if None in ids:
            symbols = (*source.features, *text)
            lacking = [s for s, index in zip(symbols, ids, strict=True) if index is None]
            self._note_unknown(lacking, number)
            if self.unknown == "replace":
                replacement = self.pairs.source.characters.id_of(REPLACEMENT)
                first = len(source.features)
                ids[first:] = [replacement if index is None else index for index in ids[first:]]
        return np.array([index for index in ids if index is not None], np.int64)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was changed in the lines read so far."""
        notes: tuple[str, ...] = ()
        if self._changed:
            done = "read as U+FFFD" if self.unknown == "replace" else "left out"
            names = self._names([*self._changed])
            notes += (f"unknown, {done} in {_lines(self._changed_lines)}: {names}",)
        if self._cut_lines:
            limit = self.pairs.format.max_length
            notes += (
                f"read only {limit:,} characters of {_lines(self._cut_lines)}, as in training",
            )
        return notes

    def _columns(self, line: str, number: int) -> Source:
        form = self.pairs.format
        source = form.read_source(line) or form.source_in_pair(line)
        if source is None:
            columns = described(sorted((*form.source_columns, *form.feature_columns)))
            count = line.count("\t") + 1
            raise TextError(
                f"{self.name}: line {number:,}: has {count} column{'s' * (count != 1)}. This model "
                f"reads {columns} of lines like those of its training, with or without the target; "
                "tabs separate the columns."
            )
        return source

    def _look_up(self, text: str) -> list[int]:
        ids: list[int] = self.pairs.source.characters.look_up(text).tolist()
        return ids

    def _note_unknown(self, symbols: Sequence[str], number: int) -> None:
        if self.unknown == "refuse":
            replaceable = REPLACEMENT in self.pairs.source.characters
            ways = "--unknown skip, or replace" if replaceable else "--unknown skip"
            raise TextError(
                f"{self.name}: line {number:,}: the model never saw "
                f"{self._names(list(dict.fromkeys(symbols)))}. Leave that out, or use {ways}."
            )
        self._changed |= dict.fromkeys(symbols)
        self._changed_lines += 1

    def _names(self, symbols: list[str]) -> str:
        characters = [symbol for symbol in symbols if len(symbol) == 1]
        features = [f"the feature {symbol!r}" for symbol in symbols if len(symbol) > 1]
        named = [name_unknown(characters, self.pairs.source.characters)] if characters else []
        more = len(features) - MAX_NAMED
        rest = [f"{more} more features"] if more > 0 else []
        return ", ".join([*named, *features[:MAX_NAMED], *rest])


def _lines(count: int) -> str:
    return f"{count:,} line{'s' * (count != 1)}"
