"""What can be named in a text: each feature against texts made by hand."""

import numpy as np
import pytest
from factories import fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.units.features import FEATURES, Text

BY_NAME = {feature.name: feature for feature in FEATURES}


def values(name: str, text: str) -> list[int]:
    return BY_NAME[name].values(Text(text)).astype(int).tolist()


def marked(name: str, text: str) -> str:
    """The text with a dot for each character of which the feature does not hold."""
    return "".join(c if held else "." for c, held in zip(text, values(name, text), strict=True))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("line position", "ab\n\nc", [1, 2, 0, 0, 1]),
        ("line's end near", "abcdefghijkl\nab\n", [0, 0, *range(1, 11), 0, 9, 10, 0]),
        ("indentation", "a\n  b\n\nc\n", [0, 0, 1, 2, 2, 2, 2, 0, 0]),
        ("indentation", "\n\tb", [0, 1, 1]),
        ("paragraph line", "a\nb\n\nc", [1, 1, 2, 2, 0, 1]),
        ("sentence position", "Hi. No 3.5.\nx", [1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2]),
        ("sentence position", "a?' b", [1, 2, 0, 1, 2]),
        ("sentence position", "a\n\nb", [1, 2, 0, 1]),
        ("open brackets", "(a[b])c)", [1, 1, 2, 2, 1, 0, 0, 0]),
        ("open brackets", "(a\nb\n\nc", [1, 1, 1, 1, 0, 0, 0]),
        ("word position", "it is_3 -", [1, 2, 0, 1, 2, 3, 4, 0, 0]),
    ],
)
def test_a_graded_feature_is_what_it_says(name, text, expected):
    assert values(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("line end next", "ab\nc", ".b.."),
        ("colon line", "KING:\nAh: no\nif x: \n", "KING:\n.......if x: \n"),
        ("last line", "a\nb\n\nc", "..b\n.c"),
        ("double quotes", 'a "b c" d', '.."b c...'),
        ("double quotes", "a “b” «c» „d“", "..“b..«c..„d."),
        ("double quotes", 'one " alone\n\nand "two"', "." * 17 + '"two.'),
        ("single quotes", "'Fair,' quoth he", "'Fair," + "." * 10),
        ("single quotes", "'tis the lords' hand, it's", "." * 26),
        ("single quotes", "x = ['a', 'b']", ".....'a..." + "'b.."),
        ("single quotes", "‘It’s here.’ So", "‘It’s here." + "...."),
        ("tag", "a <b>c</b> < d >", "..<b..</b......."),
        ("comment", "a # b\nc", "..# b.."),
        ("comment", "http://a //b\n#c\n", ".........//b.#c."),
        ("comment", "a/*b\n*/c<!-- d -->", "./*b\n*..<!-- d --."),
        ("word end next", "it is.", ".t..s."),
        ("capitalised word", "Fair one, iPod A", "Fair...........A"),
        ("after a capital", "A BCd", ". .Cd"),
        ("capitals", "USA Ab", ".SA..."),
        ("capital letter", "aBÉ", ".BÉ"),
        ("vowel", "Été bÿш ио", "É.é.....ио"),
        ("digit", "a1²", ".1²"),
        ("punctuation", "a,+1 €", ".,+..€"),
        ("white space", "a b\n", ". .\n"),
    ],
)
def test_a_yes_or_no_feature_is_what_it_says(name, text, expected):
    assert marked(name, text) == expected


@fuzz
@given(st.text(st.sampled_from("aB1 \n\t.:'\"“”([{}])#/*<!->é_😀"), min_size=1))
def test_every_feature_is_a_finite_number_for_each_character(text):
    for feature in FEATURES:
        found = feature.values(Text(text)).astype(np.float32)
        assert found.shape == (len(text),)
        assert np.isfinite(found).all()


@fuzz
@given(st.text(st.sampled_from("aB1 \n.'\"([])#<>")).map("x".__add__))
def test_what_stands_before_an_empty_line_changes_nothing_after_it_but_indentation(text):
    for feature in FEATURES:
        if feature.name != "indentation":
            alone = feature.values(Text(text))
            after = feature.values(Text('A (b" [\n\n' + text))[-len(text) :]
            assert after.tolist() == alone.tolist(), feature.name


@pytest.mark.parametrize("sign", ["/*", "“", '"', "'", "(", "<a", "<!--", "# ", "//", " '"])
def test_a_sign_repeated_without_end_costs_no_more_than_a_moment(sign):
    for feature in FEATURES:
        assert len(feature.values(Text(sign * (20_000 // len(sign))))) == 20_000


def test_names_are_not_used_twice_and_sentences_fit_a_line():
    assert len(BY_NAME) == len(FEATURES)
    assert all(len(feature.meaning) < 80 for feature in FEATURES)
