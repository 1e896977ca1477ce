"""What a resume refuses, and how it goes on when asked to: from best, with another text."""

import dataclasses
import hashlib
import io
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from factories import (
    ask_to_train,
    files,
    make_checkpoint,
    metrics_of,
    save_checkpoint,
    train,
    words,
)

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.checkpoints.records import CorpusInfo
from charrnn_cli.errors import CheckpointError, RunInUseError, TextError, UsageError
from charrnn_cli.training.setup import open_training

pytestmark = pytest.mark.slow  # each test trains a model twice


def test_a_complete_run_is_not_resumed(rain, tmp_path):
    train(rain, tmp_path)
    with pytest.raises(UsageError, match=r"run rain is complete.*--epochs 3"):
        train(None, tmp_path, resume="")


def test_fewer_epochs_than_done_are_refused(rain, tmp_path):
    train(rain, tmp_path, stop_at=25)
    with pytest.raises(UsageError, match=r"is at 1\.4 epochs already"):
        train(None, tmp_path, resume="", epochs=1)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("hidden_size", 9), ("learning_rate", 0.1), ("batch_size", 4), ("random_seed", 1)],
)
def test_changed_settings_are_refused_by_their_option(rain, tmp_path, setting, value):
    train(rain, tmp_path, stop_at=3)
    with pytest.raises(UsageError, match="--" + setting.replace("_", "-")):
        train(None, tmp_path, resume="", **{setting: value})


def test_a_new_name_is_refused(rain, tmp_path):
    train(rain, tmp_path, stop_at=3)
    with pytest.raises(UsageError, match="--name"):
        train(None, tmp_path, resume="", name="other")


def test_a_changed_text_is_refused(rain, tmp_path):
    _, stopped = train(rain, tmp_path, stop_at=12)
    before = files(stopped.run)
    rain.write_text(words(250, seed=1))
    with pytest.raises(TextError, match=r"rain\.txt: not the text of run rain"):
        train(None, tmp_path, resume="")
    assert files(stopped.run) == before


def test_a_text_from_stdin_must_be_given_again(rain, tmp_path, monkeypatch):
    stdin = partial(io.TextIOWrapper, io.BytesIO(rain.read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin())
    train(Path("-"), tmp_path, stop_at=3)
    with pytest.raises(UsageError, match=r"COMMAND \| charrnn train - --resume stdin"):
        train(None, tmp_path, resume="")
    events, _ = train(rain, tmp_path, resume="")
    assert events[-1].reason == "complete"


def test_a_best_checkpoint_alone_is_not_resumed(rain, tmp_path):
    _, trainer = train(rain, tmp_path)
    trainer.run.last.unlink()
    with pytest.raises(
        CheckpointError, match=r"can go on: each holds a model alone.*--init-from rain"
    ):
        train(None, tmp_path, resume="", epochs=5)


def test_resume_and_init_from_exclude_each_other(rain, tmp_path):
    with pytest.raises(UsageError, match="--resume and --init-from"):
        train(rain, tmp_path, resume="", init_from="rain")


def test_a_run_that_is_being_trained_is_not_resumed(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path)) as training:
        steps = training.trainer.steps(lambda: True)
        list(steps)
        with pytest.raises(RunInUseError, match="run rain"):
            train(None, tmp_path, resume="")


def test_minutes_that_are_spent_already_are_refused_with_enough(rain, tmp_path):
    train(rain, tmp_path)
    with pytest.raises(UsageError, match="Give it more: --minutes") as caught:
        train(None, tmp_path, resume="", minutes=0.0001)
    enough = float(str(caught.value).rsplit(" ", 1)[1])
    _, resumed = train(None, tmp_path, resume="", minutes=max(enough, 0.02))
    assert resumed.progress.finished


@pytest.mark.parametrize("option", ["from_best", "changed_text"])
def test_what_is_for_a_resume_is_refused_without_one(rain, tmp_path, option):
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} is for --resume"):
        train(rain, tmp_path / "runs", **{option: True})


# from best, when last is lost


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 0x10
    path.write_bytes(data)


def test_a_damaged_last_is_refused_with_the_way_on(rain, tmp_path):
    _, stopped = train(rain, tmp_path, stop_at=12)
    spoil(stopped.run.last)
    before = files(stopped.run)
    with pytest.raises(CheckpointError, match=r"changed since.*--resume rain --from-best"):
        train(None, tmp_path, resume="")
    assert files(stopped.run) == before


def test_a_damaged_last_without_a_best_has_no_way_on(rain, tmp_path):
    _, stopped = train(rain, tmp_path, stop_at=1)
    stopped.run.best.unlink(missing_ok=True)
    spoil(stopped.run.last)
    with pytest.raises(CheckpointError, match=r"changed since it was written\)\.$"):
        train(None, tmp_path, resume="")


@pytest.mark.parametrize("lose", [spoil, Path.unlink])
def test_from_best_a_run_goes_on_at_its_best_step_to_its_end(rain, tmp_path, lose):
    _, stopped = train(rain, tmp_path, stop_at=25)
    best = load(stopped.run.best)
    lose(stopped.run.last)
    with open_training(ask_to_train(rain, tmp_path, resume="rain", from_best=True)) as training:
        trainer = training.trainer
        assert trainer.progress.step == best.progress.step
        for name, parameter in trainer.model.named_parameters():
            np.testing.assert_array_equal(parameter.detach().numpy(), best.weights[name])
        assert [r["step"] for r in metrics_of(trainer.run)][-1] == best.progress.step
        *_, end = trainer.steps()
    assert end.reason == "complete"
    assert load(trainer.run.last, training=True).progress.step == trainer.total_steps


def test_a_run_that_went_on_from_best_resumes_exactly_again(rain, tmp_path):
    ends = []
    for stop_at in (10_000, 20):
        folder = tmp_path / str(stop_at)
        _, stopped = train(rain, folder, stop_at=12)
        stopped.run.last.unlink()
        _, trainer = train(rain, folder, stop_at, resume="", from_best=True)
        if stop_at == 20:
            _, trainer = train(None, folder, resume="")
        ends.append(files(trainer.run))
    assert ends[0] == ends[1]


@pytest.mark.parametrize(("changed", "more"), [(False, ""), (True, " --changed-text")])
def test_from_best_without_its_text_the_error_says_how_to_give_it(rain, tmp_path, changed, more):
    train(rain, tmp_path, stop_at=25)
    again = f"charrnn train TEXT --resume rain --from-best{more}"
    with pytest.raises(UsageError, match=f"does not say where its text is; give it: {again}$"):
        train(None, tmp_path, resume="rain", from_best=True, changed_text=changed)


# another text, when asked to


def test_a_changed_text_that_is_insisted_on_is_learned_from_there_on(rain, tmp_path):
    _, stopped = train(rain, tmp_path, stop_at=20)
    rain.write_text(words(400, seed=1))
    with open_training(ask_to_train(None, tmp_path, resume="", changed_text=True)) as training:
        trainer = training.trainer
        assert any("the text has changed" in note for note in training.notes)
        assert trainer.progress.step == 20
        assert trainer.progress.best_val_loss is None
        assert trainer.history == ()
        assert trainer.baselines != stopped.baselines  # measured on this text
        *_, end = trainer.steps()
    assert end.reason == "complete"
    assert trainer.total_steps > stopped.total_steps
    last = load(trainer.run.last)
    assert last.corpus.sha256 == hashlib.sha256(rain.read_bytes()).hexdigest()
    assert last.corpus.characters == len(words(400, seed=1))


def test_after_a_changed_text_a_run_resumes_exactly_again(rain, tmp_path):
    new = tmp_path / "new.txt"
    new.write_text(words(400, seed=1))
    ends = []
    for stop_at in (10_000, 30):
        folder = tmp_path / str(stop_at)
        train(rain, folder, stop_at=20)
        _, trainer = train(new, folder, stop_at, resume="", changed_text=True)
        if stop_at == 30:
            _, trainer = train(None, folder, resume="")
        ends.append(files(trainer.run))
    assert ends[0] == ends[1]


def test_a_changed_text_with_characters_unknown_to_the_model_is_refused(rain, tmp_path):
    train(rain, tmp_path, stop_at=12)
    rain.write_text(words(250) + " \N{SNOWMAN}zß")
    with pytest.raises(TextError, match=r"does not know 'z'.*'ß'.*U\+2603"):
        train(None, tmp_path, resume="", changed_text=True)


def test_a_changed_text_too_short_for_the_batches_is_refused(rain, tmp_path):
    train(rain, tmp_path, stop_at=12)
    rain.write_text(words(8))
    with pytest.raises(
        TextError, match=r"do not fill one batch of run rain, 4 x 16\. Give it a longer text"
    ):
        train(None, tmp_path, resume="", changed_text=True)


# what a checkpoint from elsewhere says of its text


def checkpoint_of(rain, tmp_path, path, vocabulary="ab\n"):
    checkpoint = make_checkpoint(training=True, vocabulary=vocabulary)
    sha256 = hashlib.sha256(rain.read_bytes()).hexdigest()
    info = CorpusInfo("rain.txt", sha256, 100, path)
    save_checkpoint(
        tmp_path / "theirs" / "last.safetensors", dataclasses.replace(checkpoint, corpus=info)
    )


def test_a_checkpoint_whose_vocabulary_is_not_of_its_text_is_refused(rain, tmp_path):
    checkpoint_of(rain, tmp_path, str(rain))
    with pytest.raises(TextError, match="the model does not know"):
        train(None, tmp_path, resume="theirs")


@pytest.mark.parametrize("path", ["-", "rain.txt", "/dev/zero", "/proc/self/status", "a\0b"])
def test_a_path_in_a_checkpoint_is_read_only_if_it_is_of_an_ordinary_file(
    rain, tmp_path, monkeypatch, path
):
    monkeypatch.chdir(tmp_path)
    checkpoint_of(rain, tmp_path, path)
    with pytest.raises(UsageError, match="is not there; give it again"):
        train(None, tmp_path, resume="theirs")
