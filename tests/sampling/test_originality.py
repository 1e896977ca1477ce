"""Originality: what was copied is found, by a reference that compares plain strings."""

import pytest
from factories import corpus_of, fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.sampling import originality
from charrnn_cli.sampling.originality import GRAM, Originality, compare
from charrnn_cli.text import hashing

POEM = "From fairest creatures we desire increase, that thereby beauty's rose might never die\n"


def grams(text: str) -> list[str]:
    return [text[at : at + GRAM] for at in range(len(text) - GRAM + 1)]


def share_of_new(written: list[str], learned: str) -> float | None:
    news = [gram not in learned for text in written for gram in grams(text)]
    return sum(news) / len(news) if news else None


def length_of_longest_run(written: list[str], learned: str) -> int:
    """By trying every stretch of every text; 0 if it is under GRAM."""
    return max(
        (
            end - start
            for text in written
            for start in range(len(text))
            for end in range(start + GRAM, len(text) + 1)
            if text[start:end] in learned
        ),
        default=0,
    )


@st.composite
def texts_and_what_was_learned(draw):
    """Texts of pieces copied from what was learned, and of letters at random, 'c' unknown to it."""
    learned = draw(st.text("ab", min_size=30, max_size=80) | st.text("ab", min_size=1, max_size=9))
    ends = st.integers(0, len(learned))
    copied = st.tuples(ends, ends).map(lambda ends: learned[min(ends) : max(ends)])
    piece = copied | st.text("ab", min_size=GRAM, max_size=20) | st.text("abc", max_size=9)
    text = st.lists(piece, max_size=4).map("".join)
    return draw(st.lists(text, max_size=3)), learned


@fuzz
@given(texts_and_what_was_learned(), st.sampled_from([1, 2, 7, 8, 9, 1 << 20]))
def test_run_and_share_are_those_of_plain_comparison(case, chunk):
    written, learned = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(originality, "CHUNK", chunk)
        patch.setattr(hashing, "FILTER_BITS", 4)  # lets by many that are not there
        result = compare(written, corpus_of(learned))
    assert result.new == pytest.approx(share_of_new(written, learned))
    assert len(result.longest) == length_of_longest_run(written, learned)
    assert result.longest in learned
    assert not result.longest or any(result.longest in text for text in written)


@pytest.mark.parametrize("chunk", [1, 5, 8, 13, 1 << 20])
def test_a_verbatim_copy_has_nothing_new_wherever_chunks_end(monkeypatch, chunk):
    monkeypatch.setattr(originality, "CHUNK", chunk)
    assert compare([POEM], corpus_of(POEM)) == Originality(POEM, 0.0)
    assert compare([POEM[11:40]], corpus_of(POEM)) == Originality(POEM[11:40], 0.0)


def test_a_text_of_other_letters_is_all_new():
    assert compare([POEM.upper()], corpus_of(POEM)) == Originality("", 1.0)


@pytest.mark.parametrize("written", [[], [""], [POEM[: GRAM - 1]], [POEM[:4], POEM[4:9], ""]])
def test_too_little_to_compare_has_no_share(written):
    assert compare(written, corpus_of(POEM)) == Originality("", None)


def test_a_text_of_just_enough_characters_has_a_share():
    assert compare([POEM[:GRAM]], corpus_of(POEM)) == Originality(POEM[:GRAM], 0.0)


def test_what_was_learned_can_be_shorter_than_what_is_compared():
    assert compare([POEM], corpus_of("From")) == Originality("", 1.0)


@pytest.mark.parametrize("stranger", ["\N{SNOWMAN}", "X", "\0", "\U0010ffff"])
def test_a_character_unknown_to_the_corpus_never_matches(stranger):
    """Nor is it skipped: the eight sequences that it is part of are new."""
    result = compare([POEM[:20] + stranger + POEM[20:]], corpus_of(POEM))
    assert result.longest == POEM[20:]
    assert result.new == pytest.approx(GRAM / (len(POEM) + 1 - GRAM + 1))
    assert compare([stranger * 20], corpus_of("a" * 20)) == Originality("", 1.0)


def test_sequences_copied_from_two_places_are_no_longer_run():
    """Each is learned, and they follow one another here, but not there."""
    learned = "abcdefgh....bcdefghi"
    result = compare(["abcdefghi"], corpus_of(learned))
    assert result.new == 0
    assert len(result.longest) == GRAM


def test_a_run_is_followed_where_its_beginning_stands_in_several_places():
    learned = "abcdefgh1 abcdefgh2 abcdefgh3!"
    assert compare(["abcdefgh3!"], corpus_of(learned)).longest == "abcdefgh3!"


def test_the_share_is_that_of_all_texts_together_and_the_run_the_longest_of_any():
    copied, new = POEM[:30], "nothing of this was learned"
    result = compare([POEM[:10], copied, new], corpus_of(POEM))
    known = len(grams(POEM[:10])) + len(grams(copied))
    assert result.longest == copied
    assert result.new == pytest.approx(1 - known / (known + len(grams(new))))


def test_no_sequence_reaches_from_one_text_into_the_next():
    assert compare([POEM[:10], POEM[10:20]], corpus_of(POEM)).longest == POEM[:10]
    assert compare([POEM[:7], POEM[7:14]], corpus_of(POEM)).new is None
