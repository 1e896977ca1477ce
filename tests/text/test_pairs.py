"""Pairs as a dataset: the split by source, batches of like length, and what a batch holds."""

import numpy as np
import pytest
from factories import make_train_config
from pair_files import pairs_of, write_pairs

from charrnn_cli.errors import TextError
from charrnn_cli.text.dataset import IGNORE
from charrnn_cli.text.pair_file import read_pairs
from charrnn_cli.text.pair_format import PairFormat
from charrnn_cli.text.ragged import Ragged


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pairs.tsv"


@pytest.fixture
def many(path):
    """300 pairs of 100 sources."""
    lines = [f"{'ab' * (n % 7)}{n % 100} {'x' * (n % 11)}{n}" for n in range(300)]
    return pairs_of(path, *lines)


def sources(part) -> set[str]:
    return {part.pair(int(row)).source for row in part.rows}


# the split


def test_a_tenth_is_held_out(many):
    train, held_out = many.split(0.1)
    assert len(train.rows) + len(held_out.rows) == 300
    assert 28 <= len(held_out.rows) <= 36


def test_no_source_is_on_both_sides(many):
    train, held_out = many.split(0.1)
    assert not sources(train) & sources(held_out)


def test_which_sources_are_held_out_does_not_depend_on_the_order_of_the_lines(path):
    lines = [f"s{n} t{n}" for n in range(100)]
    _, one = pairs_of(path, *lines).split(0.1)
    _, other = pairs_of(path, *reversed(lines)).split(0.1)
    assert sources(one) == sources(other)


def test_equal_features_and_sources_are_held_out_together(path):
    lines = [f"w{n % 20} t{n} {'AB'[n // 20 % 2]}" for n in range(80)]
    train, held_out = pairs_of(path, *lines, feature_columns=(3,)).split(0.2)

    def keys(part):
        return {part.pair(int(row))[:2] for row in part.rows}

    assert held_out.rows.size
    assert not keys(train) & keys(held_out)


def test_pairs_of_a_single_source_are_refused(path):
    with pytest.raises(TextError, match="of one source"):
        pairs_of(path, "a b", "a c").split(0.1)


def test_two_sources_are_enough(path):
    train, held_out = pairs_of(path, "a b", "c d").split(0.1)
    assert (len(train.rows), len(held_out.rows)) == (1, 1)


def test_a_file_can_be_held_out_instead(path, tmp_path):
    other = write_pairs(tmp_path / "dev.tsv", "a X", "e Y")
    pairs = pairs_of(path, "a b", "c d", val_source=other)
    train, held_out = pairs.split(0.1)
    assert sources(train) == {"a", "c"}
    assert sources(held_out) == {"a", "e"}
    assert pairs.val_text.name == "dev.tsv"
    assert pairs.val_text.characters == 4  # with the ends


# batches


def epoch(part, config, number=0, rows=slice(None)):
    return list(part.batches(config, number, rows))


def test_every_pair_is_in_an_epoch_and_all_batches_are_full(many):
    config = make_train_config(batch_size=32)
    batches = many.batches(config, 0, slice(None))
    assert len(batches) == many.steps_per_epoch(config) == 10
    assert set(batches.numbers.ravel().tolist()) == set(range(300))
    assert all(batch.inputs.shape[1] == 32 for batch in batches)


def test_a_batch_holds_pairs_of_like_length(many):
    batches = many.batches(make_train_config(batch_size=30), 0, slice(None))
    spread = [np.ptp(many.sources.lengths(numbers)) for numbers in batches.numbers]
    assert np.mean(spread) < np.ptp(many.sources.lengths(many.rows)) / 4


def test_epochs_differ_and_are_repeatable(many):
    config = make_train_config(batch_size=32)
    orders = [many.batches(config, number, slice(None)).numbers for number in (0, 1, 0)]
    assert not np.array_equal(orders[0], orders[1])
    assert np.array_equal(orders[0], orders[2])


def test_inputs_are_the_targets_one_step_later_after_an_end(path):
    pairs = pairs_of(path, "ab xyz", "c x")
    batch = epoch(pairs, make_train_config(batch_size=2))[0]
    column = int(np.argmax((batch.targets != IGNORE).sum(axis=0)))
    end = pairs.target_vocabulary.end
    x, y, z = pairs.target_vocabulary.characters.encode("xyz").tolist()
    assert batch.targets[:, column].tolist() == [x, y, z, end]
    assert batch.inputs[:, column].tolist() == [end, x, y, z]
    assert batch.targets[:, 1 - column].tolist() == [x, end, IGNORE, IGNORE]
    assert batch.inputs[:, 1 - column].tolist() == [end, x, end, end]
    assert batch.source[:, 1 - column].tolist()[-1] == IGNORE


def test_parts_of_a_batch_are_its_columns_and_their_shares_add_up(many):
    config = make_train_config(batch_size=32)
    whole = epoch(many, config)[3]
    parts = [epoch(many, config, rows=rows)[3] for rows in (slice(0, 10), slice(10, 32))]
    for name in ("inputs", "targets", "source"):
        joined = np.concatenate([getattr(part, name) for part in parts], axis=1)
        assert np.array_equal(joined, getattr(whole, name))
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert all((part.targets != IGNORE).any() for part in parts)


def test_there_are_no_more_rows_in_a_batch_than_pairs(many):
    assert many.fitted(make_train_config(batch_size=1000)).batch_size == 300


def test_the_beginning_has_a_batch_of_the_middle_lengths(many):
    config = many.fitted(make_train_config(batch_size=64))
    some = many.beginning(config.batch_size * config.seq_length + 1)
    assert some.steps_per_epoch(config)
    assert epoch(some, config)[0].inputs.shape[1] == 64


def test_every_held_out_target_is_measured_once(many):
    _, held_out = many.split(0.2)
    measured = sum((p.batch.targets != IGNORE).sum() for p in held_out.passages(None))
    assert measured == len(held_out)


def test_processes_measure_the_same_as_one(many):
    def part(index):
        return lambda count: slice(count * index // 3, count * (index + 1) // 3)

    measured = [
        sum((p.batch.targets != IGNORE).sum() for p in many.passages(None, part(i)))
        for i in range(3)
    ]
    assert sum(measured) == len(many)


# other vocabularies


def test_ids_are_converted_to_other_vocabularies(path, tmp_path):
    pairs = pairs_of(path, "b y PL", "c z SG", feature_columns=(3,))
    other = pairs_of(tmp_path / "more.tsv", "abcd xyz SG", "a x PL", feature_columns=(3,))
    pairs.recode(other.source_vocabulary, other.target_vocabulary, fold=False)
    assert pairs.pair(0) == (("PL",), "b", "y")
    assert pairs.sources[0][-1] == other.source_vocabulary.end


def test_unknown_symbols_are_named(path, tmp_path):
    pairs = pairs_of(path, "é y PL", "c z SG", feature_columns=(3,))
    other = pairs_of(tmp_path / "more.tsv", "abc xyz SG", "a x SG", feature_columns=(3,))
    with pytest.raises(TextError, match=r"does not know 'é' \(U\+00E9\), the feature 'PL'"):
        pairs.recode(other.source_vocabulary, other.target_vocabulary, fold=False)


def test_rare_characters_of_each_side_are_read_as_one(path):
    pairs = pairs_of(path, "aaq xx", "ab xw", "ab xx")
    pairs.fold_rare(2)
    assert pairs.pair(0).source == "aa\ufffd"
    assert pairs.pair(1).target == "x\ufffd"


def test_a_pair_takes_a_byte_a_symbol_and_twelve_more(path):
    pairs = read_pairs(write_pairs(path, *["ab xyz"] * 1000), PairFormat())
    stored = (*vars(pairs.sources).values(), *vars(pairs.targets).values(), pairs.rows)
    assert sum(array.nbytes for array in stored) == 1000 * (len("ab.xyz.") + 12) + 8


def test_hashes_tell_sequences_apart_and_not_their_places():
    ragged = Ragged.of(np.array([1, 2, 2, 1, 1, 2, 1], np.uint8), np.array([2, 2, 2, 1]))
    one, two, three, four = ragged.hashes(np.arange(4), np.arange(3, dtype=np.uint64)).tolist()
    assert one == three
    assert len({one, two, four}) == 3
