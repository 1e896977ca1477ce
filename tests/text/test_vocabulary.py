import numpy as np
import pytest
from factories import fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text.vocabulary import Vocabulary, describe

any_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@fuzz
@given(any_text)
def test_decode_inverts_encode_for_any_text(text):
    vocabulary = Vocabulary.of(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text


@fuzz
@given(any_text)
def test_characters_are_the_distinct_ones_in_code_point_order(text):
    assert list(Vocabulary.of(text).characters) == sorted(set(text))


@fuzz
@given(any_text)
def test_ids_are_all_the_integers_below_the_size(text):
    vocabulary = Vocabulary.of(text)
    assert {vocabulary.id_of(character) for character in text} == set(range(len(vocabulary)))


@fuzz
@given(any_text, any_text)
def test_unknown_lists_each_missing_character_once_in_text_order(text, other):
    vocabulary = Vocabulary.of(text)
    expected = [c for i, c in enumerate(other) if c not in text and c not in other[:i]]
    assert vocabulary.unknown(other) == expected


@pytest.mark.parametrize(
    ("size", "dtype"),
    [(2, "u1"), (256, "u1"), (257, "u2"), (65_536, "u2"), (65_537, "u4")],
)
def test_ids_take_the_fewest_bytes_that_the_size_allows(size, dtype):
    first = 0xE000  # past the surrogates, with room for 65,537 in a row
    vocabulary = Vocabulary(range(first, first + size))
    last = chr(first + size - 1)
    assert vocabulary.encode(last).dtype == np.dtype(dtype)
    assert vocabulary.decode(vocabulary.encode(last)) == last


def test_every_code_point_of_unicode_fits_in_one_vocabulary():
    points = np.r_[0:0xD800, 0xE000:0x110000]
    vocabulary = Vocabulary(points)
    assert vocabulary.decode(vocabulary.encode("\0a\U0010ffff")) == "\0a\U0010ffff"


def test_no_text_encodes_to_no_ids():
    vocabulary = Vocabulary.of("ab")
    assert vocabulary.encode("").shape == (0,)
    assert vocabulary.decode([]) == ""


def test_decode_takes_plain_integers():
    assert Vocabulary.of("abc").decode([2, 0, 1]) == "cab"


@pytest.mark.parametrize("unknown", ["b", "\0", "\U0010ffff", "\ud800"])
def test_encode_names_the_first_unknown_character(unknown):
    with pytest.raises(KeyError) as caught:
        Vocabulary.of("ac").encode(f"a{unknown}cz")
    assert caught.value.args == (unknown,)


@pytest.mark.parametrize("unknown", ["b", "\0", "d", "\U0010ffff", "\ud800"])
def test_an_unknown_character_has_no_id_and_is_not_contained(unknown):
    vocabulary = Vocabulary.of("ac")
    assert vocabulary.id_of(unknown) is None
    assert unknown not in vocabulary


def test_a_known_character_is_contained():
    assert "c" in Vocabulary.of("ac")


@pytest.mark.parametrize(
    "code_points",
    [
        [],
        [98, 97],
        [97, 97],
        [-1, 97],
        [97, 0x110000],
        [97, 0xD800],
        [0xDFFF, 0xE000],
        [[97, 98]],
        [97.5, 98.5],
        ["97", "98"],
    ],
)
def test_code_points_must_be_rising_integers_within_unicode_without_surrogates(code_points):
    with pytest.raises(ValueError, match=r"code point|surrogate"):
        Vocabulary(code_points)


@pytest.mark.parametrize(
    ("known", "character", "stand_in"),
    [
        ("aB", "A", "a"),
        ("aB", "b", "B"),
        ("e", "é", "e"),
        ("e", "É", "e"),
        ("E", "é", "E"),
        ("eé", "É", "é"),
        ("'", "’", "'"),
        ('"', "“", '"'),
        ("-", "—", "-"),
        (" ", "\t", " "),
        (" ", "\u00a0", " "),
        ("\n", "\r", "\n"),
        ("f", "ﬁ", "f"),
        (".", "…", "."),
    ],
)
def test_nearest_stands_in_by_case_accent_or_plain_form(known, character, stand_in):
    assert Vocabulary.of(known).nearest(character) == stand_in


def test_nearest_keeps_the_case_where_both_are_known():
    assert Vocabulary.of("eE").nearest("É") == "E"


@pytest.mark.parametrize("character", ["z", "ß", "語", "\0", "\U0001f600"])
def test_nearest_is_none_where_nothing_comes_close(character):
    assert Vocabulary.of("ab\n").nearest(character) is None


@fuzz
@given(any_text, st.characters(exclude_categories=["Cs"]))
def test_nearest_only_names_known_characters(text, character):
    vocabulary = Vocabulary.of(text)
    nearest = vocabulary.nearest(character)
    assert nearest is None or nearest in text


@pytest.mark.parametrize(
    ("character", "shown"),
    [
        ("é", "'é' (U+00E9)"),
        ("'", '"\'" (U+0027)'),
        ("\U0001f600", "'\U0001f600' (U+1F600)"),
        ("\n", "newline (U+000A)"),
        ("\t", "tab (U+0009)"),
        ("\r", "carriage return (U+000D)"),
        ("\x1b", "unprintable (U+001B)"),
        ("\x9b", "unprintable (U+009B)"),
        ("\u202e", "unprintable (U+202E)"),
        ("\ud800", "unprintable (U+D800)"),
    ],
)
def test_describe_shows_a_character_safely_with_its_code_point(character, shown):
    assert describe(character) == shown


@fuzz
@given(st.characters())
def test_describe_never_holds_an_unprintable_character(character):
    assert describe(character).isprintable()
