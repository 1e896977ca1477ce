"""Reading files of pairs into two arrays of ids, many lines at a time."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charrnn_cli.errors import TextError
from charrnn_cli.text.indexer import CODE_POINTS, Indexer
from charrnn_cli.text.pair_format import PairFormat, described, split_features
from charrnn_cli.text.ragged import Counts, Ragged, Rows
from charrnn_cli.text.reader import TextStream
from charrnn_cli.text.symbols import SymbolVocabulary
from charrnn_cli.text.vocabulary import Vocabulary, code_points

BLOCK = 1 << 19  # Lines are read some half a million characters at a time.
MAX_FEATURES = 1 << 16  # A file has at most so many distinct features.
END = CODE_POINTS + MAX_FEATURES  # The number of the end among code points.
TAB, NEWLINE = ord("\t"), ord("\n")

NO_TAB, NO_SOURCE, NO_TARGET, OTHER_COLUMNS = (
    "no tab", "an empty source", "an empty target", "another number of columns",
)  # fmt: skip

Points = npt.NDArray[np.int32]


class Cells(NamedTuple):
    """The cells of L lines of a block: where each begins and ends in it, (L, columns)."""

    points: Points
    begins: Counts
    ends: Counts


class PairReader:
    """Reads files of pairs, and collects sources and targets while their symbols are not yet known.

    A line that is no pair is refused, or with `skip_bad` counted and left out. A side is cut after
    `max_length` characters; a target that was cut has no end. Peak memory is one copy of the ids,
    of a byte each (two from 257 symbols on), some ten bytes a pair, and one block.
    """

    def __init__(self, pair_format: PairFormat, skip_bad: bool = False) -> None:
        self.format, self.skip_bad = pair_format, skip_bad
        self.pairs = 0
        self.cut = 0  # sides that were longer than `max_length`
        self.bad: Counter[str] = Counter()
        self.skipped: list[int] = []  # numbers of the lines of the first file that were left out
        self._sides = Indexer(END + 1), Indexer(END + 1)
        self._lengths: tuple[list[Rows], list[Rows]] = ([], [])
        self._features: dict[str, int] = {}
        self._columns = 2 if pair_format.is_default else 0  # 0: those of the first line

    def read(
        self, stream: TextStream, watch: Callable[[TextStream], None] = lambda stream: None
    ) -> None:
        """Read all lines of a stream. Raises TextError that names the first bad line."""
        number = 1
        for block in _blocks(stream):
            number += self._add(block, stream.name, number)
            watch(stream)

    def finish(self) -> tuple[Ragged, SymbolVocabulary, Ragged, SymbolVocabulary]:
        """The sources with their vocabulary and the targets with theirs. Call it once."""
        found: list[Ragged | SymbolVocabulary] = []
        names = list(self._features)
        for indexer, lengths in zip(self._sides, self._lengths, strict=True):
            points, ids = indexer.finish_points()
            known = [names[p - CODE_POINTS] for p in points.tolist() if CODE_POINTS <= p < END]
            vocabulary = SymbolVocabulary(Vocabulary(points[points < CODE_POINTS]), known)
            found += [Ragged.of(ids, *lengths), vocabulary]
            lengths.clear()
        source, source_vocabulary, target, target_vocabulary = found
        assert isinstance(source, Ragged)
        assert isinstance(target, Ragged)
        assert isinstance(source_vocabulary, SymbolVocabulary)
        assert isinstance(target_vocabulary, SymbolVocabulary)
        return source, source_vocabulary, target, target_vocabulary

    def _add(self, block: str, name: str, number: int) -> int:
        """Add the lines of a block, of which the first has this number; return how many there
        are."""
        points = code_points(block)
        line_ends = np.flatnonzero(points == NEWLINE)
        starts = np.concatenate([[0], line_ends[:-1] + 1])
        tabs = np.flatnonzero(points == TAB)
        first_tabs = np.searchsorted(tabs, starts)
        columns = np.searchsorted(tabs, line_ends) - first_tabs + 1
        if not self._columns:
            self._columns = self._expected(columns, name, number)
        right = columns == self._columns
        between = tabs[first_tabs[right, None] + np.arange(self._columns - 1)]  # (L, columns - 1)
        cells = Cells(
            points,
            np.concatenate([starts[right, None], between + 1], axis=1),
            np.concatenate([between, line_ends[right, None]], axis=1),
        )
        widths = cells.ends - cells.begins
        no_source = ~widths[:, [c - 1 for c in self.format.source_columns]].any(axis=1)
        no_target = widths[:, self.format.target_column - 1] == 0
        good = ~(no_source | no_target)
        if not (right.all() and good.all()):
            lines = number + np.flatnonzero(right)
            problems = dict.fromkeys((number + np.flatnonzero(~right)).tolist(), OTHER_COLUMNS)
            problems |= dict.fromkeys((number + np.flatnonzero(columns == 1)).tolist(), NO_TAB)
            problems |= dict.fromkeys(lines[no_target].tolist(), NO_TARGET)
            problems |= dict.fromkeys(lines[no_source].tolist(), NO_SOURCE)
            self._note_bad(problems, columns, name, number)
            cells = Cells(points, cells.begins[good], cells.ends[good])
        if len(cells.begins):
            self._add_cells(block, cells, name)
        return len(line_ends)

    def _add_cells(self, block: str, cells: Cells, name: str) -> None:
        self.pairs += len(cells.begins)
        wanted = self.format.source_columns, (self.format.target_column,)
        for side, columns in enumerate(wanted):
            points, lengths = _joined(cells, [column - 1 for column in columns])
            points, lengths = self._capped(points, lengths, is_target=side == 1)
            if self.format.feature_columns and side == 0:
                features, counts = self._features_of(block, cells, name)
                points, lengths = _merged(features, counts, points, lengths)
            self._sides[side].add_points(points)
            # as many bytes as the longest needs: most pairs are short, and there are many
            self._lengths[side].append(lengths.astype(np.min_scalar_type(lengths.max())))

    def _capped(self, points: Points, lengths: Counts, is_target: bool) -> tuple[Points, Counts]:
        """Sides, their ends included, with at most `max_length` characters each."""
        most = self.format.max_length
        over = lengths > most + 1
        if not over.any():
            return points, lengths
        self.cut += int(over.sum())
        places = np.arange(len(points)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        limits = np.where(over & is_target, most, most + 1)
        points[places == most] = END
        return points[places < np.repeat(limits, lengths)], np.minimum(lengths, limits)

    def _features_of(self, block: str, cells: Cells, name: str) -> tuple[Points, Counts]:
        """The features of all lines, one after another, and the number of each line's."""
        found: list[list[int]] = []
        known: dict[str, list[int]] = {}
        columns = [column - 1 for column in self.format.feature_columns]
        begins, ends = cells.begins[:, columns].tolist(), cells.ends[:, columns].tolist()
        for line in zip(begins, ends, strict=True):
            features: list[int] = []
            for begin, end in zip(*line, strict=True):
                cell = block[begin:end]
                if cell not in known:
                    known[cell] = [self._number_of(f, name) for f in split_features(cell)]
                features += known[cell]
            found.append(features)
        counts = np.fromiter(map(len, found), np.int64, len(found))
        return np.array([n for features in found for n in features], np.int32), counts

    def _number_of(self, feature: str, name: str) -> int:
        if len(self._features) == MAX_FEATURES and feature not in self._features:
            raise TextError(
                f"{name}: more than {MAX_FEATURES:,} distinct features. Is the column of "
                "--feature-columns the right one?"
            )
        return CODE_POINTS + self._features.setdefault(feature, len(self._features))

    def _expected(self, columns: Counts, name: str, number: int) -> int:
        """The number of columns that every line must have: that of the first line with enough."""
        needed = self.format.last_column
        enough = columns >= needed
        if enough[0] or (self.skip_bad and enough.any()):
            return int(columns[np.argmax(enough)])
        raise TextError(
            f"{name}: line {number:,}: {_columns(int(columns[0]))}, and column {needed} is asked "
            "for. Name other columns, or --skip-bad-lines."
        )

    def _note_bad(self, problems: dict[int, str], columns: Counts, name: str, number: int) -> None:
        """Count bad lines, given by number, or refuse the first of them."""
        first = min(problems)
        if self.skip_bad:
            self.bad.update(problems.values())
            self.skipped += sorted(problems)
            return
        raise TextError(
            f"{name}: line {first:,}: "
            f"{self._refusal(problems[first], int(columns[first - number]))}"
        )

    def _refusal(self, problem: str, columns: int) -> str:
        if problem == NO_TAB:
            return (
                "no tab. A line of pairs is source, tab, target (a running text is trained on "
                "without --pairs). Mend it, or skip such lines with --skip-bad-lines."
            )
        if problem == OTHER_COLUMNS and self.format.is_default:
            return (
                f"{_columns(columns)}, not 2. Name those to read with --source-columns and "
                "--target-column, or skip such lines with --skip-bad-lines."
            )
        if problem == OTHER_COLUMNS:
            return (
                f"{_columns(columns)}, but {self._columns} in the lines before. Mend it, or skip "
                "such lines with --skip-bad-lines."
            )
        side, column = ("source", self.format.source_columns)
        if problem == NO_TARGET:
            side, column = ("target", (self.format.target_column,))
        return (
            f"the {side} ({described(column)}) is empty. Mend it, or skip such lines with "
            "--skip-bad-lines."
        )

    def notes(self) -> tuple[str, ...]:
        """Sentences on lines that were left out, and on sides that were cut."""
        notes: tuple[str, ...] = ()
        if self.bad:
            kinds = ", ".join(f"{count:,} with {kind}" for kind, count in self.bad.items())
            notes += (
                f"{self.bad.total():,} bad lines skipped, the first is line {self.skipped[0]:,}: "
                f"{kinds}",
            )
        if self.cut:
            notes += (
                f"{self.cut:,} sources or targets are longer than {self.format.max_length:,} "
                "characters and were cut there (--max-length)",
            )
        return notes


def _columns(count: int) -> str:
    return f"{count} column{'s' * (count != 1)}"


def _joined(cells: Cells, columns: list[int]) -> tuple[Points, Counts]:
    """Some columns of each line joined by tabs, each line followed by its end; and the lengths."""
    begins, widths = cells.begins[:, columns], cells.ends[:, columns] - cells.begins[:, columns] + 1
    flat = widths.ravel()
    after = np.cumsum(flat)
    places = np.repeat(begins.ravel() - (after - flat), flat) + np.arange(after[-1])
    points = cells.points[places]
    points[after - 1] = TAB  # what follows a cell is a tab or the newline
    points[after[len(columns) - 1 :: len(columns)] - 1] = END
    return points, widths.sum(axis=1)


def _merged(
    first: Points, first_lengths: Counts, second: Points, second_lengths: Counts
) -> tuple[Points, Counts]:
    """Sequences of which each begins with one of the first and goes on with one of the second."""
    lengths = first_lengths + second_lengths
    places = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    is_first = places < np.repeat(first_lengths, lengths)
    merged = np.empty(len(places), np.int32)
    merged[is_first], merged[~is_first] = first, second
    return merged, lengths


def _blocks(stream: TextStream) -> Iterator[str]:
    """The text of a stream in pieces of whole lines; the last line gets a newline if it has
    none."""
    gathered: list[str] = []
    size = 0
    for piece in stream:
        gathered.append(piece)
        size += len(piece)
        if size >= BLOCK and "\n" in piece:
            text = "".join(gathered)
            cut = text.rindex("\n") + 1
            yield text[:cut]
            gathered, size = [text[cut:]], len(text) - cut
    rest = "".join(gathered)
    if rest:
        yield rest if rest.endswith("\n") else rest + "\n"
