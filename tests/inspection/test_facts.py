"""The facts in a checkpoint, as JSON can hold them."""

import dataclasses
import json
from pathlib import Path

import pytest
from factories import later, make_checkpoint, make_run, save_checkpoint

from charrnn_cli.checkpoints.checkpoint import CorpusInfo
from charrnn_cli.checkpoints.records import Baselines
from charrnn_cli.inspection.facts import categories, inspect, model_parts
from charrnn_cli.inspection.overview import table_rows


@pytest.fixture
def facts_of(tmp_path):
    """The facts in the file of a checkpoint."""
    return lambda checkpoint: inspect(save_checkpoint(tmp_path / "c.safetensors", checkpoint))


def test_the_facts_of_a_best_checkpoint(tmp_path):
    checkpoint = make_checkpoint(vocabulary="ab\n")
    path = save_checkpoint(tmp_path / "best.safetensors", checkpoint)
    assert inspect(path) == {
        "file": str(path),
        "bytes": len(path.read_bytes()),
        "format": 2,
        "model": "gru",
        "hidden_size": 4,
        "num_layers": 2,
        "dropout": 0.0,
        "parameters": sum(values.size for values in checkpoint.weights.values()),
        "parts": model_parts(checkpoint.model),
        "vocabulary_size": 3,
        "vocabulary": "\nab",
        "categories": {"Ll": 2, "Cc": 1},
        "corpus": {"name": "tiny.txt", "characters": 100, "sha256": "0" * 64, "files": 1},
        "step": 5,
        "epoch": 0.5,
        "state": None,
        "finished": None,
        "run_step": None,
        "seconds": None,
        "val_loss": 1.0,
        "bits_per_char": pytest.approx(1.442695),
        "best_val_loss": 1.0,
        "best_step": 5,
        "marks": None,
        "training": checkpoint.train.to_dict(),
        "history": [{"step": 5, "epoch": 0.5, "train_loss": 1.5, "val_loss": 1.0}],
        "torch": "2.13.0",
        "device": None,
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


@pytest.mark.parametrize("model", ["gru", "lstm", "rnn"])
def test_the_parts_of_a_model_hold_all_of_its_parameters(model):
    checkpoint = make_checkpoint(model, num_layers=3)
    parts = model_parts(checkpoint.model)
    assert [part["name"] for part in parts] == [f"{model} {n}" for n in (1, 2, 3)] + ["head"]
    assert sum(part["parameters"] for part in parts) == checkpoint.model.parameters
    assert [(part["inputs"], part["outputs"]) for part in parts] == [(3, 4), (4, 4), (4, 4), (4, 3)]
    assert parts[-1]["tensors"] == {"weight": [3, 4], "bias": [3]}


def test_characters_are_counted_by_category_the_most_frequent_first():
    assert list(categories("aB1bc\u0301 2\n").items()) == [
        ("Ll", 3), ("Nd", 2), ("Lu", 1), ("Mn", 1), ("Zs", 1), ("Cc", 1),
    ]  # fmt: skip


def test_facts_name_the_baselines_and_the_device_of_a_run(facts_of):
    baselines = Baselines(uniform=2.0, unigram=1.5, five_gram=1.0, counted=90)
    facts = facts_of(dataclasses.replace(make_checkpoint(), baselines=baselines, device="cuda"))
    assert facts["marks"] == vars(baselines)
    assert facts["device"] == "cuda"


@pytest.mark.parametrize(("finished", "state"), [(True, "complete"), (False, "stopped")])
def test_the_state_of_a_run_is_that_of_its_last(tmp_path, finished, state):
    run = make_run(tmp_path, "mine")
    save_checkpoint(run.last, later(finished=finished))
    run.append_metrics({"step": 5, "seconds": 61.5})
    facts = inspect(run.best)
    assert (facts["state"], facts["seconds"]) == (state, 61.5)


def test_metrics_that_cannot_be_read_leave_the_time_unknown(tmp_path, monkeypatch):
    run = make_run(tmp_path, "mine")
    run.append_metrics({"step": 5, "seconds": 61.5})

    def fail(*_, **__):
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", fail)
    facts = inspect(run.best)
    assert facts["seconds"] is None
    assert dict(table_rows(facts))["run"] == "goes on with --resume, at step 5"


def test_an_endless_time_in_the_metrics_is_passed_over(tmp_path):
    run = make_run(tmp_path, "mine")
    run.metrics.write_text('{"step": 1, "seconds": Infinity}\n')
    assert inspect(run.best)["seconds"] == 0


def test_a_run_that_is_locked_is_being_trained(tmp_path):
    run = make_run(tmp_path, "mine")
    with run.locked():
        assert inspect(run.best)["state"] == "training"
    assert inspect(run.best)["state"] == "stopped"


@pytest.mark.parametrize("lock", [b"", b"junk", b"99999999999999999999999", b"4194304"])
def test_a_lock_file_that_names_no_process_locks_nothing(tmp_path, lock):
    run = make_run(tmp_path, "mine")
    (run.folder / ".lock").write_bytes(lock)
    assert not run.in_training
