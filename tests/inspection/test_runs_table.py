"""The runs of a folder side by side: what is told of each, in which order, and of damaged ones."""

import dataclasses
import math
import os

import pytest
from factories import later, make_checkpoint, make_run, save_checkpoint

from charrnn_cli.errors import UsageError
from charrnn_cli.inspection.runs_table import HEADINGS, list_facts, listing_rows


@pytest.fixture
def three(tmp_path):
    """A folder of runs: `b` is the newest, `c` the best, `a` has no `last`."""
    for name, loss, written in (("a", 1.5, 10.0), ("b", 1.2, 30.0), ("c", 0.9, 20.0)):
        run = make_run(tmp_path, name, written)
        for path, checkpoint in ((run.best, make_checkpoint()), (run.last, later())):
            progress = dataclasses.replace(checkpoint.progress, best_val_loss=loss)
            stamp = path.stat()
            save_checkpoint(path, dataclasses.replace(checkpoint, progress=progress))
            os.utime(path, (stamp.st_mtime, stamp.st_mtime))
    (tmp_path / "a" / "last.safetensors").unlink()
    return tmp_path


@pytest.mark.parametrize(("sort", "order"), [("time", "bca"), ("loss", "cba"), ("name", "abc")])
def test_runs_are_sorted(three, sort, order):
    assert [facts["name"] for facts in list_facts(three, sort)] == list(order)


def test_another_order_is_refused(three):
    with pytest.raises(UsageError, match=r"--sort size: must be time, loss, name"):
        list_facts(three, "size")


def test_a_run_is_told_by_its_model_loss_and_steps(three):
    facts = list_facts(three, "name")[1]
    assert facts == {
        "name": "b",
        "file": str(three / "b" / "best.safetensors"),
        "model": "gru",
        "hidden_size": 4,
        "num_layers": 2,
        "parameters": make_checkpoint().model.parameters,
        "corpus": "tiny.txt",
        "step": 8,
        "epoch": 0.8,
        "val_loss": 1.2,
        "bits_per_char": pytest.approx(1.2 / math.log(2)),
        "best_step": 5,
        "state": "stopped",
        "saved": 30.0,
        "error": None,
    }


def test_a_model_alone_is_told_as_such(three):
    assert list_facts(three, "name")[0]["state"] == "model only"


@pytest.mark.parametrize("file", ["best.safetensors", "last.safetensors"])
@pytest.mark.parametrize("keep", [0, 9, 700, -1])
def test_a_damaged_run_is_listed_as_such_and_the_others_too(three, file, keep):
    path = three / "c" / file
    path.write_bytes(path.read_bytes()[:keep])
    runs = {facts["name"]: facts for facts in list_facts(three, "loss")}
    assert {name: facts["state"] for name, facts in runs.items()} == {
        "a": "model only", "b": "stopped", "c": "damaged",
    }  # fmt: skip
    assert str(path) in runs["c"]["error"]


def test_what_has_no_loss_is_last_of_those_sorted_by_it(three):
    (three / "c" / "best.safetensors").write_bytes(b"junk")
    assert [facts["name"] for facts in list_facts(three, "loss")] == ["b", "a", "c"]


def test_an_empty_folder_lists_nothing(tmp_path):
    assert list_facts(tmp_path, "time") == list_facts(tmp_path / "none", "time") == []


def test_a_run_in_words_has_a_column_for_each_heading(three):
    facts = list_facts(three, "name")[1]
    row = dict(zip(HEADINGS, listing_rows([facts])[0], strict=True))
    assert row["run"] == "b"
    assert row["model"] == "gru 2 x 4"
    assert row["held-out"] == "1.2000"
    assert row["bits/char"] == "1.731"
    assert row["saved"].startswith("1970-01-01") or row["saved"].startswith("1969-12-31")
