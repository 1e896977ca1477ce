"""A model of some thirty lines, in tests/toy, and one line in the registry: all else serves it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from factories import files, train, words
from typer.testing import CliRunner

from charrnn_cli.__main__ import app
from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.models.registry import ARCHITECTURES, Family

pytestmark = pytest.mark.xdist_group("toy")  # it is trained once


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "toy", Family("toy", "Toy"))


@pytest.fixture(scope="module")
def trained_toy(tmp_path_factory) -> Path:
    """The folder of a toy trained on the text of `rain` with no other option."""
    folder = tmp_path_factory.mktemp("toys")
    (folder / "rain.txt").write_text(words(250))
    command = ["train", str(folder / "rain.txt"), "--model", "toy", "--name", "toy"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "toy", Family("toy", "Toy"))
        options = ["--device", "cpu", "--threads", "1", "--checkpoints", str(folder)]
        result = CliRunner().invoke(app, [*command, *options])
    assert result.exit_code == 0, result.stderr
    return folder / "toy"


@pytest.fixture
def toy_run(trained_toy: Path, tmp_path: Path) -> Path:
    """A copy of it among the runs of a test."""
    return shutil.copytree(trained_toy, tmp_path / "checkpoints" / "toy")


def test_it_learns(toy_run):
    history = load(toy_run / "best.safetensors").history
    assert history[-1]["val_loss"] < 0.8 * history[0]["val_loss"]


def test_a_stopped_run_resumes_to_the_same_bytes(rain, tmp_path):
    wishes = {"model": "toy", "num_layers": 1}
    _, whole = train(rain, tmp_path / "whole", **wishes)
    _, stopped = train(rain, tmp_path / "parts", stop_at=7, **wishes)
    assert stopped.progress.step == 7
    train(None, tmp_path / "parts", resume="")
    assert files(stopped.run) == files(whole.run)


def test_it_samples_without_pytorch_as_with_it(toy_run, invoke):
    command = ("sample", "toy", "--length", "50", "--random-seed", "1", "--seed", "the")
    written = invoke(*command)
    assert written.exit_code == 0, written.stderr
    assert len(written.stdout.removesuffix("\n")) == 53
    assert set(written.stdout) <= set("the rain in spain falls mainly\n")


def test_its_score_of_the_held_out_part_is_the_loss_of_its_training(toy_run, rain, invoke):
    checkpoint = load(toy_run / "best.safetensors")
    text = rain.read_text()
    held_out = Path("held_out.txt")
    held_out.write_text(text[len(text) - round(len(text) * 0.1) :])
    score = json.loads(invoke("score", held_out, "--checkpoint", "toy", "--json").stdout)
    assert score["loss"] == pytest.approx(checkpoint.val_loss, abs=1e-5)


@pytest.mark.slow
def test_it_learns_as_it_reads(toy_run, rain, invoke):
    score = invoke("score", rain, "--checkpoint", "toy", "--json", "--adapt")
    assert json.loads(score.stdout)["adapted"]["loss"] > 0


def test_info_shows_it(toy_run, invoke):
    shown = invoke("info", "toy").stdout
    assert "toy, 1 layer of 16 units" in shown
    assert "table" in shown
    assert "head" in shown


@pytest.mark.slow
def test_a_new_text_starts_from_its_weights(toy_run, invoke):
    Path("other.txt").write_text("the spanish rain fell in zzz " * 30)
    command = ("train", "other.txt", "--init-from", "toy", "--epochs", "0.01", "--name", "other")
    result = invoke(*command, "--learning-rate", "1e-9", "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    before = load(toy_run / "best.safetensors")
    after = load(Path("checkpoints/other/best.safetensors"))
    for character in "the rain":
        was, now = before.vocabulary.id_of(character), after.vocabulary.id_of(character)
        np.testing.assert_allclose(
            after.weights["table.weight"][now], before.weights["table.weight"][was], atol=1e-4
        )


def test_units_are_refused_since_it_names_none(toy_run, rain, invoke):
    result = invoke("info", "toy", "--units", rain)
    assert result.exit_code == 2
    assert "a model of kind toy has no hidden units" in result.stderr
