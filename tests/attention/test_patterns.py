"""What patterns name: for each character of a text, the earlier ones that a head could look at."""

import numpy as np
import pytest

from charrnn_cli.attention.patterns import PATTERNS, Text

BY_NAME = {pattern.name: pattern for pattern in PATTERNS}


def named(name, text, at, start=0):
    """The places that a pattern names for the character at a place of a text."""
    mask = BY_NAME[name].mask(Text(text), np.array([at]), start)
    assert mask.shape == (1, at + 1 - start)
    return (np.flatnonzero(mask[0]) + start).tolist()


@pytest.mark.parametrize(
    ("name", "text", "at", "places"),
    [
        ("this character", "abcd", 3, [3]),
        ("previous character", "abcd", 3, [2]),
        ("previous character", "abcd", 0, []),
        ("same character", "abcab a", 6, [0, 3]),
        ("same character", "abcaa", 4, [0]),  # not the one before
        ("same character", "abcd", 3, []),
        ("line start", "one\ntwo\n", 6, [3, 4]),
        ("line start", "one\ntwo\n", 7, [3, 4]),  # a newline ends its line
        ("line start", "one\ntwo\n", 5, [3]),  # the first character is the one before
        ("line start", "one", 2, [0]),
        ("word start", "so it goes", 9, [5, 6]),
        ("word start", "so it goes", 5, []),
        ("word start", "goes", 3, [0]),
        ("induction", "abxab", 3, [1]),
        ("induction", "abxabya", 6, [4]),  # the last occurrence, not the first
        ("induction", "xaba", 3, []),  # what came after it is the character before
        ("3-gram induction", "abcdxabc", 7, [3]),
        ("3-gram induction", "xbcdxabc", 7, []),
        ("3-gram induction", "abc", 2, []),
        ("context start", "abcdef", 4, [0]),
    ],
)
def test_a_pattern_names_these_places(name, text, at, places):
    assert named(name, text, at) == places


@pytest.mark.parametrize(
    ("name", "text", "at", "start", "places"),
    [
        ("same character", "abcabca", 6, 2, [3]),
        ("line start", "one\ntwo three", 10, 6, []),
        ("induction", "abxxxa", 5, 2, []),
        ("context start", "abcdef", 4, 2, [2]),
    ],
)
def test_what_lies_before_the_context_is_not_named(name, text, at, start, places):
    assert named(name, text, at, start) == places


def test_characters_outside_of_the_basic_plane_are_one_each():
    assert named("same character", "𝔞b𝔞", 2) == [0]


@pytest.mark.parametrize("text", ["a", "ab"])
def test_a_text_may_be_short(text):
    assert len(Text(text)) == len(text)
