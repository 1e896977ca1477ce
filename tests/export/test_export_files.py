"""`charrnn export --hf` and `--onnx`: what the command writes, and what it refuses."""

import json

import pytest
from factories import make_checkpoint, one_line_error, save_checkpoint
from typer.testing import CliRunner

from charrnn_cli.__main__ import app
from charrnn_cli.errors import ExitCode


def export(*words):
    return CliRunner().invoke(app, ["export", *map(str, words)])


@pytest.fixture
def gpt2(tmp_path):
    return save_checkpoint(tmp_path / "gpt" / "best.safetensors", make_checkpoint("gpt2"))


@pytest.fixture
def gru(tmp_path):
    return save_checkpoint(tmp_path / "gru" / "best.safetensors")


def test_hf_writes_a_folder_and_says_what(gpt2, tmp_path):
    result = export(gpt2, "--hf", tmp_path / "hf", "--json")
    assert result.exit_code == 0, result.stderr
    written = [entry["file"] for entry in json.loads(result.stdout)["written"]]
    assert sorted(written) == sorted(map(str, (tmp_path / "hf").iterdir()))
    assert {path.name for path in (tmp_path / "hf").iterdir()} == {
        "README.md", "config.json", "generation_config.json", "model.safetensors",
        "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip


def test_the_size_of_a_small_file_is_told(gpt2, tmp_path):
    told = export(gpt2, "--hf", tmp_path / "hf").stderr
    size = (tmp_path / "hf" / "config.json").stat().st_size
    assert f"config.json: written ({size} bytes)" in told
    assert "0.00" not in told


def test_hf_sends_a_recurrent_model_to_onnx(gru, tmp_path):
    error = one_line_error(export(gru, "--hf", tmp_path / "hf"), ExitCode.USAGE)
    assert "gru" in error
    assert "--onnx" in error
    assert not (tmp_path / "hf").exists()


def test_hf_refuses_a_folder_with_something_in_it(gpt2, tmp_path):
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text("precious")
    error = one_line_error(export(gpt2, "--hf", tmp_path / "hf"), ExitCode.WRITE)
    assert "--force" in error
    assert (tmp_path / "hf" / "config.json").read_text() == "precious"


def test_force_replaces_the_files_of_hf_and_no_others(gpt2, tmp_path):
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text("old")
    (tmp_path / "hf" / "notes.txt").write_text("precious")
    result = export(gpt2, "--hf", tmp_path / "hf", "--force")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "hf" / "config.json").read_text() != "old"
    assert (tmp_path / "hf" / "notes.txt").read_text() == "precious"


def test_hf_does_not_take_a_file_for_a_folder(gpt2, tmp_path):
    (tmp_path / "hf").write_text("precious")
    one_line_error(export(gpt2, "--hf", tmp_path / "hf", "--force"), ExitCode.WRITE)
    assert (tmp_path / "hf").read_text() == "precious"


def test_onnx_writes_one_file(gru, tmp_path):
    pytest.importorskip("onnx")
    result = export(gru, "--onnx", tmp_path / "a.onnx", "--json")
    assert result.exit_code == 0, result.stderr
    (written,) = json.loads(result.stdout)["written"]
    assert written["bytes"] == (tmp_path / "a.onnx").stat().st_size


def test_onnx_refuses_a_file_that_exists(gru, tmp_path):
    (tmp_path / "a.onnx").write_text("precious")
    error = one_line_error(export(gru, "--onnx", tmp_path / "a.onnx"), ExitCode.WRITE)
    assert "--force" in error
    assert (tmp_path / "a.onnx").read_text() == "precious"


def test_onnx_without_its_package_says_how_to_install_it(gru, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    error = one_line_error(export(gru, "--onnx", tmp_path / "a.onnx"), ExitCode.USAGE)
    assert "pip install onnx" in error
