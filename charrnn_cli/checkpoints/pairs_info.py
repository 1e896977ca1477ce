"""What a checkpoint of a model of pairs holds besides what every checkpoint holds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from charrnn_cli.checkpoints.records import checked, typed
from charrnn_cli.settings.table import BEST_BY, BestBy
from charrnn_cli.text.pair_format import PairFormat
from charrnn_cli.text.symbols import SymbolVocabulary
from charrnn_cli.text.vocabulary import Vocabulary

_FIELDS: Mapping[str, Any] = {
    "source_columns": list,
    "target_column": int,
    "feature_columns": list,
    "max_length": int,
    "skip_bad_lines": bool,
    "best_by": str,
    "source_vocabulary": list,
    "features": list,
    "pairs": int,
    "longest_source": int,
    "mean_source": float,
    "longest_target": int,
    "mean_target": float,
    "highest_ratio": float,
}


@dataclass(frozen=True)
class PairLengths:
    """How long the pairs are that a model was trained on, in symbols without the ends.

    `highest_ratio` is the largest number of target characters for each symbol of a source.
    """

    longest_source: int
    mean_source: float
    longest_target: int
    mean_target: float
    highest_ratio: float

    def limit(self, source_symbols: int) -> int:
        """The most characters of an output, for a source of so many symbols: a few more than the
        longest target has, or for a source longer than any of training that in proportion."""
        longest = self.longest_target * max(1, source_symbols / self.longest_source)
        return math.ceil(longest) + 5


@dataclass(frozen=True)
class PairsInfo:
    """How a file of pairs was read, the sources' vocabulary, and how long the pairs are.

    `target` is the vocabulary of the targets: the characters of `Checkpoint.vocabulary` and the
    end. `best_by` is what the best checkpoint is chosen by: `exact` matches or the `loss`. `pairs`
    counts those of the training part.
    """

    format: PairFormat
    source: SymbolVocabulary
    target: SymbolVocabulary
    lengths: PairLengths
    pairs: int
    best_by: BestBy = "exact"
    skip_bad_lines: bool = False

    @property
    def vocabulary_sizes(self) -> tuple[int, int]:
        """The numbers of symbols of targets and of sources, their ends included."""
        return len(self.target), len(self.source)

    @property
    def symbols(self) -> tuple[int, int]:
        """The symbols of all sources and of all targets of the training part, without the ends."""
        means = self.lengths.mean_source, self.lengths.mean_target
        source, target = (round(self.pairs * mean) for mean in means)
        return source, target


def to_json(info: PairsInfo) -> dict[str, Any]:
    """The record as a checkpoint stores it; the targets' vocabulary is stored elsewhere."""
    return {
        "source_columns": list(info.format.source_columns),
        "target_column": info.format.target_column,
        "feature_columns": list(info.format.feature_columns),
        "max_length": info.format.max_length,
        "skip_bad_lines": info.skip_bad_lines,
        "best_by": info.best_by,
        "source_vocabulary": info.source.characters.code_points.tolist(),
        "features": list(info.source.features),
        "pairs": info.pairs,
        **vars(info.lengths),
    }


def from_json(stored: Any, vocabulary: Vocabulary) -> PairsInfo:
    """The record from its stored form; `vocabulary` holds the characters of the targets.

    Raises ValueError, or UsageError for columns that make no sense.
    """
    values = checked(stored, _FIELDS)
    columns = {n: _integers(n, values[n]) for n in ("source_columns", "feature_columns")}
    if values["best_by"] not in BEST_BY:
        raise ValueError(f"best_by is {values['best_by']!r:.60}")
    lengths = {name: values[name] for name in PairLengths.__dataclass_fields__}
    for name, value in (lengths | {"pairs": values["pairs"]}).items():
        if not 0 < value < 2**53:
            raise ValueError(f"{name} is {value}")
    if not 1 <= values["max_length"] < 2**31:
        raise ValueError(f"max_length is {values['max_length']}")
    return PairsInfo(
        format=PairFormat(
            columns["source_columns"],
            values["target_column"],
            columns["feature_columns"],
            values["max_length"],
        ),
        source=SymbolVocabulary(Vocabulary(values["source_vocabulary"]), values["features"]),
        target=SymbolVocabulary(vocabulary),
        lengths=PairLengths(**lengths),
        pairs=values["pairs"],
        best_by=values["best_by"],
        skip_bad_lines=values["skip_bad_lines"],
    )


def _integers(name: str, values: list[Any]) -> tuple[int, ...]:
    return tuple(typed(name, value, int) for value in values)
