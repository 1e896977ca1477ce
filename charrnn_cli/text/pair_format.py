"""How the lines of a file of pairs are read: which columns are source, target and features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from charrnn_cli.errors import UsageError

MAX_LENGTH = 256  # characters of a side that are read, unless --max-length says otherwise
MAX_COLUMN = 1_000


class Source(NamedTuple):
    """One source: its features, and its text."""

    features: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class PairFormat:
    """The columns of a file of pairs, counted from 1, and how much of a side is read.

    The columns of a line are separated by tabs. Several source columns are read as one text with
    tabs in it. A feature column holds features separated by `;`, each of which is one symbol in
    front of the source. Raises UsageError for columns that make no sense.
    """

    source_columns: tuple[int, ...] = (1,)
    target_column: int = 2
    feature_columns: tuple[int, ...] = ()
    max_length: int = MAX_LENGTH

    def __post_init__(self) -> None:
        columns = (*self.source_columns, *self.feature_columns, self.target_column)
        if self.max_length < 1:
            raise UsageError(f"--max-length {self.max_length}: must be at least 1.")
        if not self.source_columns:
            raise UsageError("--source-columns: must name at least one column.")
        if any(not 1 <= column <= MAX_COLUMN for column in columns):
            raise UsageError(f"columns are numbers from 1 to {MAX_COLUMN:,}.")
        if len(set(columns)) < len(columns):
            raise UsageError(
                f"column {next(c for c in columns if columns.count(c) > 1)} is named twice among "
                "--source-columns, --target-column and --feature-columns."
            )

    @property
    def is_default(self) -> bool:
        """Whether a line is just source, tab, target."""
        return (self.source_columns, self.target_column, self.feature_columns) == ((1,), 2, ())

    @property
    def last_column(self) -> int:
        """The largest number of a column that is read."""
        return max(*self.source_columns, *self.feature_columns, self.target_column)

    @property
    def input_columns(self) -> int:
        """How many columns a source has when it stands alone, without a target."""
        return len(self.source_columns) + len(self.feature_columns)

    def read_source(self, line: str) -> Source | None:
        """The source of a line without a target: its columns, in the order in which they stand in
        the training file. None for a line with another number of columns."""
        cells = line.split("\t")
        if len(cells) != self.input_columns:
            return None
        order = sorted((*self.source_columns, *self.feature_columns))
        return self._source(dict(zip(order, cells, strict=True)))

    def source_in_pair(self, line: str) -> Source | None:
        """The source of a line as it stands in the training file, with a target. None for a line
        with too few columns."""
        cells = line.split("\t")
        if len(cells) < self.last_column:
            return None
        return self._source(dict(enumerate(cells, start=1)))

    def _source(self, cells: dict[int, str]) -> Source:
        features = [f for column in self.feature_columns for f in split_features(cells[column])]
        return Source(tuple(features), "\t".join(cells[c] for c in self.source_columns))


def split_features(cell: str) -> list[str]:
    """The features in a cell, such as `N;ACC;PL`."""
    return [feature for feature in cell.split(";") if feature]


def column_numbers(option: str, given: str) -> tuple[int, ...]:
    """Columns as an option names them, such as `1,3`. Raises UsageError."""
    words = [word.strip() for word in given.split(",")]
    if not all(word.isdecimal() and len(word) < 10 for word in words):
        raise UsageError(f"{option} {given}: must be numbers of columns, such as 1,3.")
    return tuple(map(int, words))


def make_format(
    *,
    source_columns: str | None = None,
    target_column: int | None = None,
    feature_columns: str | None = None,
    max_length: int | None = None,
) -> PairFormat:
    """The format that options name; what is None is as in `PairFormat`. Raises UsageError."""
    default = PairFormat()
    return PairFormat(
        default.source_columns
        if source_columns is None
        else column_numbers("--source-columns", source_columns),
        default.target_column if target_column is None else target_column,
        () if feature_columns is None else column_numbers("--feature-columns", feature_columns),
        default.max_length if max_length is None else max_length,
    )


def described(columns: Sequence[int]) -> str:
    """Columns in words: `column 1`, `columns 1, 3`."""
    return f"column{'s' * (len(columns) > 1)} {', '.join(map(str, columns))}"
