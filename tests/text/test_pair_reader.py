"""Files of pairs: columns, features, what is refused, what is skipped, what is cut."""

from pathlib import Path

import pytest
from pair_files import pairs_of

from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text import pair_reader
from charrnn_cli.text.pair_file import read_pairs
from charrnn_cli.text.pair_format import PairFormat, make_format


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pairs.tsv"


def texts(pairs) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in map(pairs.pair, pairs.rows.tolist())]


def test_a_line_is_source_tab_target(path):
    assert texts(pairs_of(path, "ab x", "c yz")) == [("ab", "x"), ("c", "yz")]


def test_the_last_line_needs_no_newline(path):
    path.write_text("a\tb\nc\td")
    assert texts(read_pairs(str(path), PairFormat())) == [("a", "b"), ("c", "d")]


def test_sources_and_targets_have_vocabularies_of_their_own(path):
    pairs = pairs_of(path, "ab x", "c x")
    assert pairs.source_vocabulary.symbols == ("a", "b", "c", "")
    assert pairs.target_vocabulary.symbols == ("x", "")


def test_columns_can_be_named(path):
    pairs = pairs_of(path, "1 t s 2", "3 v u 4", source_columns=(3,), target_column=2)
    assert texts(pairs) == [("s", "t"), ("u", "v")]


def test_several_source_columns_are_one_source_with_tabs(path):
    pairs = pairs_of(path, "a t b", "c v d", source_columns=(1, 3), target_column=2)
    assert texts(pairs) == [("a\tb", "t"), ("c\td", "v")]


def test_source_columns_are_read_in_the_order_in_which_they_are_named(path):
    pairs = pairs_of(path, "a t b", "c v d", source_columns=(3, 1), target_column=2)
    assert texts(pairs)[0] == ("b\ta", "t")


def test_each_feature_is_one_symbol_in_front_of_the_source(path):
    pairs = pairs_of(path, "go went V;PST", "cat cats N;PL", feature_columns=(3,))
    assert pairs.pair(0) == (("V", "PST"), "go", "went")
    assert len(pairs.sources[0]) == 2 + len("go") + 1
    assert pairs.source_vocabulary.features == ("V", "PST", "N", "PL")


def test_a_feature_has_the_same_symbol_in_every_line(path):
    pairs = pairs_of(path, "a x V;PL", "b y PL", feature_columns=(3,))
    assert pairs.sources[0][1] == pairs.sources[1][0]


def test_an_empty_cell_has_no_features(path):
    path.write_text("a\tx\t\nb\ty\tPL\n")
    assert read_pairs(str(path), PairFormat((1,), 2, (3,))).pair(0).features == ()


def test_every_line_ends_with_the_end(path):
    pairs = pairs_of(path, "ab x", "c yz")
    assert pairs.sources[0][-1] == pairs.source_vocabulary.end
    assert pairs.targets[1][-1] == pairs.target_vocabulary.end


def test_what_was_read_in_many_blocks_is_what_was_read_in_one(path, monkeypatch):
    lines = [f"{number} {number * 7} {'ABC'[number % 3]};X" for number in range(300)]
    whole = pairs_of(path, *lines, feature_columns=(3,))
    monkeypatch.setattr(pair_reader, "BLOCK", 1)
    monkeypatch.setattr("charrnn_cli.text.reader.PIECE", 97)
    parts = pairs_of(path, *lines, feature_columns=(3,))
    assert parts.sources.ids.tolist() == whole.sources.ids.tolist()
    assert parts.targets.offsets.tolist() == whole.targets.offsets.tolist()
    assert [parts.pair(row) for row in range(300)] == [whole.pair(row) for row in range(300)]


# lines that are no pairs


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("a b", "ab"), r"line 2: no tab\."),
        (("a b", ""), r"line 2: no tab\."),
        (("a b", " b"), r"line 2: the source \(column 1\) is empty"),
        (("a b", "c d", "a "), r"line 3: the target \(column 2\) is empty"),
        (("a b c",), r"line 1: 3 columns, not 2\. Name those to read"),
    ],
)
def test_a_line_that_is_no_pair_is_refused_with_its_number_and_the_reason(path, lines, reason):
    with pytest.raises(TextError, match=rf"pairs\.tsv: {reason}.*"):
        pairs_of(path, *lines)


def test_with_named_columns_every_line_has_as_many_as_the_first(path):
    with pytest.raises(TextError, match=r"line 2: 2 columns, but 3 in the lines before"):
        pairs_of(path, "a b c", "a b", feature_columns=(3,))


def test_a_column_that_is_not_there_is_refused(path):
    with pytest.raises(TextError, match=r"line 1: 2 columns, and column 3 is asked for"):
        pairs_of(path, "a b", feature_columns=(3,))


def test_bad_lines_can_be_skipped_and_are_counted_by_reason(path):
    pairs = pairs_of(path, "a b", "x", "c d", "e f g", "h ", skip_bad=True)
    assert texts(pairs) == [("a", "b"), ("c", "d")]
    (note,) = pairs.notes
    assert note.startswith("3 bad lines skipped, the first is line 2: ")
    for reason in ("1 with no tab", "1 with another number", "1 with an empty target"):
        assert reason in note


def test_lines_keep_their_numbers_where_others_are_skipped(path):
    pairs = pairs_of(path, "x", "a b", "x", "x", "c d", "e f", skip_bad=True)
    assert [pairs.line_of(row) for row in range(3)] == [2, 5, 6]


def test_a_file_without_any_pair_is_refused(path):
    with pytest.raises(TextError, match=r"has no pairs"):
        pairs_of(path, "x", "y", skip_bad=True)
    with pytest.raises(TextError, match=r"has no pairs"):
        pairs_of(path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"source_columns": "1,2"}, "column 2 is named twice"),
        ({"target_column": 0}, "from 1 to"),
        ({"source_columns": "a"}, "--source-columns a: must be numbers"),
        ({"feature_columns": "3,,4"}, "--feature-columns 3,,4: must be numbers"),
    ],
)
def test_columns_that_make_no_sense_are_refused(columns, message):
    with pytest.raises(UsageError, match=message):
        make_format(**columns)


# long lines


def test_long_sides_are_cut_and_counted(path):
    pairs = pairs_of(path, "abcdef x", "a uvwxyz", "abc xyz", max_length=3)
    assert texts(pairs) == [("abc", "x"), ("a", "uvw"), ("abc", "xyz")]
    (note,) = pairs.notes
    assert note.startswith("2 sources or targets are longer than 3 characters")


def test_a_target_that_was_cut_has_no_end(path):
    pairs = pairs_of(path, "a uvwxyz", "abcdef xyz", max_length=3)
    end = pairs.target_vocabulary.end
    assert end not in pairs.targets[0]
    assert pairs.targets[1][-1] == end
    assert pairs.sources[1][-1] == pairs.source_vocabulary.end


def test_features_are_never_cut(path):
    pairs = pairs_of(path, "abcd x A;B;C", "e y D", feature_columns=(3,), max_length=2)
    assert pairs.pair(0) == (("A", "B", "C"), "ab", "x")


# how a single source is read


def test_a_source_alone_has_its_columns_in_the_order_of_the_file():
    read = PairFormat((1,), 2, (3,)).read_source("walk\tV;PST")
    assert read == (("V", "PST"), "walk")
    assert PairFormat((1,), 2, (3,)).read_source("walk") is None
    assert PairFormat().read_source("walk home") == ((), "walk home")
