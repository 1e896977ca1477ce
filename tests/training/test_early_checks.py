"""What a training refuses before PyTorch is imported."""

import pytest
from factories import ask_to_train, make_run

from charrnn_cli.errors import CheckpointError, TextError, UsageError
from charrnn_cli.training.early_checks import check_request, check_runs
from charrnn_cli.training.request import PairsRequest


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"resume": "", "init_from": "a"}, "--resume and --init-from exclude each other"),
        ({"resume": "", "hidden_size": 9}, "--hidden-size: a resumed run keeps its settings"),
        ({"resume": "", "name": "b"}, "--name: a resumed run keeps its settings"),
        ({"from_best": True}, "--from-best is for --resume"),
        ({"threads": 0}, "--threads 0: must be at least 1"),
        ({"model": "attention"}, "--model attention: learns from pairs"),
        ({"model": "gru", "pairs": PairsRequest()}, "--model gru: does not learn from pairs"),
        ({"lines": True, "pairs": PairsRequest()}, "--lines: is for texts"),
        ({"num_heads": 2}, "--num-heads: a model of kind gru has none"),
        ({"val_fraction": 0.2, "val_sources": ("b",)}, "--val-fraction: with --val-text nothing"),
        (
            {"val_fraction": 0.2, "pairs": PairsRequest(val_source="b")},
            "--val-fraction and --val-text exclude each other",
        ),
    ],
)
def test_wishes_that_exclude_each_other_are_refused_before_a_file_is_opened(
    tmp_path, wishes, message
):
    with pytest.raises(UsageError, match=message):
        check_request(ask_to_train(tmp_path / "nosuch.txt", tmp_path, **wishes))


def test_pairs_in_a_folder_are_refused(tmp_path):
    with pytest.raises(TextError, match="pairs are read from one file"):
        check_request(
            ask_to_train(tmp_path, tmp_path, pairs=PairsRequest(), num_layers=None, seq_length=None)
        )


@pytest.mark.parametrize("wish", ["resume", "init_from"])
def test_a_run_that_is_not_there_is_refused_with_those_that_are(tmp_path, wish):
    make_run(tmp_path, "sonnets")
    with pytest.raises(CheckpointError, match=r"no run or file 'sonets'.*sonnets"):
        check_runs(ask_to_train(None, tmp_path, **{wish: "sonets"}))


def test_a_run_without_a_state_to_go_on_with_is_refused(tmp_path):
    make_run(tmp_path, "model").last.unlink()
    with pytest.raises(CheckpointError, match="model holds a model but no training to go on with"):
        check_runs(ask_to_train(None, tmp_path, resume="model"))
    check_runs(ask_to_train(None, tmp_path, resume="model", from_best=True))


def test_the_name_of_another_run_is_refused(tmp_path):
    make_run(tmp_path, "taken")
    with pytest.raises(UsageError, match=r"--name taken: .* exists\. .*--resume taken"):
        check_runs(ask_to_train(tmp_path, tmp_path, name="taken"))
    check_runs(ask_to_train(tmp_path, tmp_path, name="free"))
    assert not (tmp_path / "free").exists()


def test_a_launcher_may_restart_a_run_under_its_own_name(tmp_path, monkeypatch):
    make_run(tmp_path, "taken")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "launch")
    check_runs(ask_to_train(tmp_path, tmp_path, name="taken"))
