"""What of a text is read to measure a loss: each character once, in passages of bounded size."""

import itertools

import numpy as np
import pytest
from factories import corpus_of_ids, fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text import corpus as module
from charrnn_cli.text.corpus import PASSAGE, Corpus
from charrnn_cli.text.dataset import IGNORE, whole
from charrnn_cli.text.rows import MAX_ROWS, WARM_UP

totals = st.integers(2, 3000)
contexts = st.none() | st.integers(1, 80)


def places(count: int) -> Corpus:
    """A text whose ids are their own places."""
    return corpus_of_ids(np.arange(count, dtype=np.uint16))


def measured(corpus: Corpus, context: int | None, part=whole) -> list[int]:
    """The targets that are measured, in rising order."""
    found = []
    for passage in corpus.passages(context, part):
        targets = passage.batch.targets
        found += targets[targets != IGNORE].tolist()
    return sorted(found)


@fuzz
@given(totals, contexts)
def test_every_character_but_the_first_is_measured_once(total, context):
    assert measured(places(total), context) == list(range(1, total))


@fuzz
@given(totals, contexts, st.integers(2, 4))
def test_processes_measure_together_what_one_does(total, context, size):
    def part_of(rank):
        return lambda count: slice(count * rank // size, count * (rank + 1) // size)

    found = [measured(places(total), context, part_of(rank)) for rank in range(size)]
    assert sorted(itertools.chain(*found)) == list(range(1, total))


@fuzz
@given(totals, contexts)
def test_a_target_is_the_character_after_its_input_or_to_be_ignored(total, context):
    for passage in places(total).passages(context):
        inputs, targets = passage.batch.inputs, passage.batch.targets
        assert inputs.shape == targets.shape
        assert ((targets == inputs + 1) | (targets == IGNORE)).all()


@pytest.mark.parametrize("context", [None, 64])
def test_no_passage_has_more_than_is_read_at_once(context):
    sizes = [passage.batch.inputs.shape for passage in places(20_000).passages(context)]
    assert max(steps for steps, _ in sizes) == (PASSAGE if context is None else context)
    assert max(rows for _, rows in sizes) == MAX_ROWS


@pytest.mark.parametrize("context", [None, 16])
def test_no_more_than_the_limit_is_measured(context, monkeypatch):
    monkeypatch.setattr(module, "MAX_MEASURED", 40)
    assert measured(places(1000), context) == list(range(1, 41))


def test_the_state_of_all_rows_begins_at_zero_and_that_of_the_first_again_before_its_own():
    fresh = [passage.fresh for passage in places(4000).passages(None)]
    assert fresh[0] == slice(None)
    own = WARM_UP // PASSAGE  # the passage in which the first row comes to its own characters
    assert fresh[own] == slice(0, 1)
    assert set(map(str, fresh[1:own] + fresh[own + 1 :])) == {str(slice(0, 0))}


def test_of_the_later_rows_alone_none_begins_again():
    def last(count):
        return slice(count - 1, count)

    fresh = [passage.fresh for passage in places(4000).passages(None, last)]
    assert fresh[0] == slice(None)
    assert set(map(str, fresh[1:])) == {str(slice(0, 0))}


def test_windows_each_begin_from_nothing():
    assert {str(p.fresh) for p in places(4000).passages(32)} == {str(slice(None))}


def test_a_process_without_a_row_reads_nothing():
    assert list(places(100).passages(None, lambda count: slice(count, count))) == []
    assert list(places(100).passages(32, lambda count: slice(count, count))) == []
