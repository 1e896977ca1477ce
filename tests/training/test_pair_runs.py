"""Trainings on pairs: what is refused, the best checkpoint, resuming, other weights, notes."""

import dataclasses
import shutil

import numpy as np
import pytest
from factories import ask_to_train, files, metrics_of, save_checkpoint, train
from pair_files import train_pairs, upper_pairs, write_pairs
from pairs import make_pair_checkpoint

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.checkpoints.records import Progress
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import CheckpointError, TextError, UsageError
from charrnn_cli.text.pair_format import PairFormat
from charrnn_cli.training.best import is_best
from charrnn_cli.training.diagnosis import diagnosis_of_pairs
from charrnn_cli.training.events import Accuracy, Evaluated
from charrnn_cli.training.request import PairsRequest
from charrnn_cli.training.setup import open_training

pytestmark = pytest.mark.slow  # whole trainings

EVERY_MODEL = pytest.mark.parametrize("model", ["seq2seq", "attention", "transformer"])


@pytest.fixture
def upper(tmp_path):
    return upper_pairs(tmp_path / "upper.tsv")


def test_pairs_are_learned(upper, tmp_path):
    events, trainer = train_pairs(upper, tmp_path, epochs=40, hidden_size=32, random_seed=1)
    best = max(e.accuracy.exact_matches for e in events if isinstance(e, Evaluated))
    assert best > 0.8
    record = {r["step"]: r for r in trainer.history}[trainer.progress.best_step]
    assert record["exact_matches"] == best


def test_a_run_keeps_what_its_model_made_of_held_out_sources(upper, invoke, tmp_path):
    sizes = ("--hidden-size", 16, "--num-layers", 1, "--epochs", 2, "--batch-size", 16)
    assert invoke("train", upper, "--pairs", "--name", "upper", *sizes).exit_code == 0
    samples = Run(tmp_path / "checkpoints/upper").samples()
    assert samples
    sources = {line.split("\t")[0] for line in upper.read_text().splitlines()}
    for sample in samples:
        assert {line.split(" → ")[0] for line in sample.text.splitlines()} <= sources


def test_without_a_model_pairs_are_learned_with_attention(upper, tmp_path):
    _, trainer = train_pairs(upper, tmp_path, epochs=0.1)
    assert trainer.model.config.architecture == "attention"


@EVERY_MODEL
def test_a_stopped_run_that_is_resumed_gives_the_bytes_of_one_that_was_not(upper, tmp_path, model):
    wishes = {"model": model, "num_heads": 2 if model == "transformer" else None}
    _, whole = train_pairs(upper, tmp_path / "whole", **wishes)
    _, begun = train_pairs(upper, tmp_path / "parts", stop_at=17, **wishes)
    assert begun.progress.step == 17
    _, resumed = train_pairs(None, tmp_path / "parts", resume="", pairs=None)
    assert files(resumed.run) == files(whole.run)
    assert [r["exact_matches"] for r in metrics_of(resumed.run)] == [
        r["exact_matches"] for r in metrics_of(whole.run)
    ]


def test_a_checkpoint_holds_what_is_needed_to_read_the_pairs_again(upper, tmp_path):
    _, trainer = train_pairs(upper, tmp_path, format=PairFormat(max_length=3), best_by="loss")
    pairs = load(trainer.run.best).pairs
    assert (pairs.format.max_length, pairs.best_by) == (3, "loss")
    assert pairs.source.characters.characters == "abcd"
    assert pairs.target.characters.characters == "ABCD"
    assert pairs.lengths.longest_source == 3
    assert pairs.pairs == len(trainer.train_part.rows)


def test_a_run_with_a_file_held_out_is_resumed_by_itself(upper, tmp_path):
    other = str(upper_pairs(tmp_path / "dev.tsv", 30, seed=2))
    _, whole = train_pairs(upper, tmp_path / "whole", val_source=other)
    train_pairs(upper, tmp_path / "parts", stop_at=20, val_source=other)
    _, resumed = train_pairs(None, tmp_path / "parts", resume="", pairs=None)
    assert files(resumed.run) == files(whole.run)
    assert load(resumed.run.last).val_text.path == other
    assert load(resumed.run.best).val_text.path is None


def test_another_held_out_file_is_refused_and_named(upper, tmp_path):
    other = upper_pairs(tmp_path / "dev.tsv", 30, seed=2)
    train_pairs(upper, tmp_path / "runs", stop_at=10, val_source=str(other))
    other.write_text("a\tA\nb\tB\n")
    with pytest.raises(TextError, match=r"dev\.tsv: not the text of run upper"):
        train_pairs(None, tmp_path / "runs", resume="", pairs=None)


def test_a_file_that_is_no_pairs_is_named_as_not_that_of_the_run(upper, tmp_path):
    other = upper_pairs(tmp_path / "dev.tsv", 30, seed=2)
    train_pairs(upper, tmp_path / "runs", stop_at=10, val_source=str(other))
    wrong = tmp_path / "poem.txt"
    wrong.write_text("no tab in it\n")
    with pytest.raises(TextError, match=r"poem\.txt: not the text of run upper \(SHA.*Give that"):
        train_pairs(wrong, tmp_path / "runs", resume="", pairs=None)
    with pytest.raises(TextError, match=r"poem\.txt: line 1: no tab"):
        train_pairs(wrong, tmp_path / "runs", resume="", pairs=None, changed_text=True)
    other.write_text("no tab either\n")
    with pytest.raises(TextError, match=r"dev\.tsv: not the text of run upper"):
        train_pairs(upper, tmp_path / "runs", resume="", pairs=None)


def test_a_held_out_file_that_is_gone_is_asked_for(upper, tmp_path):
    other = upper_pairs(tmp_path / "dev.tsv", 30, seed=2)
    train_pairs(upper, tmp_path / "runs", stop_at=10, val_source=str(other))
    shutil.move(other, tmp_path / "moved.tsv")
    with pytest.raises(UsageError, match=r"dev\.tsv, are not there; give them again with --val-t"):
        train_pairs(None, tmp_path / "runs", resume="", pairs=None)
    again = PairsRequest(val_source=str(tmp_path / "moved.tsv"))
    train_pairs(None, tmp_path / "runs", resume="", pairs=again)


def test_a_resumed_run_keeps_how_its_pairs_are_read(upper, tmp_path):
    train_pairs(upper, tmp_path / "runs", stop_at=10)
    with pytest.raises(UsageError, match="keeps how its pairs are read"):
        train_pairs(None, tmp_path / "runs", resume="", pairs=PairsRequest(best_by="loss"))


# what is refused


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"model": "gru"}, r"--model gru: does not learn from pairs\. Leave out --pairs"),
        ({"seq_length": 16}, "--seq-length 16: pairs are read whole. Use --max-length"),
        ({"num_heads": 2}, "--num-heads: a model of kind attention has none"),
        ({"val_source": "x", "val_fraction": 0.2}, "--val-fraction and --val-text exclude"),
    ],
)
def test_what_pairs_cannot_have_is_refused_and_leaves_no_folder(upper, tmp_path, wishes, message):
    with pytest.raises(UsageError, match=message):
        train_pairs(upper, tmp_path / "runs", **wishes)
    assert not (tmp_path / "runs").exists()


def test_a_model_of_pairs_does_not_learn_a_text(rain, tmp_path):
    with pytest.raises(UsageError, match=r"--model attention: learns from pairs.* Add --pairs"):
        train(rain, tmp_path / "runs", model="attention")


def test_a_text_whose_lines_all_have_a_tab_gets_a_note(upper, rain, tmp_path):
    with open_training(ask_to_train(upper, tmp_path)) as training:
        assert any("add --pairs" in note for note in training.notes)
    with open_training(ask_to_train(rain, tmp_path)) as training:
        assert not any("add --pairs" in note for note in training.notes)


# other weights


def test_a_new_run_starts_from_the_weights_of_symbols_that_both_know(upper, tmp_path):
    train_pairs(upper, tmp_path / "runs", name="old")
    old = load(tmp_path / "runs" / "old" / "best.safetensors")
    new = write_pairs(tmp_path / "new.tsv", "bx Y", "cz B", "bd BD", "zz YY", "xb C")
    sizes = dict.fromkeys(("hidden_size", "num_layers", "seq_length"))
    request = ask_to_train(
        new, tmp_path / "runs", init_from="old", pairs=PairsRequest(), batch_size=2, **sizes
    )
    with open_training(request) as training:
        trainer = training.trainer
        assert any("3 source symbols known, 2 new" in note for note in training.notes)
        weights = dict(trainer.model.named_parameters())
        ours, theirs = trainer.dataset.source_vocabulary, old.pairs.source
        name = "encoder_forward.0.weight_ih"
        for ids in ((ours.encode("b"), theirs.encode("b")), (ours.end, theirs.end)):
            np.testing.assert_array_equal(
                weights[name].detach().numpy()[:, ids[0]], old.weights[name][:, ids[1]]
            )


@pytest.mark.parametrize("adds", [False, True])
def test_a_new_run_has_its_positions_where_the_model_that_it_starts_from_has(upper, tmp_path, adds):
    start = make_pair_checkpoint("transformer", adds_positions=adds)
    save_checkpoint(tmp_path / "runs" / "old" / "best.safetensors", start)
    sizes = dict.fromkeys(("hidden_size", "num_layers", "seq_length"))
    request = ask_to_train(
        upper, tmp_path / "runs", init_from="old", pairs=PairsRequest(), batch_size=2, **sizes
    )
    with open_training(request) as training:
        assert training.trainer.model.config.adds_positions is adds


def test_a_language_model_is_no_start_for_pairs(rain, upper, tmp_path):
    train(rain, tmp_path / "runs", epochs=0.1)
    with pytest.raises(UsageError, match="--init-from: that is a language model"):
        train_pairs(upper, tmp_path / "runs", init_from="rain")


# what is best


@pytest.mark.parametrize(
    ("best_by", "exact", "loss", "expected"),
    [
        ("exact", 0.6, 2.0, True),
        ("exact", 0.5, 0.9, True),
        ("exact", 0.5, 1.1, False),
        ("exact", 0.4, 0.1, False),
        ("loss", 0.4, 0.1, True),
        ("loss", 0.9, 1.1, False),
    ],
)
def test_best_is_by_exact_matches_and_then_the_loss_or_by_the_loss(best_by, exact, loss, expected):
    pairs = dataclasses.replace(make_pair_checkpoint().pairs, best_by=best_by)
    progress = Progress(step=9, best_val_loss=1.0, best_step=4)
    history = ({"step": 4, "train_loss": 1.0, "val_loss": 1.0, "exact_matches": 0.5},)
    assert is_best(loss, Accuracy(exact, 0.1), progress, history, pairs) == expected


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([0.1, 0.2, 0.3], "unclear"),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], "improving"),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9, 0.8], "settled"),  # the end is not the best
        ([0.1, 0.4, 0.7, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8], "settled"),
        ([0.1, 0.4, 0.7, 0.8, 0.8, 0.8, 0.7, 0.6, 0.5], "overfitting"),
    ],
)
def test_the_diagnosis_of_pairs_follows_the_exact_matches(shares, expected):
    assert diagnosis_of_pairs([{"exact_matches": share} for share in shares]) == expected


# baselines


def test_baselines_are_the_shares_of_copies_and_of_the_most_frequent_target(tmp_path):
    lines = [f"w{n} {'same' if n % 2 else f'w{n}'}" for n in range(40)]
    dev = write_pairs(tmp_path / "dev.tsv", "x x", "y same", "z same", "u v")
    text = write_pairs(tmp_path / "train.tsv", *lines)
    _, trainer = train_pairs(text, tmp_path / "runs", epochs=0.5, val_source=dev)
    marks = load(trainer.run.best).baselines
    assert (marks.copy, marks.most_frequent, marks.target) == (0.25, 0.5, "same")


def test_a_file_whose_vocabularies_do_not_fit_its_model_is_refused(tmp_path):
    from charrnn_cli.checkpoints.checkpoint import to_bytes
    from charrnn_cli.text.symbols import SymbolVocabulary

    checkpoint = make_pair_checkpoint()
    source = SymbolVocabulary(checkpoint.pairs.source.characters, ("PL",))
    pairs = dataclasses.replace(checkpoint.pairs, source=source)
    path = tmp_path / "bad.safetensors"
    path.write_bytes(to_bytes(dataclasses.replace(checkpoint, pairs=pairs)))
    with pytest.raises(CheckpointError, match="vocabulary and model differ in size"):
        load(path)


def test_a_table_of_three_columns_gets_a_note_that_names_the_options_of_columns(tmp_path):
    table = tmp_path / "cases.tsv"
    table.write_text("kedi\tkediler\tN;NOM;PL\n" * 200)
    with open_training(ask_to_train(table, tmp_path)) as training:
        notes = [note for note in training.notes if "--source-columns" in note]
    assert len(notes) == 1
    assert "2 tabs" in notes[0]
