"""The facts in a checkpoint, and the table that shows them."""

import dataclasses
import json

import pytest
from factories import make_checkpoint, save_checkpoint

from charrnn_cli.checkpoint import Checkpoint, CorpusInfo
from charrnn_cli.inspection import inspect, table_rows


@pytest.fixture
def facts_of(tmp_path):
    """The facts in the file of a checkpoint."""
    return lambda checkpoint: inspect(save_checkpoint(tmp_path / "c.safetensors", checkpoint))


@pytest.fixture
def rows_of(facts_of):
    """The table of a checkpoint, by the names of its rows."""
    return lambda checkpoint: dict(table_rows(facts_of(checkpoint)))


def later(**changes) -> Checkpoint:
    """A checkpoint to resume from, saved after step 8; the last evaluation was at step 5."""
    checkpoint = make_checkpoint(training=True)
    progress = {"step": 8, "epoch": 0.8} | changes
    return dataclasses.replace(
        checkpoint, progress=dataclasses.replace(checkpoint.progress, **progress)
    )


def test_the_facts_of_a_best_checkpoint(tmp_path):
    checkpoint = make_checkpoint(vocabulary="ab\n")
    path = save_checkpoint(tmp_path / "best.safetensors", checkpoint)
    assert inspect(path) == {
        "file": str(path),
        "bytes": len(path.read_bytes()),
        "model": "gru",
        "hidden_size": 4,
        "num_layers": 2,
        "dropout": 0.0,
        "parameters": sum(values.size for values in checkpoint.weights.values()),
        "vocabulary_size": 3,
        "vocabulary": "\nab",
        "corpus": {"name": "tiny.txt", "characters": 100, "sha256": "0" * 64},
        "step": 5,
        "epoch": 0.5,
        "finished": None,
        "run_step": None,
        "val_loss": 1.0,
        "bits_per_char": pytest.approx(1.442695),
        "best_val_loss": 1.0,
        "best_step": 5,
        "training": checkpoint.train.to_dict(),
        "history": [{"step": 5, "epoch": 0.5, "train_loss": 1.5, "val_loss": 1.0}],
        "torch": "2.13.0",
        "threads": 1,
    }


def test_weights_that_were_not_measured_have_no_loss_but_their_run_has_a_best(facts_of):
    facts = facts_of(later())
    assert (facts["step"], facts["epoch"]) == (8, 0.8)
    assert (facts["val_loss"], facts["bits_per_char"]) == (None, None)
    assert (facts["best_val_loss"], facts["best_step"]) == (1.0, 5)


def test_a_run_that_was_never_measured_has_no_best_step(facts_of):
    facts = facts_of(dataclasses.replace(later(best_val_loss=None, best_step=0), history=()))
    assert (facts["best_val_loss"], facts["best_step"], facts["history"]) == (None, None, [])


def test_the_facts_of_a_last_checkpoint_tell_no_folder(facts_of):
    corpus = CorpusInfo("tiny.txt", "0" * 64, 100, "/home/someone/tiny.txt")
    facts = facts_of(dataclasses.replace(later(), corpus=corpus))
    assert "someone" not in json.dumps(facts | {"file": ""})


@pytest.mark.parametrize("checkpoint", [make_checkpoint(vocabulary="aé\n😀\0"), later()])
def test_json_holds_the_facts_as_they_are(facts_of, checkpoint):
    facts = facts_of(checkpoint)
    assert json.loads(json.dumps(facts)) == facts


def test_the_table_of_a_best_checkpoint(facts_of):
    facts = facts_of(make_checkpoint()) | {"bytes": 1_234_567}
    assert table_rows(facts) == [
        ("file", f"{facts['file']} (1.2 MB)"),
        ("model", "gru, 2 layers of 4 units, dropout 0"),
        ("parameters", f"{facts['parameters']:,}"),
        ("vocabulary", "3 characters: \\nab"),
        ("text", "tiny.txt, 100 characters"),
        ("text's SHA-256", "0" * 64),
        ("trained", "5 steps, 0.50 epochs"),
        ("run", "the model alone; a new run starts from it with --init-from"),
        ("settings", "batch 2 x 3, learning rate 0.01, clip 1, random seed 0"),
        ("held-out loss", "1.0000 nats, 1.443 bits/char"),
        ("made with", "PyTorch 2.13.0, 1 CPU threads"),
    ]


def test_one_layer_is_no_layers(rows_of):
    assert "1 layer of" in rows_of(make_checkpoint(num_layers=1))["model"]


def test_a_finished_run_does_not_go_on(rows_of):
    assert rows_of(later(finished=True))["trained"] == "8 steps, 0.80 epochs"


def test_the_table_tells_the_runs_best_where_it_is_another(rows_of):
    rows = rows_of(later())
    assert rows["held-out loss"] == "not measured yet"
    assert rows["best of the run"] == "1.0000 nats, 1.443 bits/char, at step 5"


def test_the_table_shows_white_space_in_the_vocabulary(rows_of):
    shown = rows_of(make_checkpoint(vocabulary="a b\t\n\r"))["vocabulary"]
    assert shown == "6 characters: \\t\\n\\r␠ab"


@pytest.mark.parametrize(("size", "end"), [(120, "x"), (121, " … and 1 more")])
def test_the_table_shows_120_characters_of_a_vocabulary(rows_of, size, end):
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + size)))
    shown = rows_of(make_checkpoint(vocabulary=letters))["vocabulary"]
    assert shown == f"{size} characters: {letters[:120]}{end.removeprefix('x')}"


@pytest.mark.parametrize("name", ["[bold]x[/bold].txt", "[/nothing]", "a\\[b].txt", "\x1b[31m.txt"])
def test_rows_hold_a_name_as_it_is(rows_of, name):
    """It is made safe where it is shown; no part of it is lost before."""
    checkpoint = make_checkpoint(vocabulary="[]/\\")
    corpus = dataclasses.replace(checkpoint.corpus, name=name)
    rows = rows_of(dataclasses.replace(checkpoint, corpus=corpus))
    assert rows["text"] == f"{name}, 100 characters"
    assert rows["vocabulary"] == "4 characters: /[\\]"


def test_what_lies_beside_a_model_of_another_run_says_nothing_of_it(tmp_path):
    path = save_checkpoint(tmp_path / "best.safetensors", make_checkpoint())
    save_checkpoint(tmp_path / "last.safetensors", make_checkpoint(hidden_size=5, training=True))
    assert inspect(path)["run_step"] is None


def test_a_damaged_file_beside_a_model_does_not_hide_it(tmp_path):
    path = save_checkpoint(tmp_path / "best.safetensors", make_checkpoint())
    (tmp_path / "last.safetensors").write_bytes(b"junk")
    assert inspect(path)["run_step"] is None


def test_the_run_a_model_lies_in_says_how_far_it_is(tmp_path):
    path = save_checkpoint(tmp_path / "best.safetensors", make_checkpoint())
    save_checkpoint(tmp_path / "last.safetensors", later())
    assert (inspect(path)["step"], inspect(path)["run_step"]) == (5, 8)
