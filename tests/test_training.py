"""Training: that it learns, resumes exactly, ends when it should, and never loses what it has."""

import io
import itertools
import json
import math
import os
import random
import signal
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from charrnn_cli.checkpoint import load
from charrnn_cli.config import CELLS
from charrnn_cli.corpus import read_corpus
from charrnn_cli.device import available_devices, choose_device, describe_device, memory_limit
from charrnn_cli.errors import (
    CheckpointError,
    DivergedError,
    ExitCode,
    MemoryLimitError,
    RunInUseError,
    TextError,
    UsageError,
)
from charrnn_cli.evaluation import held_out_loss
from charrnn_cli.model import CharRNN, load_weights
from charrnn_cli.runs import Run
from charrnn_cli.signals import STOPPING, StopOnSignal
from charrnn_cli.speed import measure_speed
from charrnn_cli.start import Request, open_training
from charrnn_cli.training import Evaluated, Finished, Stepped, Trainer, learning_rate

torch.set_num_threads(1)

EVERY_MODEL = pytest.mark.parametrize("name", CELLS)
SMALL = {"hidden_size": 12, "num_layers": 2, "batch_size": 4, "seq_length": 16, "epochs": 1.5}
TINY = {"hidden_size": 4, "num_layers": 1, "batch_size": 1, "seq_length": 4}
WORDS = ["the", "rain", "in", "spain", "falls", "mainly"]
NOISE = "".join(random.Random(1).choices("abcdefgh", k=600))


def words(count: int, seed: int = 0) -> str:
    """A text that is easy to learn something of: words of one line in random order."""
    return " ".join(random.Random(seed).choices(WORDS, k=count))


@pytest.fixture
def text(tmp_path) -> Path:
    path = tmp_path / "rain.txt"
    path.write_text(words(250))  # about 1,400 characters
    return path


def ask(text: Path | None, folder: Path, **wishes) -> Request:
    """A request for a small run into `folder`; settings and the request's fields by name."""
    fields = set(Request.__dataclass_fields__)
    given = {name: value for name, value in wishes.items() if name not in fields}
    if "resume" not in wishes:
        given = SMALL | given
    return Request(
        source=None if text is None else str(text),
        given={name: value for name, value in given.items() if value is not None},
        checkpoints=folder,
        started=time.monotonic(),
        **({"device": "cpu"} | {name: wishes[name] for name in wishes if name in fields}),
    )


def train(text: Path | None, folder: Path, stop_at: float = math.inf, **wishes):
    """Train to the end, or to step `stop_at`; return the events and the trainer."""
    with open_training(ask(text, folder, **wishes)) as training:
        trainer = training.trainer
        events = list(trainer.steps(lambda: trainer.progress.step >= stop_at))
    return events, trainer


def files(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run.best, run.last)}


def records(run: Run) -> list[dict]:
    return [json.loads(line) for line in run.metrics.read_text().splitlines()]


# learning


@EVERY_MODEL
def test_the_loss_falls_on_a_simple_text(name, text, tmp_path):
    _, trainer = train(text, tmp_path, model=name, epochs=6, num_layers=1, learning_rate=0.02)
    guessing = math.log(len(trainer.corpus.vocabulary))
    assert trainer.history[-1]["val_loss"] < 0.5 * guessing
    assert trainer.history[-1]["train_loss"] < 0.5 * guessing


def test_the_first_loss_is_that_of_guessing(text, tmp_path):
    events, trainer = train(text, tmp_path, stop_at=1)
    assert events[0].loss == pytest.approx(math.log(len(trainer.corpus.vocabulary)), abs=0.5)


@torch.no_grad()
def is_one_pass(trainer: Trainer, losses: list[float]) -> bool:
    """Whether these are the losses of windows in a row, read from a state of zeros, for a model
    that did not change. Where in the text they begin is drawn each epoch: all places are tried."""
    ids = torch.from_numpy(trainer.train_ids.astype(np.int64))
    parts = ids.unfold(0, len(losses) * trainer.config.seq_length + 1, 1).T  # (T + 1, places)
    model = trainer.model.eval()
    logits, _ = model(parts[:-1], model.initial_hidden(parts.shape[1]))
    each = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), parts[1:].flatten(), reduction="none"
    )
    means = each.reshape(len(losses), -1, parts.shape[1]).mean(1)  # (windows, places)
    return bool(np.isclose(means, np.array(losses)[:, None], rtol=0, atol=1e-5).all(0).any())


@EVERY_MODEL
def test_the_state_is_carried_over_an_epoch_and_begins_anew_at_the_next(name, text, tmp_path):
    still = {"learning_rate": 1e-30, "dropout": 0.0}  # next to nothing: no weight moves
    one_lane = {"batch_size": 1, "seq_length": 32, "epochs": 2}
    events, trainer = train(text, tmp_path, model=name, **still, **one_lane)
    losses = [event.loss for event in events if isinstance(event, Stepped)]
    edge = trainer.epoch_steps
    assert is_one_pass(trainer, losses[:edge])
    assert is_one_pass(trainer, losses[edge:])
    assert not is_one_pass(trainer, losses[1:edge])  # the state before the second window counts


def test_weights_move_by_the_gradient_clipped_to_the_norm(text, tmp_path):
    with open_training(ask(text, tmp_path, grad_clip=1e-3)) as training:
        trainer = training.trainer
        next(trainer.steps())
        norm = torch.nn.utils.get_total_norm([p.grad for p in trainer.model.parameters()])
    assert norm.item() == pytest.approx(1e-3, rel=1e-3)


def test_steps_are_counted_and_their_share_rises_to_one(text, tmp_path):
    events, trainer = train(text, tmp_path)
    steps = [event for event in events if isinstance(event, Stepped)]
    assert [event.step for event in steps] == list(range(1, len(steps) + 1))
    assert [event.share for event in steps] == sorted(event.share for event in steps)
    assert steps[-1].share == 1
    assert len(steps) == round(1.5 * trainer.epoch_steps) == trainer.total_steps


def test_the_last_event_says_that_the_run_is_complete(text, tmp_path):
    events, trainer = train(text, tmp_path)
    assert events[-1] == Finished("complete", trainer.progress)
    assert trainer.progress.epoch == pytest.approx(1.5, abs=0.02)
    assert [type(event) for event in events].count(Finished) == 1


def test_a_run_ends_with_an_evaluation(text, tmp_path):
    events, trainer = train(text, tmp_path)
    assert isinstance(events[-2], Evaluated)
    assert events[-2].step == trainer.progress.step


# random numbers


def test_equal_random_seeds_give_equal_bytes(text, tmp_path):
    first, second = (
        train(text, tmp_path / folder, dropout=0.3, random_seed=7)[1].run for folder in "ab"
    )
    assert files(first) == files(second)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_different_random_seeds_give_different_weights(text, tmp_path, dropout):
    runs = [
        train(text, tmp_path / str(seed), dropout=dropout, random_seed=seed)[1].run
        for seed in (7, 8)
    ]
    ours, theirs = (load(run.best).weights for run in runs)
    assert all((ours[name] != theirs[name]).any() for name in ours)


def test_a_training_does_not_depend_on_random_numbers_drawn_before(text, tmp_path):
    first = train(text, tmp_path / "a", dropout=0.3)[1].run
    torch.rand(5)
    np.random.rand(5)
    assert files(train(text, tmp_path / "b", dropout=0.3)[1].run) == files(first)


# exact resume


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A whole run for each model and dropout, trained once: the text, and the finished trainer."""
    folder = tmp_path_factory.mktemp("undisturbed")
    text = folder / "rain.txt"
    text.write_text(words(250))
    cache = {}

    def whole(**wishes) -> tuple[Path, Trainer]:
        key = tuple(sorted(wishes.items()))
        if key not in cache:
            cache[key] = train(text, folder / str(len(cache)), **wishes)[1]
        return text, cache[key]

    return whole


PLACES = {
    "after the first step": lambda run: 1,
    "before an evaluation": lambda run: run.config.eval_every - 1,
    "at an evaluation": lambda run: run.config.eval_every,
    "after an evaluation": lambda run: run.config.eval_every + 1,
    "before the epoch's edge": lambda run: run.epoch_steps - 1,
    "at the epoch's edge": lambda run: run.epoch_steps,
    "after the epoch's edge": lambda run: run.epoch_steps + 1,
    "before the end": lambda run: run.total_steps - 1,
}


@EVERY_MODEL
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("place", PLACES)
def test_a_stopped_and_resumed_run_ends_with_the_same_bytes(
    name, dropout, place, undisturbed, tmp_path
):
    text, whole = undisturbed(model=name, dropout=dropout)
    stop_at = PLACES[place](whole)
    events, stopped = train(text, tmp_path, stop_at, model=name, dropout=dropout)
    assert events[-1].reason == "stopped"
    assert stopped.progress.step == stop_at

    _, resumed = train(None, tmp_path, resume="")

    assert files(resumed.run) == files(whole.run)


def test_the_places_to_stop_at_are_all_different(undisturbed):
    _, whole = undisturbed(model="gru", dropout=0.0)
    stops = [place(whole) for place in PLACES.values()]
    assert len(set(stops)) == len(stops)
    assert all(1 <= stop < whole.total_steps for stop in stops)
    assert whole.epoch_steps % whole.config.eval_every  # an epoch's edge is no evaluation


def test_a_run_stopped_again_and_again_ends_with_the_same_bytes(undisturbed, tmp_path):
    text, whole = undisturbed(model="gru", dropout=0.3)
    train(text, tmp_path, stop_at=3, model="gru", dropout=0.3)
    for stop_at in range(10, whole.total_steps, 7):
        train(None, tmp_path, stop_at, resume="")
    _, resumed = train(None, tmp_path, resume="")
    assert files(resumed.run) == files(whole.run)


def test_a_killed_run_goes_on_from_its_last_evaluation(undisturbed, tmp_path):
    text, whole = undisturbed(model="gru", dropout=0.3)
    with open_training(ask(text, tmp_path, model="gru", dropout=0.3)) as training:
        for event in training.trainer.steps():  # pragma: no branch
            if event.step == whole.config.eval_every + 3:
                break  # what follows an evaluation is lost here, as if the process had been killed
    with open_training(ask(None, tmp_path, resume="")) as training:
        assert training.trainer.progress.step == whole.config.eval_every
        list(training.trainer.steps())
    assert files(training.trainer.run) == files(whole.run)


def test_a_resumed_run_has_the_same_metrics(undisturbed, tmp_path):
    text, whole = undisturbed(model="gru", dropout=0.3)
    train(text, tmp_path, stop_at=whole.config.eval_every + 2, model="gru", dropout=0.3)
    _, resumed = train(None, tmp_path, resume="")

    def timeless(run):
        return [
            {k: v for k, v in record.items() if k not in ("seconds", "chars_per_second")}
            for record in records(run)
        ]

    assert timeless(resumed.run) == timeless(whole.run)


def test_metrics_from_after_the_last_save_are_forgotten(text, tmp_path):
    _, stopped = train(text, tmp_path, stop_at=20)
    with open(stopped.run.metrics, "a") as file:
        file.write('{"step": 21, "val_loss": 0.5}\n{"step": 2')
    _, resumed = train(None, tmp_path, resume="")
    assert [record["step"] for record in records(resumed.run)] == [
        record["step"] for record in resumed.history
    ]


def test_a_run_can_be_resumed_by_name(text, tmp_path):
    train(text, tmp_path, stop_at=3, name="first")
    train(text, tmp_path, stop_at=3, name="second")
    _, resumed = train(None, tmp_path, resume="first")
    assert resumed.run.folder == tmp_path / "first"


def test_a_run_can_be_resumed_with_its_text_elsewhere(text, tmp_path):
    train(text, tmp_path, stop_at=3)
    moved = text.rename(tmp_path / "moved.txt")
    events, _ = train(moved, tmp_path, resume="rain")
    assert events[-1].reason == "complete"


def test_a_resumed_run_says_where_it_goes_on(text, tmp_path):
    train(text, tmp_path, stop_at=3)
    with open_training(ask(None, tmp_path, resume="")) as training:
        assert "run rain goes on at step 3" in training.notes


def test_a_run_with_more_epochs_goes_on(text, tmp_path):
    _, first = train(text, tmp_path, epochs=1)
    _, longer = train(None, tmp_path, resume="", epochs=2)
    assert first.progress.step == first.epoch_steps
    assert longer.progress.step == 2 * longer.epoch_steps
    assert longer.history[: len(first.history)] == first.history
    assert len(longer.history) > len(first.history)
    assert longer.progress.finished


def test_a_run_with_more_epochs_can_be_stopped_and_resumed(text, tmp_path):
    _, first = train(text, tmp_path, epochs=1)
    train(None, tmp_path, resume="", epochs=2, stop_at=first.progress.step + 3)
    _, resumed = train(None, tmp_path, resume="")
    assert resumed.progress.step == 2 * resumed.epoch_steps


# what a resume refuses


def test_a_complete_run_is_not_resumed(text, tmp_path):
    train(text, tmp_path)
    with pytest.raises(UsageError, match=r"run rain is complete.*--epochs 3"):
        train(None, tmp_path, resume="")


def test_fewer_epochs_than_done_are_refused(text, tmp_path):
    train(text, tmp_path, stop_at=25)
    with pytest.raises(UsageError, match="complete"):
        train(None, tmp_path, resume="", epochs=1)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("hidden_size", 9), ("learning_rate", 0.1), ("batch_size", 4), ("random_seed", 1)],
)
def test_changed_settings_are_refused_by_their_option(text, tmp_path, setting, value):
    train(text, tmp_path, stop_at=3)
    with pytest.raises(UsageError, match="--" + setting.replace("_", "-")):
        train(None, tmp_path, resume="", **{setting: value})


def test_a_new_name_is_refused(text, tmp_path):
    train(text, tmp_path, stop_at=3)
    with pytest.raises(UsageError, match="--name"):
        train(None, tmp_path, resume="", name="other")


def test_a_changed_text_is_refused(text, tmp_path):
    _, stopped = train(text, tmp_path, stop_at=12)
    before = files(stopped.run)
    text.write_text(words(250, seed=1))
    with pytest.raises(TextError, match=r"rain\.txt: not the text of run rain"):
        train(None, tmp_path, resume="")
    assert files(stopped.run) == before


def test_a_text_from_stdin_must_be_given_again(text, tmp_path, monkeypatch):
    stdin = partial(io.TextIOWrapper, io.BytesIO(text.read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin())
    train(Path("-"), tmp_path, stop_at=3)
    with pytest.raises(UsageError, match=r"charrnn train TEXT --resume stdin"):
        train(None, tmp_path, resume="")
    events, _ = train(text, tmp_path, resume="")
    assert events[-1].reason == "complete"


def test_a_best_checkpoint_alone_is_not_resumed(text, tmp_path):
    _, trainer = train(text, tmp_path)
    trainer.run.last.unlink()
    with pytest.raises(CheckpointError, match=r"last\.safetensors"):
        train(None, tmp_path, resume="", epochs=5)


def test_resume_and_init_from_exclude_each_other(text, tmp_path):
    with pytest.raises(UsageError, match="--resume and --init-from"):
        train(text, tmp_path, resume="", init_from="rain")


def test_a_run_that_is_being_trained_is_not_resumed(text, tmp_path):
    with open_training(ask(text, tmp_path)) as training:
        steps = training.trainer.steps(lambda: True)
        list(steps)
        with pytest.raises(RunInUseError, match="run rain"):
            train(None, tmp_path, resume="")


# when a run ends


def test_patience_ends_a_run_without_a_new_best(tmp_path):
    text = tmp_path / "noise.txt"
    text.write_text(NOISE)  # nothing to learn: soon it is learned by heart
    events, trainer = train(
        text, tmp_path, epochs=200, patience=3, learning_rate=0.03, num_layers=1
    )
    assert events[-1].reason == "patience"
    assert trainer.progress.step < trainer.total_steps
    assert trainer.progress.since_best == 3
    assert [e.best for e in events if isinstance(e, Evaluated)][-4:] == [True, False, False, False]


def test_patience_that_lasts_lets_a_run_end_as_planned(tmp_path):
    text = tmp_path / "noise.txt"
    text.write_text(NOISE)
    events, _ = train(text, tmp_path, epochs=20, patience=10_000, learning_rate=0.03, num_layers=1)
    assert events[-1].reason == "complete"


def test_a_run_that_patience_ended_goes_on_when_given_more_epochs(tmp_path):
    text = tmp_path / "noise.txt"
    text.write_text(NOISE)
    _, first = train(text, tmp_path, epochs=200, patience=3, learning_rate=0.03, num_layers=1)
    _, second = train(None, tmp_path, resume="", epochs=300)
    assert second.progress.step >= first.progress.step + 3 * first.config.eval_every


def test_a_run_that_patience_ended_goes_on_when_given_more_patience(tmp_path):
    text = tmp_path / "noise.txt"
    text.write_text(NOISE)
    _, first = train(text, tmp_path, epochs=200, patience=3, learning_rate=0.03, num_layers=1)
    with pytest.raises(UsageError, match="complete"):
        train(None, tmp_path, resume="")
    events, second = train(None, tmp_path, resume="", patience=5)
    assert events[-1].reason == "patience"
    assert second.progress.step == first.progress.step + 5 * first.config.eval_every


def test_a_run_in_minutes_ends_in_time(text, tmp_path):
    train(text, tmp_path / "warm-up", stop_at=1)  # what is imported late is imported by now
    begun = time.monotonic()
    events, trainer = train(text, tmp_path, minutes=0.03, epochs=None)
    assert time.monotonic() - begun < 0.03 * 60 + 3  # a stalled machine may take longer
    assert events[-1].reason == "complete"
    assert isinstance(events[-2], Evaluated)
    assert 0 < load(trainer.run.last).progress.seconds <= time.monotonic() - begun


def test_a_run_whose_time_is_over_at_once_still_gives_a_measured_model(text, tmp_path):
    events, trainer = train(text, tmp_path, minutes=1e-6, epochs=None)
    assert [type(event) for event in events] == [Stepped, Evaluated, Finished]
    assert load(trainer.run.best).val_loss == events[1].val_loss


def test_epochs_end_a_run_before_its_minutes_do(text, tmp_path):
    events, trainer = train(text, tmp_path, minutes=10, epochs=1)
    assert events[-1].reason == "complete"
    assert trainer.progress.step == trainer.epoch_steps


def test_a_run_stopped_at_its_last_step_is_complete(text, tmp_path):
    with open_training(ask(text, tmp_path)) as training:
        trainer = training.trainer
        *_, end = trainer.steps(lambda: trainer.progress.step >= trainer.total_steps)
    assert end.reason == "complete"
    assert load(trainer.run.last).progress.finished


# the learning rate


@pytest.fixture
def config(text, tmp_path):
    with open_training(ask(text, tmp_path, learning_rate=0.01)) as training:
        return training.trainer.config


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing(config):
    shares = np.linspace(0, 1, 1001)
    rates = np.array([learning_rate(share, config) for share in shares])
    peak = int(rates.argmax())
    assert shares[peak] == pytest.approx(config.warmup, abs=1e-9)
    assert rates[peak] == pytest.approx(0.01)
    assert (np.diff(rates[:peak]) >= 0).all()
    assert (np.diff(rates[peak:]) <= 0).all()
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert (rates[:-1] > 0).all()


def test_the_learning_rate_falls_as_a_cosine(config):
    middle = (config.warmup + 1) / 2
    for part, height in [(1 / 3, 0.75), (1 / 2, 0.5), (2 / 3, 0.25)]:  # (1 + cos(part * pi)) / 2
        share = config.warmup + part * (1 - config.warmup)
        assert learning_rate(share, config) == pytest.approx(0.01 * height)
    assert learning_rate(middle, config) == pytest.approx(0.005)


def test_the_learning_rate_stays_at_nothing_past_the_end(config):
    assert learning_rate(1.2, config) == pytest.approx(0, abs=1e-9)


def test_a_run_follows_the_schedule_to_its_end(text, tmp_path):
    with open_training(ask(text, tmp_path, learning_rate=0.01, epochs=4)) as training:
        trainer = training.trainer
        rates = [
            trainer.optimizer.param_groups[0]["lr"]
            for event in trainer.steps()
            if isinstance(event, Stepped)
        ]
    expected = [learning_rate(step / len(rates), trainer.config) for step in range(len(rates))]
    assert rates == pytest.approx(expected)
    assert rates[-1] < 0.01 * max(rates)


# what is recorded


def test_metrics_have_the_fields_that_are_promised(text, tmp_path):
    _, trainer = train(text, tmp_path)
    promised = "step epoch train_loss val_loss learning_rate grad_norm chars_per_second seconds"
    for record in records(trainer.run):
        assert set(record) == set(promised.split())
        assert all(math.isfinite(value) and value > 0 for value in record.values())


def test_metrics_match_the_history_and_the_events(text, tmp_path):
    events, trainer = train(text, tmp_path)
    lines, history = records(trainer.run), load(trainer.run.last).history
    evaluated = [event for event in events if isinstance(event, Evaluated)]
    assert len(lines) == len(history) == len(evaluated) > 1
    for line, record, event in zip(lines, history, evaluated, strict=True):
        assert record == {name: line[name] for name in record}
        assert all(line[name] == getattr(event, name) for name in line)


def test_the_train_loss_is_the_mean_since_the_last_evaluation(text, tmp_path):
    events, _ = train(text, tmp_path)
    losses = []
    for event in events:
        if isinstance(event, Stepped):
            losses.append(event.loss)
        elif isinstance(event, Evaluated):
            assert event.train_loss == pytest.approx(np.mean(losses))
            losses.clear()


def test_best_has_the_lowest_held_out_loss(tmp_path):
    text = tmp_path / "noise.txt"
    text.write_text(NOISE)  # learned by heart: the best is not the last
    _, trainer = train(text, tmp_path, epochs=100, patience=5, learning_rate=0.03, num_layers=1)
    best = load(trainer.run.best)
    lowest = min(trainer.history, key=lambda record: record["val_loss"])
    assert best.val_loss == lowest["val_loss"]
    assert best.progress.step == lowest["step"] < trainer.progress.step


def test_best_holds_the_weights_whose_loss_it_states(text, tmp_path):
    _, trainer = train(text, tmp_path, dropout=0.3)
    best = load(trainer.run.best)
    model = CharRNN(best.model)
    load_weights(model, best.weights)
    _, held_out = read_corpus(str(text)).split(best.train.val_fraction)
    assert held_out_loss(model, held_out) == pytest.approx(best.val_loss, abs=1e-6)


def test_best_tells_nothing_of_folders_and_holds_no_training_state(text, tmp_path):
    _, trainer = train(text, tmp_path)
    best, last = load(trainer.run.best), load(trainer.run.last)
    assert str(tmp_path).encode() not in trainer.run.best.read_bytes()
    assert (best.corpus.name, best.corpus.path, best.training) == ("rain.txt", None, {})
    assert last.corpus.path == str(text)
    assert last.training


def test_a_run_in_epochs_keeps_no_time(text, tmp_path):
    _, trainer = train(text, tmp_path)
    assert load(trainer.run.last).progress.seconds is None


# a run that fails


def spoil_loss(trainer: Trainer) -> None:
    trainer.model.head.register_forward_hook(lambda module, inputs, logits: logits * math.inf)


def spoil_gradient(trainer: Trainer) -> None:
    trainer.model.head.weight.register_hook(lambda gradient: gradient * math.nan)


@pytest.mark.parametrize("spoil", [spoil_loss, spoil_gradient])
@pytest.mark.parametrize("steps", [0, 1, 13])
def test_what_is_not_finite_never_reaches_the_weights(spoil, steps, text, tmp_path):
    _, sound = train(text, tmp_path / "sound", stop_at=max(1, steps))
    with open_training(ask(text, tmp_path)) as training:
        trainer = training.trainer
        events = (event for event in trainer.steps() if isinstance(event, Stepped))
        list(itertools.islice(events, steps))
        spoil(trainer)
        with pytest.raises(DivergedError) as caught:
            next(events)
    assert f"step {steps + 1}:" in str(caught.value)
    assert "--learning-rate" in str(caught.value)
    assert load(trainer.run.last, training=True).progress.step == steps
    if steps:
        assert trainer.run.last.read_bytes() == sound.run.last.read_bytes()


def test_a_run_that_fails_before_a_checkpoint_leaves_no_folder(text, tmp_path):
    with pytest.raises(ZeroDivisionError), open_training(ask(text, tmp_path / "runs")):
        raise ZeroDivisionError
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_that_fails_after_a_checkpoint_keeps_it(text, tmp_path):
    def fail():
        with open_training(ask(text, tmp_path)) as training:
            list(training.trainer.steps(lambda: True))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert load(tmp_path / "rain" / "last.safetensors").progress.step == 1


@pytest.mark.parametrize(
    "wishes", [{"device": "cuda:9"}, {"hidden_size": 0}, {"val_fraction": 2.0}, {"threads": 0}]
)
def test_what_is_refused_leaves_no_folder(text, tmp_path, wishes):
    with pytest.raises(UsageError, match="--" + next(iter(wishes)).replace("_", "-")):
        train(text, tmp_path / "runs", **wishes)
    assert not (tmp_path / "runs").exists()


def test_a_text_that_is_too_short_is_refused_and_leaves_no_folder(text, tmp_path):
    text.write_text("too short")
    with pytest.raises(TextError, match=r"rain\.txt: 9 characters"):
        train(text, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_no_text_is_refused(tmp_path):
    with pytest.raises(UsageError, match="name the text"):
        train(None, tmp_path / "runs")


def test_the_shortest_text_that_is_let_in_can_be_trained_on(text, tmp_path):
    text.write_text("abcdefghijklmnopqr")
    with pytest.raises(TextError, match="at least 19"):
        train(text, tmp_path)
    text.write_text("abcdefghijklmnopqrs")
    events, _ = train(text, tmp_path, epochs=3)
    assert events[-1].reason == "complete"


# from another model's weights


def test_init_from_takes_what_is_known_and_says_how_much(text, tmp_path):
    _, first = train(text, tmp_path)
    source = load(first.run.best)
    other = tmp_path / "other.txt"
    other.write_text("the train to Zürich is late. " * 30)
    with open_training(ask(other, tmp_path, init_from="rain", num_layers=None)) as training:
        trainer = training.trainer
        ours = set("the train to Zürich is late. ")
        known = ours & set(words(250))
        assert f"{len(known)} characters known, {len(ours - known)} new" in training.notes[-1]
        weights = {name: p.detach().numpy() for name, p in trainer.model.named_parameters()}
    np.testing.assert_array_equal(
        weights["layers.1.weight_hh"], source.weights["layers.1.weight_hh"]
    )
    for character in known:
        place = trainer.corpus.vocabulary.id_of(character)
        np.testing.assert_array_equal(
            weights["head.weight"][place],
            source.weights["head.weight"][source.vocabulary.id_of(character)],
        )


def test_init_from_begins_better_than_from_nothing(text, tmp_path):
    train(text, tmp_path, epochs=6, learning_rate=0.02)
    [anew, *_], _ = train(text, tmp_path, stop_at=1)
    [known, *_], _ = train(text, tmp_path, stop_at=1, init_from="rain")
    assert known.loss < 0.6 * anew.loss


def test_init_from_takes_kind_and_size_from_its_model(text, tmp_path):
    train(text, tmp_path, model="lstm", hidden_size=9, num_layers=3, stop_at=2)
    sizes = {"hidden_size": None, "num_layers": None}
    _, trainer = train(text, tmp_path, init_from="rain", stop_at=1, **sizes)
    config = trainer.model.config
    assert (config.model, config.hidden_size, config.num_layers) == ("lstm", 9, 3)


def test_init_from_refuses_another_size(text, tmp_path):
    train(text, tmp_path, stop_at=2)
    with pytest.raises(UsageError, match=r"--hidden-size 30: .* has 12"):
        train(text, tmp_path, init_from="rain", hidden_size=30)


# names and notes


def test_a_run_is_named_after_its_text_and_numbered_when_taken(text, tmp_path):
    names = [train(text, tmp_path, stop_at=1)[1].run.name for _ in range(3)]
    assert names == ["rain", "rain-2", "rain-3"]


def test_a_text_too_small_for_its_batch_is_told(text, tmp_path):
    text.write_text(words(20))
    with open_training(ask(text, tmp_path, batch_size=64, seq_length=32)) as training:
        assert any("64 x 32" in note for note in training.notes)
        config = training.trainer.config
        assert config.batch_size * config.seq_length < len(training.trainer.train_ids)


def test_the_rest_of_a_run_is_estimated_from_the_speed(text, tmp_path):
    with open_training(ask(text, tmp_path)) as training:
        trainer = training.trainer
        characters = trainer.total_steps * 4 * 16
        assert training.seconds == pytest.approx(characters / training.chars_per_second)
        list(trainer.steps())
        assert training.seconds == 0


def test_an_estimate_is_never_longer_than_the_minutes(text, tmp_path):
    with open_training(ask(text, tmp_path, minutes=0.5, epochs=100_000)) as training:
        assert 0 < training.seconds <= 30


def test_the_threads_asked_for_are_used_and_recorded(text, tmp_path):
    with open_training(ask(text, tmp_path, threads=2, **TINY)) as training:
        assert torch.get_num_threads() == 2
        list(training.trainer.steps(lambda: True))
    assert load(training.trainer.run.last).threads == 2


def test_a_resumed_run_uses_as_many_threads_as_before(text, tmp_path):
    """Another number would change the last bits of what is computed."""
    train(text, tmp_path, stop_at=1, threads=2, **TINY)
    with open_training(ask(None, tmp_path, resume="")):
        assert torch.get_num_threads() == 2


def test_after_a_training_threads_are_as_many_as_before(text, tmp_path):
    train(text, tmp_path, stop_at=1, threads=2, **TINY)
    train(None, tmp_path, stop_at=2, resume="")
    assert torch.get_num_threads() == 1


# speed


def test_measuring_the_speed_leaves_the_model_as_it_was(text, tmp_path):
    with open_training(ask(text, tmp_path)) as training:
        trainer = training.trainer
        before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
        assert 0 < measure_speed(trainer.model, trainer.config, trainer.train_ids) < math.inf
        for parameter, was in zip(trainer.model.parameters(), before, strict=True):
            assert torch.equal(parameter, was)
            assert parameter.grad is None


# devices


def test_the_cpu_is_always_there():
    assert choose_device("cpu") == torch.device("cpu")
    assert "cpu" in available_devices()


def test_auto_is_the_fastest_there_is():
    assert choose_device("auto").type == available_devices()[0]


@pytest.mark.parametrize("name", ["nonsense", "", "cuda:x", "cuda:-1", "meta", "cuda:1:2", "CPU"])
def test_what_is_no_device_is_refused_with_what_could_be(name):
    with pytest.raises(UsageError) as caught:
        choose_device(name)
    assert str(caught.value) == f"--device {name}: must be auto, cpu, cuda, cuda:N or mps."


@pytest.mark.parametrize("name", ["cuda:9", "cpu:7", "mps"])
def test_a_device_that_is_not_there_is_refused_with_what_is(name):
    if name in available_devices():
        pytest.skip(f"{name} is there")
    with pytest.raises(UsageError) as caught:
        choose_device(name)
    assert f"--device {name}: not on this machine" in str(caught.value)
    assert str(caught.value).endswith(f"There is: {', '.join(available_devices())}.")


@pytest.mark.parametrize(("threads", "expected"), [(1, "cpu (1 thread)"), (4, "cpu (4 threads)")])
def test_a_cpu_is_described_with_its_threads(threads, expected):
    assert describe_device(torch.device("cpu"), threads) == expected


def test_memory_that_runs_out_is_told_with_what_to_lower(config):
    with pytest.raises(MemoryLimitError) as caught, memory_limit(config):
        torch.empty(2**58)
    for option in ("--batch-size 4", "--seq-length 16", "--hidden-size"):
        assert option in str(caught.value)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_every_kind_of_memory_error_is_told(config, error):
    with pytest.raises(MemoryLimitError), memory_limit(config):
        raise error


def test_other_errors_are_not_taken_for_one_of_memory(config):
    with pytest.raises(RuntimeError, match="shapes"), memory_limit(config):
        raise RuntimeError("shapes do not fit")


# signals


@pytest.mark.parametrize("name", STOPPING)
def test_a_signal_is_noted_and_no_more(name, capsys):
    with StopOnSignal() as stop:
        assert not stop()
        os.kill(os.getpid(), getattr(signal, name))
        assert stop()
    assert stop.code == STOPPING[name]
    assert stop.code == 128 + getattr(signal, name)
    assert "Again to quit at once" in capsys.readouterr().err


@pytest.mark.parametrize("name", STOPPING)
def test_a_second_signal_does_what_it_did_before(name):
    number, received = getattr(signal, name), []
    before = signal.signal(number, lambda *args: received.append(number))
    try:
        with StopOnSignal():
            os.kill(os.getpid(), number)
            assert received == []
            os.kill(os.getpid(), number)
            assert received == [number]
    finally:
        signal.signal(number, before)


def test_handlers_are_put_back_at_the_end():
    before = [signal.getsignal(getattr(signal, name)) for name in STOPPING]
    with StopOnSignal() as stop:
        during = [signal.getsignal(getattr(signal, name)) for name in STOPPING]
    assert [signal.getsignal(getattr(signal, name)) for name in STOPPING] == before
    assert all(handler not in before for handler in during)
    assert stop.code is None


def test_a_signal_stops_a_training_with_everything_saved(undisturbed, tmp_path):
    text, whole = undisturbed(model="gru", dropout=0.3)
    with (
        open_training(ask(text, tmp_path, model="gru", dropout=0.3)) as training,
        StopOnSignal() as stop,
    ):
        for event in training.trainer.steps(stop):
            if isinstance(event, Stepped) and event.step == 5:
                os.kill(os.getpid(), signal.SIGTERM)
    assert stop.code == ExitCode.TERMINATED
    assert event == Finished("stopped", training.trainer.progress)
    assert load(training.trainer.run.last).progress.step == 5
    _, resumed = train(None, tmp_path, resume="")
    assert files(resumed.run) == files(whole.run)
