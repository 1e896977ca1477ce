"""Indexing a text piece by piece gives the same ids as encoding the whole text."""

import numpy as np
import pytest
from factories import fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text import indexer
from charrnn_cli.text.indexer import Indexer, recoded
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
    indexed = Indexer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexer, "CHUNK", size // 3 + 1)
        patch.setattr(indexer, "BLOCK", size)
        for piece in filter(None, pieces):
            indexed.add(piece)
        assert (len(indexed), indexed.distinct) == (len(whole), len(set(whole)))
        vocabulary, ids = indexed.finish()
    known = Vocabulary.of(whole)
    assert vocabulary.characters == known.characters
    assert ids.dtype == known.dtype
    assert ids.tolist() == known.encode(whole).tolist()


@pytest.mark.parametrize(("distinct", "size"), [(256, 1), (257, 2), (65_536, 2), (65_537, 4)])
def test_an_id_takes_no_more_bytes_than_the_vocabulary_needs(distinct, size):
    text = "".join(chr(n if n < 0xD800 else n + 0x800) for n in range(distinct))
    indexed = Indexer()
    indexed.add(text[:200])
    indexed.add(text)
    vocabulary, ids = indexed.finish()
    assert ids.itemsize == size
    assert vocabulary.decode(ids) == text[:200] + text


@fuzz
@given(
    st.lists(st.integers(0, 9), min_size=1), st.sampled_from(["u1", "u2", "u4"]), st.integers(1, 5)
)
def test_recoding_looks_ids_up_in_a_table_of_any_type(values, kind, chunk):
    table = np.arange(10)[::-1].astype(kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexer, "CHUNK", chunk)
        for ids in (np.array(values, np.uint8), np.array(values, np.uint16)):
            result = recoded(ids, table)
            assert result.dtype == table.dtype
            assert result.tolist() == [9 - value for value in values]


def test_ids_of_no_larger_type_are_replaced_in_place():
    ids = np.array([0, 1, 2], np.uint16)
    assert np.shares_memory(recoded(ids, np.array([5, 6, 7], np.uint8)), ids)
