"""Rare characters read as one: from the text to the model, to its samples, and through a resume."""

import json
import re

import numpy as np
import pytest
from factories import (
    SMALL,
    ask_to_train,
    corpus_of,
    files,
    fuzz,
    of_kind,
    one_line_error,
    train,
    words,
)
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.errors import ExitCode, TextError
from charrnn_cli.text.corpus import read_corpus
from charrnn_cli.text.vocabulary import REPLACEMENT, Vocabulary
from charrnn_cli.training.setup import LARGE_VOCABULARY, open_training
from charrnn_cli.units.report import report_units

pytestmark = pytest.mark.slow  # most tests train a model

RARE = words(250) + " Zürich, 馬 Zürich"  # Z ü r i c h twice, the horse once


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "rare.txt"
    path.write_text(RARE, "utf-8")
    return path


def test_characters_rarer_than_asked_are_read_as_one(text):
    corpus = read_corpus(str(text))
    corpus.fold_rare(2)
    expected = "".join(c if RARE.count(c) >= 2 else REPLACEMENT for c in RARE)
    assert corpus.vocabulary.decode(corpus.ids) == expected
    assert "馬" not in corpus.vocabulary
    assert "ü" in corpus.vocabulary
    assert "2 of 19 characters, rarer than 2 times each, read as U+FFFD" in corpus.notes[0]


def test_a_text_without_rare_characters_is_left_as_it_is(text):
    corpus = read_corpus(str(text))
    corpus.fold_rare(1)
    assert corpus.vocabulary.decode(corpus.ids) == RARE
    assert REPLACEMENT not in corpus.vocabulary


def test_a_count_that_leaves_nothing_is_refused(text):
    with pytest.raises(TextError, match=r"no character 1,000,000 times\. Lower --min-count"):
        read_corpus(str(text)).fold_rare(1_000_000)


@fuzz
@given(st.text(st.sampled_from("abcé馬\ufffd"), min_size=20), st.integers(1, 5))
def test_what_is_common_stays_and_lengths_are_the_same(tmp_path_factory, text, least):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_text(text, "utf-8")
    try:
        corpus = read_corpus(str(path))
        corpus.fold_rare(least)
    except TextError:
        return
    read = corpus.vocabulary.decode(corpus.ids)
    assert all(
        now == was if text.count(was) >= least else now == REPLACEMENT
        for was, now in zip(text, read, strict=True)
    )
    assert set(corpus.vocabulary.characters) == set(read)


@pytest.fixture
def model():
    """The kind of model, unless a test names others."""
    return "gru"


@pytest.fixture
def folding(model, text, tmp_path, monkeypatch):
    """The trainer of a model that reads rare characters as U+FFFD, and its held-out text."""
    whole = RARE + " the ráin in spain"  # the nearest of á, a, is common
    text.write_text(whole, "utf-8")
    wishes = of_kind(model)
    _, trainer = train(text, tmp_path / "checkpoints", name="x", min_count=3, **wishes)
    monkeypatch.chdir(tmp_path)
    return trainer, whole[-len(trainer.held_out_part) :]


@pytest.mark.parametrize("model", ["gru", "gpt2", "llama"])
@pytest.mark.parametrize("adapt", [[], ["--adapt"]])
def test_the_held_out_part_scores_its_held_out_loss(invoke, folding, adapt):
    trainer, held_out = folding
    done = invoke("score", "-", "--json", "--checkpoint", "x", *adapt, input=held_out)
    record = json.loads(done.stdout)
    loss = record["static"]["loss"] if adapt else record["loss"]
    assert loss == pytest.approx(load(trainer.run.best).val_loss, abs=1e-5)
    assert {"馬", "ü", "á"} < set(record["unknown_characters"])
    assert record["unknown"] == sum(c not in trainer.dataset.vocabulary for c in held_out)
    assert record["unknown_cost"] is None
    known = record["known_bits_per_char"] * (record["scored"] - record["unknown"])
    assert record["bits"] == pytest.approx(known + record["unknown_bits"])


def test_score_says_what_was_read_as_one(invoke, folding):
    done = invoke("score", "-", "--checkpoint", "x", input="the rain, 馬")
    assert re.search(r"unknown +2 characters, read as U\+FFFD, \d+\.\d bits in all: ", done.stdout)
    assert "of the text's, unknown characters as U+FFFD\n" in done.stdout
    two = invoke("score", "-", "--checkpoint", "x", "--checkpoint", "x", input="the rain, 馬")
    assert two.stdout.splitlines()[0].endswith("2 unknown read as U+FFFD  fits best")
    alone = invoke("score", "-", "--checkpoint", "x", input="馬")
    assert "1 character; scoring needs at least 2" in one_line_error(alone, ExitCode.TEXT)


def test_units_read_the_text_as_the_model_did(folding):
    trainer, _ = folding
    path = trainer.run.folder.parent.parent / "long.txt"
    path.write_text(words(1000) + "á", "utf-8")
    report = report_units(trainer.run.best, str(path))
    assert report.characters == len(words(1000)) + 1
    assert report.notes == (
        "1 characters that the model does not know, read as U+FFFD: 'á' (U+00E1)",
    )


@pytest.mark.parametrize("model", ["gru", "gpt2", "llama"])
def test_a_resumed_run_reads_its_text_as_before(text, tmp_path, model):
    wishes = {"min_count": 3, **of_kind(model)}
    _, whole = train(text, tmp_path / "whole", **wishes)
    train(text, tmp_path / "stopped", stop_at=11, **wishes)
    _, resumed = train(None, tmp_path / "stopped", resume="")
    assert files(resumed.run) == files(whole.run)
    assert REPLACEMENT in load(resumed.run.best).vocabulary


def test_a_changed_text_may_hold_unknown_characters_if_rare_ones_were_folded(text, tmp_path):
    train(text, tmp_path, stop_at=11, min_count=3)
    text.write_text(RARE + "☃", "utf-8")
    _, resumed = train(None, tmp_path, resume="", changed_text=True)
    assert resumed.dataset.ids[-1] == resumed.dataset.vocabulary.id_of(REPLACEMENT)


@pytest.mark.parametrize("model", ["gru", "gpt2", "llama"])
def test_another_model_lends_what_it_knows_to_a_folded_text(text, tmp_path, model):
    train(text, tmp_path, name="first", **of_kind(model))
    wishes = {"hidden_size": None, "num_layers": None, "seq_length": None}
    with open_training(
        ask_to_train(text, tmp_path, init_from="first", min_count=3, **wishes)
    ) as training:
        assert any("characters known, 1 new" in note for note in training.notes)


def test_the_option_reaches_the_checkpoint_and_its_samples(invoke, text):
    assert invoke("train", text, *SMALL, "--min-count", 3, "--name", "x").exit_code == 0
    facts = json.loads(invoke("info", "x", "--json").stdout)
    assert facts["training"]["min_count"] == 3
    assert REPLACEMENT in facts["vocabulary"]
    sample = ["sample", "x", "--random-seed", 1, "--length", 5, "--seed", "rain 馬"]
    line = one_line_error(invoke(*sample), ExitCode.USAGE)
    assert "use --unknown skip, or replace" in line
    assert invoke(*sample, "--unknown", "replace").stdout.startswith("rain \ufffd")
    assert invoke(*sample, "--unknown", "skip").stdout.startswith("rain ")


def test_a_model_without_the_replacement_character_cannot_replace(invoke, text):
    assert invoke("train", text, *SMALL, "--name", "x").exit_code == 0
    words = ["sample", "x", "--seed", "☃", "--unknown", "replace", "--random-seed", 1]
    assert "has no U+FFFD" in one_line_error(invoke(*words), ExitCode.USAGE)


def test_originality_compares_with_the_text_as_the_model_read_it(invoke, text):
    invoke("train", text, *SMALL, "--min-count", 3, "--name", "x")
    done = invoke("sample", "x", "--random-seed", 1, "--length", 60, "--originality")
    assert done.exit_code == 0, done.stderr
    assert "sequences are not in" in done.stderr


def test_a_large_vocabulary_is_told_with_what_would_be_left(tmp_path):
    path = tmp_path / "many.txt"
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + LARGE_VOCABULARY + 1)))
    path.write_text(characters + "abcdefghij" * 40, "utf-8")
    with open_training(ask_to_train(path, tmp_path)) as training:
        [note] = [note for note in training.notes if "--min-count" in note]
        assert "1,011 distinct characters" in note
        assert "--min-count 10 would leave 11" in note
    with open_training(ask_to_train(path, tmp_path, min_count=10)) as training:
        assert len(training.trainer.dataset.vocabulary) == 11
        assert not [note for note in training.notes if "would leave" in note]


@pytest.mark.parametrize(
    ("times", "more", "min_count", "end"),
    [
        (20, "", 20, "of the parameters"),  # followed already, and no character was rare
        (20, "☃" * 3, 20, "of the parameters"),
        (5, "abcdefghij" * 20, 5, "--min-count 10 would leave 11"),
        (5, "abcdefghij\ufffd" * 20, 1, "--min-count 10 would leave 11"),
    ],
)
def test_a_count_is_advised_only_if_it_would_leave_fewer(tmp_path, times, more, min_count, end):
    path = tmp_path / "many.txt"
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + LARGE_VOCABULARY + 1)))
    path.write_text(characters * times + more, "utf-8")
    with open_training(ask_to_train(path, tmp_path, min_count=min_count)) as training:
        [note] = [note for note in training.notes if "distinct characters" in note]
        assert note.endswith(end)


@pytest.mark.parametrize("fold", [False, True])
def test_a_text_in_its_own_vocabulary_is_the_same(text, fold):
    corpus = read_corpus(str(text))
    corpus.recode(Vocabulary.of(RARE), fold=fold)
    assert corpus.vocabulary.decode(corpus.ids) == RARE


def test_a_text_in_a_larger_vocabulary_reads_the_same():
    corpus = corpus_of("banana")
    corpus.recode(Vocabulary.of("abcnxyz馬"), fold=False)
    assert corpus.vocabulary.decode(corpus.ids) == "banana"
    assert corpus.ids.dtype == np.uint8
