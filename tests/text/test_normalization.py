"""Unicode's normal forms: a text in pieces, letters in the form that is known, mixed texts."""

import unicodedata

import pytest
from factories import corpus_of, fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text.corpus import read_corpus
from charrnn_cli.text.normalization import in_known_form, normalized_pieces
from charrnn_cli.text.vocabulary import Vocabulary

# letters with and without marks, of several scripts, and marks alone
LETTERS = ["a", "e\u0301", "\u00e9", "\u0301", "\u0323", "\u1e69", "s", " ", "\n", "\u212b", "中",
           "\u1112", "\u1161", "\u11ab", "\ud55c", "\U0001d15e", "\u0958"]  # fmt: skip


@fuzz
@given(
    pieces=st.lists(st.lists(st.sampled_from(LETTERS), min_size=1).map("".join)),
    form=st.sampled_from(["NFC", "NFD"]),
)
def test_a_text_in_pieces_is_normalised_as_a_whole(pieces, form):
    assert "".join(normalized_pieces(pieces, form)) == unicodedata.normalize(form, "".join(pieces))


def test_a_text_without_any_place_to_cut_is_given_in_bounded_pieces():
    pieces = list(normalized_pieces(["\u0e01" * 900] * 4, "NFC"))
    assert "".join(pieces) == "\u0e01" * 3600
    assert len(pieces) == 2


@pytest.mark.parametrize(
    ("known", "text", "read"),
    [
        ("abe\u0301", "a\u00e9b", "ae\u0301b"),
        ("ab\u00e9", "ae\u0301b", "a\u00e9b"),
        ("ae\u0323\u0301", "\u1eb9\u0301", "e\u0323\u0301"),
        ("ab", "a\u00e9b", "a\u00e9b"),
        ("abe", "a\u00e9b", "a\u00e9b"),
        ("e\u0301\u212b", "\u212b\u00e9", "\u212be\u0301"),
    ],
)
def test_letters_are_read_in_the_form_that_is_known(known, text, read):
    found, forms = in_known_form(text, Vocabulary.of(known))
    assert found == read
    assert bool(forms) == (text != read)


def test_a_text_that_mixes_both_forms_gets_a_note(tmp_path):
    path = tmp_path / "mixed.txt"
    path.write_text("caf\u00e9 " * 5 + "cafe\u0301 " * 3 + "u\u0308ber")
    [note] = read_corpus(str(path)).notes
    assert "5 times in one code point, as 'é', and 4 times in two, as 'e' and U+0301" in note
    assert "--normalize NFC" in note


@pytest.mark.parametrize(
    "text", ["caf\u00e9 x\u0301", "cafe\u0301", "cafe", "\ud55c\uad6d e\u0301"]
)
def test_a_text_in_one_form_gets_none(tmp_path, text):
    path = tmp_path / "plain.txt"
    path.write_text(text)
    assert read_corpus(str(path)).notes == ()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_text_is_read_in_the_form_asked_for(tmp_path, form):
    path = tmp_path / "mixed.txt"
    path.write_text("caf\u00e9 cafe\u0301")
    corpus = read_corpus(str(path), normalize=form)
    same = corpus_of(unicodedata.normalize(form, "café café"))
    assert corpus.vocabulary.decode(corpus.ids) == same.vocabulary.decode(same.ids)
    assert corpus.notes == ()
    assert corpus.sha256 == read_corpus(str(path)).sha256
