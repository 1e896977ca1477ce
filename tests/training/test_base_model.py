"""The base model of English that comes with charrnn, and when a training offers it."""

import hashlib
import re
from pathlib import Path

import pytest
from factories import SONNETS, ask_to_train, corpus_of, save_checkpoint

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.checkpoints.runs import list_runs
from charrnn_cli.checkpoints.shipped import BASE, shipped_models
from charrnn_cli.text.arranging import arranged
from charrnn_cli.training.base_model import MAX_CHARACTERS, base_model_offer
from charrnn_cli.training.setup import open_training

ROOT = Path(__file__).parents[2]
VERSE = SONNETS.read_text()[:10_000]
GERMAN = "Der Wind weht heute über das Land, und die Leute bleiben in ihren Häusern. " * 50
CODE = (ROOT / "charrnn_cli" / "training" / "setup.py").read_text()
FRENCH_QUOTES = "the way of «the» world is «that» it «was» so\n" * 50


def offer(text: str, tmp_path: Path, lines: bool = False, **given: object) -> tuple[str, ...]:
    return base_model_offer(arranged(corpus_of(text), lines=lines), given, tmp_path / "runs")


def test_the_base_model_is_small_and_its_hash_is_noted():
    content = shipped_models()[BASE].read_bytes()
    assert len(content) <= 1_500_000
    noted = (ROOT / "data" / "README.md").read_text().split("# checkpoints/english")[1]
    assert hashlib.sha256(content).hexdigest() in noted


def test_the_base_model_knows_the_letters_and_the_marks_of_english():
    known = load(shipped_models()[BASE]).vocabulary
    letters = "abcdefghijklmnopqrstuvwxyz"
    marks = "\n !\"'(),-.:;?0123456789\N{EM DASH}\N{RIGHT SINGLE QUOTATION MARK}"
    marks += "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
    assert known.unknown(letters + letters.upper() + marks) == []


def test_the_base_model_is_no_run_and_so_never_the_newest():
    assert BASE not in [run.name for run in list_runs(ROOT / "checkpoints")]


def test_a_short_english_text_is_offered_the_base_model(tmp_path):
    (note,) = offer(VERSE, tmp_path)
    assert "--init-from english" in note
    assert "\n" not in note


@pytest.mark.parametrize(
    "text", [GERMAN, CODE, FRENCH_QUOTES, "1987-05-03 12\n" * 200],
    ids=["german", "code", "unknown characters", "numbers"],
)  # fmt: skip
def test_a_text_unlike_the_base_models_is_offered_none(text, tmp_path):
    assert offer(text, tmp_path) == ()


def test_a_text_that_is_long_enough_is_offered_none(tmp_path):
    text = (VERSE * 20)[:MAX_CHARACTERS]
    assert offer(text, tmp_path) != ()
    assert offer(text + ".", tmp_path) == ()


def test_a_list_is_offered_none(tmp_path):
    assert offer(VERSE, tmp_path, lines=True) == ()


@pytest.mark.parametrize("given", [{"model": "lstm"}, {"hidden_size": 64}, {"num_layers": 2}])
def test_who_has_chosen_a_kind_or_size_is_offered_none(given, tmp_path):
    assert offer(VERSE, tmp_path, **given) == ()


def test_a_run_of_that_name_is_not_taken_for_the_base_model(tmp_path):
    save_checkpoint(tmp_path / "runs" / BASE / "best.safetensors")
    assert offer(VERSE, tmp_path) == ()


@pytest.mark.slow
def test_the_offer_is_a_note_of_the_plan_and_taking_it_ends_it(tmp_path):
    text = tmp_path / "verse.txt"
    text.write_text(VERSE)
    anew = {"hidden_size": None, "num_layers": None}
    with open_training(ask_to_train(text, tmp_path / "a", **anew)) as training:
        assert "--init-from english" in training.notes[-1]
        assert training.trainer.model.config.hidden_size != load(
            shipped_models()[BASE]
        ).model.hidden_size  # fmt: skip
    with open_training(ask_to_train(text, tmp_path / "b", init_from=BASE, **anew)) as training:
        notes = " ".join(training.notes)
        assert "--init-from" not in notes
        assert re.search(r"weights from english: \d+ characters known, 0 new", notes)


def test_a_folder_of_that_name_stops_no_training(tmp_path, monkeypatch):
    (tmp_path / BASE).mkdir()
    monkeypatch.chdir(tmp_path)
    assert offer(VERSE, tmp_path) == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("characters", "wishes", "share"),
    [(2_500, {}, 1 / 4), (10_000, {}, 1 / 16), (94_000, {"optimizer": "adamw"}, 1)],
    ids=["very short", "short", "longer"],
)
def test_only_on_a_short_text_a_model_from_weights_learns_at_a_lower_rate(
    characters, wishes, share, tmp_path
):
    text = tmp_path / "text.txt"
    text.write_text(SONNETS.read_text()[:characters])
    rates = []
    for more in ({}, {"init_from": str(shipped_models()[BASE])}):
        asked = ask_to_train(
            text, tmp_path / "runs", learning_rate=None, hidden_size=None, num_layers=None,
            batch_size=None, seq_length=None, **wishes, **more,
        )  # fmt: skip
        with open_training(asked) as training:
            rates.append(training.trainer.config.learning_rate)
    assert rates[1] == pytest.approx(share * rates[0])
