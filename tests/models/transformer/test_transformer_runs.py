"""Runs of GPT-2 and Llama through the commands: what holds for recurrent models holds for them."""

import json
from pathlib import Path

import numpy as np
import pytest
from factories import (
    ask_to_train,
    corpus_of,
    files,
    make_train_config,
    one_line_error,
    train,
)

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.training.evaluation import held_out_loss
from charrnn_cli.training.setup import open_training

pytestmark = pytest.mark.slow  # whole trainings

EVERY_MODEL = pytest.mark.parametrize("name", ["gpt2", "llama"])
SIZES = {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "context": 12, "seq_length": None}
OPTIONS = "--hidden-size 16 --num-layers 1 --num-heads 2 --context 24 --epochs 1 --device cpu"


@EVERY_MODEL
@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_stopped_run_resumes_to_the_same_bytes(name, optimizer, rain, tmp_path):
    wishes = {"model": name, "optimizer": optimizer, "dropout": 0.2, **SIZES}
    _, whole = train(rain, tmp_path / "whole", **wishes)
    _, stopped = train(rain, tmp_path / "parts", stop_at=11, **wishes)
    assert stopped.progress.step == 11
    train(None, tmp_path / "parts", resume="")
    assert files(stopped.run) == files(whole.run)


@EVERY_MODEL
def test_a_model_learns(name, rain, tmp_path):
    _, trainer = train(rain, tmp_path, model=name, epochs=6, **SIZES)
    assert trainer.progress.best_val_loss < 0.85 * trainer.history[0]["train_loss"]


@EVERY_MODEL
def test_the_score_of_the_held_out_part_is_the_loss_of_its_training(name, rain, invoke):
    assert invoke("train", rain, "--model", name, *OPTIONS.split()).exit_code == 0
    text = rain.read_text()
    Path("held_out.txt").write_text(text[len(text) - round(len(text) * 0.1) :])
    score = json.loads(invoke("score", "held_out.txt", "--json").stdout)
    val_loss = load(Path("checkpoints/rain/best.safetensors")).val_loss
    assert score["loss"] == pytest.approx(val_loss, abs=1e-5)


@EVERY_MODEL
def test_a_text_in_blocks_costs_what_it_costs_at_once(name, rain, invoke, monkeypatch):
    assert invoke("train", rain, "--model", name, *OPTIONS.split()).exit_code == 0
    whole = json.loads(invoke("score", rain, "--json").stdout)
    monkeypatch.setattr("charrnn_cli.scoring.scorer.BLOCK", 100)
    monkeypatch.setattr("charrnn_cli.text.reader.PIECE", 64)
    in_blocks = json.loads(invoke("score", rain, "--json").stdout)
    assert in_blocks["loss"] == pytest.approx(whole["loss"], abs=1e-6)


@EVERY_MODEL
def test_the_held_out_loss_is_that_of_a_decoder_reading_one_by_one(name, rain, tmp_path):
    _, trainer = train(rain, tmp_path, model=name, **SIZES)
    ids = trainer.held_out_part.ids
    model = trainer.model.config
    weights = {key: p.detach().numpy() for key, p in trainer.model.named_parameters()}
    logits = build_decoder(model, weights).logits(ids[:-1]).astype(np.float64)
    chosen = np.take_along_axis(logits, ids[1:, None].astype(int), 1)[:, 0]
    losses = np.log(np.exp(logits).sum(1)) - chosen
    loss = held_out_loss(trainer.model, trainer.held_out_part)
    assert loss == pytest.approx(losses.mean(), abs=1e-5)


@EVERY_MODEL
def test_sampling_goes_on_beyond_the_context(name, rain, invoke):
    assert invoke("train", rain, "--model", name, *OPTIONS.split()).exit_code == 0
    one = invoke("sample", "--length", "100", "--random-seed", "1", "--seed", "the rain in spain")
    many = invoke(
        "sample", "--length", "100", "--random-seed", "1", "--seed", "the rain in spain",
        "--num-samples", "2", "--json",
    )  # fmt: skip
    assert len(one.stdout.removesuffix("\n")) == 117
    first = json.loads(many.stdout.splitlines()[0])
    assert first["seed"] + first["text"] == one.stdout.removesuffix("\n")


@EVERY_MODEL
def test_a_model_learns_as_it_reads(name, rain, invoke):
    assert invoke("train", rain, "--model", name, *OPTIONS.split()).exit_code == 0
    score = json.loads(invoke("score", rain, "--json", "--adapt").stdout)
    assert score["adapted"]["loss"] < score["static"]["loss"]


@EVERY_MODEL
def test_another_text_starts_from_its_weights(name, rain, invoke):
    assert invoke("train", rain, "--model", name, *OPTIONS.split()).exit_code == 0
    Path("other.txt").write_text("zzz the rain in spain " * 60)
    result = invoke("train", "other.txt", "--init-from", "rain", "--epochs", "1")
    assert result.exit_code == 0, result.stderr
    assert "characters known, 1 new" in result.stderr
    assert load(Path("checkpoints/other/best.safetensors")).model.architecture == name


@EVERY_MODEL
def test_of_another_text_the_known_characters_keep_their_weights(name, rain, tmp_path):
    _, first = train(rain, tmp_path, name="first", model=name, **SIZES)
    other = tmp_path / "other.txt"
    other.write_text("zzz the rain in spain " * 60)
    wishes = {"hidden_size": None, "num_layers": None, "seq_length": None}
    request = ask_to_train(other, tmp_path, init_from="first", **wishes)
    before = load(first.run.best)
    with open_training(request) as training:
        trainer = training.trainer
        weights = {key: p.detach().numpy() for key, p in trainer.model.named_parameters()}
        old, new = before.vocabulary, trainer.dataset.vocabulary
    known = [character for character in new.characters if character in old]
    assert len(known) == len(new) - 1
    axes = before.model.vocabulary_axes()
    for key, values in weights.items():
        stored = before.weights[key]
        if key in axes:
            values = values.take([new.id_of(c) for c in known], axes[key])
            stored = stored.take([old.id_of(c) for c in known], axes[key])
        np.testing.assert_array_equal(values, stored)


@EVERY_MODEL
def test_info_draws_it(name, rain, invoke):
    assert invoke("train", rain, "--model", name, *OPTIONS.split()).exit_code == 0
    shown = invoke("info").stdout
    assert f"{name}, 1 layer of 16 units" in shown
    assert "character, embedding" in shown
    assert "block 1" in shown
    assert "format 3" in shown
    assert "Held-out loss beside simple baselines" in shown
    for baseline in ("uniform", "unigram", "5-gram"):
        assert f"\n{baseline}" in shown


@EVERY_MODEL
def test_info_draws_its_losses_into_a_picture(name, rain, invoke):
    pytest.importorskip("matplotlib")
    assert invoke("train", rain, "--model", name, *OPTIONS.split()).exit_code == 0
    assert invoke("info", "--plot", "loss.png").exit_code == 0
    assert Path("loss.png").read_bytes().startswith(b"\x89PNG")


@EVERY_MODEL
def test_each_view_of_a_score_has_the_same_bits(name, rain, invoke):
    assert invoke("train", rain, "--model", name, *OPTIONS.split()).exit_code == 0
    Path("lines.txt").write_text("the rain in spain\nfalls mainly\nmainly the rain\n")
    whole = json.loads(invoke("score", "lines.txt", "--json", "--lines").stdout)
    table = invoke("score", "lines.txt", "--tsv").stdout.splitlines()[1:]
    assert sum(float(row.split("\t")[3]) for row in table) == pytest.approx(whole["bits"], abs=0.01)
    lines = {line["line"]: line["bits"] for line in whole["most_surprising"]}
    assert sum(lines.values()) == pytest.approx(whole["bits"], abs=0.01)
    shown = invoke("score", "lines.txt", "--show").stdout
    assert "falls mainly" in shown
    assert f"{whole['bits_per_char']:.3f}" in shown


@EVERY_MODEL
def test_a_score_may_be_a_picture_or_a_comparison(name, rain, invoke):
    pytest.importorskip("matplotlib")
    assert invoke("train", rain, "--model", name, *OPTIONS.split()).exit_code == 0
    assert invoke("score", rain, "--plot", "score.png").exit_code == 0
    assert Path("score.png").read_bytes().startswith(b"\x89PNG")
    both = invoke("score", rain, "--checkpoint", "rain", "--checkpoint", "rain")
    assert "fits best" in both.stdout


def test_a_text_shorter_than_the_context_of_its_model_takes_a_part_of_the_positions(rain, invoke):
    assert invoke("train", rain, "--model", "gpt2", *OPTIONS.split()).exit_code == 0
    Path("short.txt").write_text("the rain in a spain")
    result = invoke("train", "short.txt", "--init-from", "rain", "--val-fraction", "0.1")
    assert result.exit_code == 0, result.stderr


def test_as_many_heads_as_divide_a_width_that_is_given(rain, tmp_path):
    wishes = {"model": "llama", "hidden_size": 50, "num_layers": 1, "context": 12}
    with open_training(ask_to_train(rain, tmp_path, seq_length=None, **wishes)) as training:
        config = training.trainer.model.config
    assert (config.hidden_size, config.num_heads) == (50, 1)


def test_a_context_longer_than_the_text_is_shortened(rain, tmp_path):
    wishes = {**SIZES, "context": 4096, "batch_size": 4}
    with open_training(ask_to_train(rain, tmp_path, model="llama", **wishes)) as training:
        config, train_config = training.trainer.model.config, training.trainer.config
    assert config.context == train_config.seq_length < len(rain.read_text())


def test_windows_differ_from_epoch_to_epoch(tmp_path, rain):
    with open_training(ask_to_train(rain, tmp_path, model="gpt2", **SIZES)) as training:
        trainer = training.trainer
        part, config = trainer.train_part, trainer.config
    rows = slice(0, config.batch_size)
    epochs = [[batch.inputs.tolist() for batch in part.batches(config, e, rows)] for e in (0, 1)]
    assert epochs[0] != epochs[1]
    again = [batch.inputs.tolist() for batch in part.batches(config, 0, rows)]
    assert epochs[0] == again


def test_every_shuffled_window_is_a_stretch_of_the_text():
    corpus = corpus_of("".join(map(chr, range(100, 1100))))  # ids are places
    config = make_train_config(batch_size=3, seq_length=20, shuffle=True)
    batches = corpus.batches(config, 3, slice(0, 3))
    assert len(batches) == corpus.steps_per_epoch(config)
    for batch in batches:
        assert (np.diff(batch.inputs.astype(int), axis=0) == 1).all()
        assert (batch.targets == batch.inputs + 1).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--model", "gpt2", "--seq-length", "8"), "--seq-length 8: a model of kind gpt2"),
        (("--num-heads", "2"), "--num-heads: a model of kind gru has none."),
        (("--model", "llama", "--hidden-size", "16", "--num-heads", "3"), "--num-heads 3: must"),
    ],
)
def test_options_that_do_not_fit_are_refused(words, message, rain, invoke):
    line = one_line_error(invoke("train", rain, *words, "--device", "cpu"), 2)
    assert message in line
