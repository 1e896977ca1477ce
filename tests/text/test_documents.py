"""Texts of documents and of lines: what their batches read, and what is held out of them."""

import numpy as np
import pytest
from factories import SONNETS, corpus_of, make_train_config

from charrnn_cli.errors import TextError
from charrnn_cli.text.corpus import MAX_MEASURED
from charrnn_cli.text.dataset import IGNORE, whole
from charrnn_cli.text.documents import MANY, as_documents, as_lines
from charrnn_cli.text.hashing import hashes_of_spans

NAMES = ["anna", "bo", "clara", "dan", "eva", "finn", "gro", "hans", "ida", "jo", "kai", "lea"]


def documents(*texts, hold_out="end"):
    corpus = corpus_of("".join(texts))
    corpus.document_starts = tuple(np.cumsum([0, *map(len, texts[:-1])]).tolist())
    return as_documents(corpus, hold_out)


def a_list(*items):
    return as_lines(corpus_of("\n" + "".join(f"{item}\n" for item in items)))


def rows_of(dataset, config, epoch=0):
    """What each batch row reads in an epoch, cut where its state starts afresh: its predictions as
    text, with the first input before them."""
    runs = [[] for _ in range(config.batch_size)]
    for batch in dataset.batches(config, epoch, whole(config.batch_size)):
        for row in range(config.batch_size):
            own = batch.targets[:, row] != IGNORE
            inputs, targets = batch.inputs[own, row], batch.targets[own, row]
            if batch.fresh[row]:
                runs[row].append([inputs[0]])
            assert runs[row][-1][-1] == inputs[0]  # goes on where the row's last window ended
            runs[row][-1] += targets.tolist()
    return [[dataset.vocabulary.decode(run) for run in row] for row in runs]


LONG = [SONNETS.read_text()[at : at + 200 + 37 * at // 1000] for at in range(0, 6000, 500)]


@pytest.mark.parametrize(("batch_size", "seq_length", "shuffle"), [(1, 16, False), (4, 30, False),
                                                                 (3, 16, True)])  # fmt: skip
def test_no_window_and_no_state_crosses_the_end_of_a_document(batch_size, seq_length, shuffle):
    dataset = documents(*LONG)
    config = make_train_config(batch_size=batch_size, seq_length=seq_length, shuffle=shuffle)
    for epoch in range(3):
        runs = [run for row in rows_of(dataset, config, epoch) for run in row]
        assert all(any(run in text for text in LONG) for run in runs)


def test_one_batch_row_reads_every_document_whole_in_an_order_drawn_anew():
    dataset = documents(*LONG)
    config = make_train_config(batch_size=1, seq_length=16)
    first, second = (rows_of(dataset, config, epoch)[0] for epoch in range(2))
    assert sorted(first) == sorted(second) == sorted(LONG)
    assert first != second


def test_as_many_batches_as_told_make_an_epoch():
    dataset = documents(*LONG)
    config = make_train_config(batch_size=4, seq_length=16)
    batches = [dataset.batches(config, epoch, whole(4)) for epoch in range(5)]
    assert {len(some) for some in batches} == {dataset.steps_per_epoch(config)}
    predicted = np.mean([(batch.targets != IGNORE).sum() for some in batches for batch in some])
    assert predicted == pytest.approx(dataset.predictions_per_step(config), rel=0.05)


def test_each_line_is_read_whole_after_a_newline_from_a_state_of_zero():
    dataset = a_list(*NAMES)
    config = dataset.fitted(make_train_config(batch_size=4, seq_length=3))
    runs = [run for row in rows_of(dataset, config) for run in row]
    assert sorted(runs) == sorted(f"\n{name}\n" for name in NAMES)


def test_lines_longer_than_a_window_carry_their_state_through_it():
    dataset = a_list(*NAMES)
    config = make_train_config(batch_size=1, seq_length=2)
    (runs,) = rows_of(dataset, config)
    assert sorted(runs) == sorted(f"\n{name}\n" for name in NAMES)


def test_processes_share_the_predictions_of_a_batch():
    dataset = a_list(*NAMES)
    config = make_train_config(batch_size=4, seq_length=8)
    parts = [dataset.batches(config, 0, rows) for rows in (slice(0, 3), slice(3, 4))]
    for one, other in zip(*parts, strict=True):
        counts = [(batch.targets != IGNORE).sum() for batch in (one, other)]
        assert one.share == pytest.approx(counts[0] / sum(counts))
        assert one.share + other.share == pytest.approx(1)


def test_empty_lines_are_no_items():
    assert len(a_list("a", "", "b", "").spans.end) == 2


def test_a_list_of_empty_lines_is_refused():
    with pytest.raises(TextError, match="has no line with anything on it"):
        a_list("", "")


def pieces(dataset):
    ids, spans = dataset.corpus.ids, dataset.spans
    return [
        dataset.vocabulary.decode(ids[first:end])
        for first, end in zip(spans.first, spans.end, strict=True)
    ]


def test_equal_lines_are_held_out_together():
    names = [f"{name}{number}" for number in range(30) for name in NAMES] * 3
    train, held_out = map(pieces, a_list(*names).split(0.1))
    assert not set(train) & set(held_out)
    assert len(train) + len(held_out) == len(names)
    assert 0.07 < len(held_out) / len(names) < 0.13


def test_the_order_of_a_list_does_not_change_what_is_held_out():
    _, held_out = a_list(*NAMES).split(0.2)
    _, of_reversed = a_list(*reversed(NAMES)).split(0.2)
    assert sorted(pieces(held_out)) == sorted(pieces(of_reversed))


def test_a_list_of_one_line_alone_has_nothing_to_hold_out():
    with pytest.raises(TextError, match="too few different lines to hold some out"):
        a_list(*["anna and bo and clara"] * 9).split(0.1)


def test_of_few_documents_the_end_of_each_is_held_out():
    _, held_out = documents(*LONG).split(0.1)
    assert all(
        text.endswith(piece) and 0.08 < len(piece) / len(text) < 0.12
        for text, piece in zip(LONG, pieces(held_out), strict=True)
    )


def test_of_many_documents_whole_ones_are_held_out_equal_ones_together():
    texts = [f"text number {number}: {number * '.'}" for number in range(MANY)] * 2
    dataset = documents(*texts, hold_out=None)
    train, held_out = (set(pieces(part)) for part in dataset.split(0.1))
    assert held_out
    assert not train & held_out
    assert train | held_out == {text[1:] for text in texts}


def test_blocks_spread_over_a_text_are_neither_trained_on_nor_context_of_training():
    text = "".join(f"{number:04d} " for number in range(2_000))
    train, held_out = documents(text, hold_out="blocks").split(0.1)
    assert len(held_out) == pytest.approx(0.1 * len(text), rel=0.02)
    assert len(pieces(held_out)) > 5
    origins, firsts, ends = train.spans
    begins, stops = held_out.spans.first, held_out.spans.end
    for origin, end in zip(origins, ends, strict=True):
        assert not ((begins < end) & (stops > origin)).any()
    assert (firsts > origins).all()


@pytest.mark.parametrize("context", [None, 10, 64])
@pytest.mark.parametrize("hold_out", ["end", "documents", "blocks", "items"])
def test_each_held_out_character_is_measured_once_with_its_own_past(context, hold_out):
    whole_text = a_list(*LONG) if hold_out == "items" else documents(*LONG, hold_out=hold_out)
    _, held_out = whole_text.split(0.3)
    readings = []  # inputs and targets (T, B), each from a state of zero on
    for batch, fresh in held_out.passages(context):
        if fresh == slice(None):
            readings.append(([], []))
        readings[-1][0].append(batch.inputs)
        readings[-1][1].append(batch.targets)
    measured = []
    for inputs, targets in (map(np.concatenate, reading) for reading in readings):
        for row in range(inputs.shape[1]):
            own = np.flatnonzero(targets[:, row] != IGNORE)
            measured += targets[own, row].tolist()
            read = [*inputs[: own[-1] + 1, row], targets[own[-1], row]]
            decoded = whole_text.vocabulary.decode(read)
            assert any(decoded in f"\n{text}\n" for text in LONG)
    spans, ids = held_out.spans, held_out.corpus.ids
    own = [ids[first:end] for first, end in zip(spans.first, spans.end, strict=True)]
    assert sorted(measured) == sorted(np.concatenate(own))


def test_of_much_that_is_held_out_a_part_is_measured():
    dataset = a_list(*(f"{number:09d}" for number in range(60_000)))
    measured = sum((batch.targets != IGNORE).sum() for batch, _ in dataset.passages(None))
    assert 0.9 * MAX_MEASURED < measured <= MAX_MEASURED + 10


def test_hashes_tell_spans_apart():
    ids = np.frombuffer(b"abcabcacb", np.uint8)
    first, end = np.array([0, 3, 6]), np.array([3, 6, 9])
    one, same, other = hashes_of_spans(ids, first, end)
    assert one == same != other
