"""A text encoded as it is read is the text encoded when all of it is known."""

import numpy as np
import pytest
from factories import fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text import indexer as encoder
from charrnn_cli.text.indexer import Encoder, recoded
from charrnn_cli.text.vocabulary import Vocabulary

some_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
alphabet = st.builds(  # enough characters at once to need two bytes
    lambda first, count: "".join(map(chr, range(first, first + count))),
    st.integers(0, 2000),
    st.integers(0, 300),
)


@fuzz
@given(st.lists(some_text | alphabet, min_size=1).filter(any), st.integers(1, 400))
def test_pieces_give_the_vocabulary_and_the_ids_of_the_whole_text(pieces, size):
    whole = "".join(pieces)
    gathered = Encoder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder, "CHUNK", size // 3 + 1)
        patch.setattr(encoder, "BLOCK", size)
        for piece in filter(None, pieces):
            gathered.feed(piece)
        assert (len(gathered), gathered.distinct) == (len(whole), len(set(whole)))
        vocabulary, ids = gathered.finish()
    known = Vocabulary.of(whole)
    assert vocabulary.characters == known.characters
    assert ids.dtype == known.dtype
    assert ids.tolist() == known.encode(whole).tolist()


@pytest.mark.parametrize(("distinct", "size"), [(256, 1), (257, 2), (65_536, 2), (65_537, 4)])
def test_an_id_takes_no_more_bytes_than_the_vocabulary_needs(distinct, size):
    text = "".join(chr(n if n < 0xD800 else n + 0x800) for n in range(distinct))
    gathered = Encoder()
    gathered.feed(text[:200])
    gathered.feed(text)
    vocabulary, ids = gathered.finish()
    assert ids.itemsize == size
    assert vocabulary.decode(ids) == text[:200] + text


@fuzz
@given(
    st.lists(st.integers(0, 9), min_size=1), st.sampled_from(["u1", "u2", "u4"]), st.integers(1, 5)
)
def test_ids_are_looked_up_in_a_table_whatever_the_sizes(values, kind, chunk):
    table = np.arange(10)[::-1].astype(kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder, "CHUNK", chunk)
        for ids in (np.array(values, np.uint8), np.array(values, np.uint16)):
            result = recoded(ids, table)
            assert result.dtype == table.dtype
            assert result.tolist() == [9 - value for value in values]


def test_ids_that_need_no_more_room_take_no_other():
    ids = np.array([0, 1, 2], np.uint16)
    assert np.shares_memory(recoded(ids, np.array([5, 6, 7], np.uint8)), ids)
