"""Texts in either normal form, from the training to the score."""

import json
import unicodedata

import pytest
from factories import SMALL, one_line_error, save_cycle

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.errors import ExitCode

CAFE = "Der Café-Gast säße schön über Österreichs Höhen. "


def train(invoke, tmp_path, *words):
    (tmp_path / "text.txt").write_text(unicodedata.normalize("NFD", CAFE * 20) + CAFE * 20)
    result = invoke("train", "text.txt", *SMALL, *words)
    assert result.exit_code == 0, result.stderr
    return result.stderr


def score(invoke, tmp_path, form):
    (tmp_path / "new.txt").write_text(unicodedata.normalize(form, CAFE * 3))
    result = invoke("score", "new.txt", "--json", "--quiet")
    return json.loads(result.stdout)


def test_a_model_trained_in_one_form_scores_both_forms_alike(invoke, tmp_path):
    noted = train(invoke, tmp_path, "--normalize", "NFC")
    assert "two ways" not in noted
    checkpoint = load(tmp_path / "checkpoints/text/best.safetensors")
    assert checkpoint.train.normalize == "NFC"
    assert "\u0301" not in checkpoint.vocabulary
    composed, decomposed = (score(invoke, tmp_path, form) for form in ("NFC", "NFD"))
    assert composed["unknown"] == decomposed["unknown"] == 0
    assert composed["bits"] == decomposed["bits"]


@pytest.mark.slow
def test_a_text_of_mixed_forms_gets_a_note_and_is_learned_as_it_is(invoke, tmp_path):
    assert "accents are written in two ways" in train(invoke, tmp_path)
    checkpoint = load(tmp_path / "checkpoints/text/best.safetensors")
    assert checkpoint.train.normalize == "none"
    assert {"\u0301", "é"} <= set(checkpoint.vocabulary.characters)


@pytest.mark.slow
def test_a_resumed_run_reads_its_text_in_its_form(invoke, tmp_path):
    train(invoke, tmp_path, "--normalize", "NFD")
    result = invoke("train", "--resume", "text", "--epochs", 3)
    assert result.exit_code == 0, result.stderr
    assert load(tmp_path / "checkpoints/text/last.safetensors").train.normalize == "NFD"


@pytest.mark.slow
def test_a_resumed_run_keeps_its_form(invoke, tmp_path):
    train(invoke, tmp_path, "--normalize", "NFD")
    result = invoke("train", "--resume", "text", "--normalize", "NFC")
    assert "--normalize: a resumed run keeps" in one_line_error(result, ExitCode.USAGE)


def test_a_seed_is_read_in_the_form_of_the_training(invoke, tmp_path):
    train(invoke, tmp_path, "--normalize", "NFD")
    result = invoke("sample", "--seed", "Café-Gast", "--length", 1)
    assert "Note: the seed is read in Unicode's decomposed form" in result.stderr
    assert result.stdout.startswith("Cafe\u0301-Gast")


@pytest.mark.parametrize("form", ["nfc", "NFKC"])
def test_another_form_is_refused(invoke, form):
    result = invoke("train", "text.txt", "--normalize", form)
    line = one_line_error(result, ExitCode.USAGE)
    assert f"--normalize {form}: must be one of NFC, NFD, none." in line


def test_a_score_in_the_other_form_says_so(invoke, tmp_path):
    save_cycle(tmp_path / "checkpoints", "Cafe\u0301 ")
    (tmp_path / "new.txt").write_text("Café Café Café")
    result = invoke("score", "new.txt")
    assert "Note: new.txt is read in Unicode's decomposed form (NFD)" in result.stderr
    (tmp_path / "new.txt").write_text("Cafe\u0301 Cafe\u0301 Cafe\u0301")
    same = invoke("score", "new.txt")
    assert same.stderr == ""
    assert json.loads(invoke("score", "new.txt", "--json").stdout)["unknown"] == 0
    assert "none: the model knows every character" in same.stdout


def test_units_are_studied_in_the_known_form(invoke, tmp_path):
    save_cycle(tmp_path / "checkpoints", "Cafe\u0301 \n")
    (tmp_path / "new.txt").write_text("Café Café\nCafé" * 200)
    result = invoke("info", "--units", "new.txt")
    assert "is read in Unicode's decomposed form (NFD)" in result.stderr
    assert "never saw" not in result.stderr
