"""Training: that it learns, what it records, and that it never loses what it has."""

import itertools
import math

import numpy as np
import pytest
import torch
from factories import NOISE, ask_to_train, files, metrics_of, train

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.errors import DivergedError
from charrnn_cli.models.recurrent.config import CELLS
from charrnn_cli.models.recurrent.model import RecurrentModel
from charrnn_cli.models.weights import load_weights
from charrnn_cli.text.corpus import read_corpus
from charrnn_cli.text.dataset import Batch
from charrnn_cli.training.evaluation import held_out_loss
from charrnn_cli.training.events import Evaluated, Finished, Stepped
from charrnn_cli.training.optimizer import learning_rate
from charrnn_cli.training.setup import open_training
from charrnn_cli.training.trainer import Trainer

pytestmark = pytest.mark.slow  # most tests train a model, some twice

# learning


@pytest.mark.parametrize("name", CELLS)
def test_the_loss_falls_on_a_simple_text(name, rain, tmp_path):
    _, trainer = train(rain, tmp_path, model=name, epochs=6, num_layers=1, learning_rate=0.02)
    guessing = math.log(len(trainer.dataset.vocabulary))
    assert trainer.history[-1]["val_loss"] < 0.5 * guessing
    assert trainer.history[-1]["train_loss"] < 0.5 * guessing


def test_the_first_loss_is_that_of_guessing(rain, tmp_path):
    events, trainer = train(rain, tmp_path, stop_at=1)
    assert events[0].loss == pytest.approx(math.log(len(trainer.dataset.vocabulary)), abs=0.5)


@torch.no_grad()
def is_one_pass(trainer: Trainer, losses: list[float]) -> bool:
    """Whether these are the losses of windows in a row, read from a state of zeros, for a model
    that did not change. Where in the text they begin is drawn each epoch: all places are tried."""
    ids = torch.from_numpy(trainer.train_part.ids.astype(np.int64))
    parts = ids.unfold(0, len(losses) * trainer.config.seq_length + 1, 1).T  # (T + 1, places)
    model = trainer.model.eval()
    logits, _ = model(Batch(parts[:-1], parts[1:]), model.initial_state(parts.shape[1]))
    each = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), parts[1:].flatten(), reduction="none"
    )
    means = each.reshape(len(losses), -1, parts.shape[1]).mean(1)  # (windows, places)
    return bool(np.isclose(means, np.array(losses)[:, None], rtol=0, atol=1e-5).all(0).any())


@pytest.mark.parametrize("name", CELLS)
def test_the_state_is_carried_over_an_epoch_and_begins_anew_at_the_next(name, rain, tmp_path):
    still = {"learning_rate": 1e-30, "dropout": 0.0}  # next to nothing: no weight moves
    one_row = {"batch_size": 1, "seq_length": 32, "epochs": 2}
    events, trainer = train(rain, tmp_path, model=name, **still, **one_row)
    losses = [event.loss for event in events if isinstance(event, Stepped)]
    edge = trainer.epoch_steps
    assert is_one_pass(trainer, losses[:edge])
    assert is_one_pass(trainer, losses[edge:])
    assert not is_one_pass(trainer, losses[1:edge])  # the state before the second window counts


def test_weights_move_by_the_gradient_clipped_to_the_norm(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path, grad_clip=1e-3)) as training:
        trainer = training.trainer
        next(trainer.steps())
        norm = torch.nn.utils.get_total_norm([p.grad for p in trainer.model.parameters()])
    assert norm.item() == pytest.approx(1e-3, rel=1e-3)


def test_steps_are_counted_and_their_share_rises_to_one(rain, tmp_path):
    events, trainer = train(rain, tmp_path)
    steps = [event for event in events if isinstance(event, Stepped)]
    assert [event.step for event in steps] == list(range(1, len(steps) + 1))
    assert [event.share for event in steps] == sorted(event.share for event in steps)
    assert steps[-1].share == 1
    assert len(steps) == round(1.5 * trainer.epoch_steps) == trainer.total_steps


def test_the_last_event_says_that_the_run_is_complete(rain, tmp_path):
    events, trainer = train(rain, tmp_path)
    assert events[-1] == Finished("complete", trainer.progress)
    assert trainer.progress.epoch == pytest.approx(1.5, abs=0.02)
    assert [type(event) for event in events].count(Finished) == 1


def test_a_run_ends_with_an_evaluation(rain, tmp_path):
    events, trainer = train(rain, tmp_path)
    assert isinstance(events[-2], Evaluated)
    assert events[-2].step == trainer.progress.step


# random numbers


def test_equal_random_seeds_give_equal_bytes(rain, tmp_path):
    first, second = (
        train(rain, tmp_path / folder, dropout=0.3, random_seed=7)[1].run for folder in "ab"
    )
    assert files(first) == files(second)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_different_random_seeds_give_different_weights(rain, tmp_path, dropout):
    runs = [
        train(rain, tmp_path / str(seed), dropout=dropout, random_seed=seed)[1].run
        for seed in (7, 8)
    ]
    ours, theirs = (load(run.best).weights for run in runs)
    assert all((ours[name] != theirs[name]).any() for name in ours)


def test_a_training_does_not_depend_on_random_numbers_drawn_before(rain, tmp_path):
    first = train(rain, tmp_path / "a", dropout=0.3)[1].run
    torch.rand(5)
    np.random.rand(5)
    assert files(train(rain, tmp_path / "b", dropout=0.3)[1].run) == files(first)


# the learning rate


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing(train_config):
    shares = np.linspace(0, 1, 1001)
    rates = np.array([learning_rate(share, train_config) for share in shares])
    peak = int(rates.argmax())
    assert shares[peak] == pytest.approx(train_config.warmup, abs=1e-9)
    assert rates[peak] == pytest.approx(0.01)
    assert (np.diff(rates[:peak]) >= 0).all()
    assert (np.diff(rates[peak:]) <= 0).all()
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert (rates[:-1] > 0).all()


def test_the_learning_rate_falls_as_a_cosine(train_config):
    middle = (train_config.warmup + 1) / 2
    for part, height in [(1 / 3, 0.75), (1 / 2, 0.5), (2 / 3, 0.25)]:  # (1 + cos(part * pi)) / 2
        share = train_config.warmup + part * (1 - train_config.warmup)
        assert learning_rate(share, train_config) == pytest.approx(0.01 * height)
    assert learning_rate(middle, train_config) == pytest.approx(0.005)


def test_the_learning_rate_stays_at_nothing_past_the_end(train_config):
    assert learning_rate(1.2, train_config) == pytest.approx(0, abs=1e-9)


def test_a_run_follows_the_schedule_to_its_end(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path, learning_rate=0.01, epochs=4)) as training:
        trainer = training.trainer
        rates = [trainer.rate for event in trainer.steps() if isinstance(event, Stepped)]
    expected = [learning_rate(step / len(rates), trainer.config) for step in range(len(rates))]
    assert rates == pytest.approx(expected)
    assert rates[-1] < 0.01 * max(rates)


# what is recorded


def test_metrics_have_the_fields_that_are_promised(rain, tmp_path):
    _, trainer = train(rain, tmp_path)
    promised = "step epoch train_loss val_loss learning_rate grad_norm chars_per_second seconds"
    for record in metrics_of(trainer.run):
        assert set(record) == set(promised.split())
        assert all(math.isfinite(value) and value > 0 for value in record.values())


def test_metrics_match_the_history_and_the_events(rain, tmp_path):
    events, trainer = train(rain, tmp_path)
    lines, history = metrics_of(trainer.run), load(trainer.run.last).history
    evaluated = [event for event in events if isinstance(event, Evaluated)]
    assert len(lines) == len(history) == len(evaluated) > 1
    for line, record, event in zip(lines, history, evaluated, strict=True):
        assert record == {name: line[name] for name in record}
        assert all(line[name] == getattr(event, name) for name in line)


def test_the_train_loss_is_the_mean_since_the_last_evaluation(rain, tmp_path):
    events, _ = train(rain, tmp_path)
    losses = []
    for event in events:
        if isinstance(event, Stepped):
            losses.append(event.loss)
        elif isinstance(event, Evaluated):
            assert event.train_loss == pytest.approx(np.mean(losses))
            losses.clear()


def test_best_has_the_lowest_held_out_loss(tmp_path):
    text = tmp_path / "noise.txt"
    text.write_text(NOISE)  # the model overfits: the best is not the last
    _, trainer = train(text, tmp_path, epochs=100, patience=5, learning_rate=0.03, num_layers=1)
    best = load(trainer.run.best)
    lowest = min(trainer.history, key=lambda record: record["val_loss"])
    assert best.val_loss == lowest["val_loss"]
    assert best.progress.step == lowest["step"] < trainer.progress.step


def test_best_holds_the_weights_whose_loss_it_states(rain, tmp_path):
    _, trainer = train(rain, tmp_path, dropout=0.3)
    best = load(trainer.run.best)
    model = RecurrentModel(best.model)
    load_weights(model, best.weights)
    _, held_out = read_corpus(str(rain)).split(best.train.val_fraction)
    assert held_out_loss(model, held_out) == pytest.approx(best.val_loss, abs=1e-6)


def test_best_tells_nothing_of_folders_and_holds_no_training_state(rain, tmp_path):
    _, trainer = train(rain, tmp_path)
    best, last = load(trainer.run.best), load(trainer.run.last)
    assert str(tmp_path).encode() not in trainer.run.best.read_bytes()
    assert (best.corpus.name, best.corpus.path, best.training) == ("rain.txt", None, {})
    assert last.corpus.path == str(rain)
    assert last.training


def test_a_run_in_epochs_keeps_no_time(rain, tmp_path):
    _, trainer = train(rain, tmp_path)
    assert load(trainer.run.last).progress.seconds is None


# a run that fails


def spoil_loss(trainer: Trainer) -> None:
    trainer.model.head.register_forward_hook(lambda module, inputs, logits: logits * math.inf)


def spoil_gradient(trainer: Trainer) -> None:
    trainer.model.head.weight.register_hook(lambda gradient: gradient * math.nan)


@pytest.mark.parametrize("spoil", [spoil_loss, spoil_gradient])
@pytest.mark.parametrize("steps", [0, 1, 13])
def test_what_is_not_finite_never_reaches_the_weights(spoil, steps, rain, tmp_path):
    _, sound = train(rain, tmp_path / "sound", stop_at=max(1, steps))
    with open_training(ask_to_train(rain, tmp_path)) as training:
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


def test_a_held_out_loss_that_is_not_finite_ends_the_run_and_is_never_best(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path)) as training:
        trainer = training.trainer
        trainer.model.head.register_forward_hook(
            lambda module, inputs, logits: logits if module.training else logits * math.nan
        )
        with pytest.raises(DivergedError, match=r"step \d+: held-out loss nan.*--learning-rate"):
            list(trainer.steps())
    assert not trainer.run.best.exists()


def test_a_run_that_fails_before_a_checkpoint_leaves_no_folder(rain, tmp_path):
    with pytest.raises(ZeroDivisionError), open_training(ask_to_train(rain, tmp_path / "runs")):
        raise ZeroDivisionError
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_that_fails_after_a_checkpoint_keeps_it(rain, tmp_path):
    def fail():
        with open_training(ask_to_train(rain, tmp_path)) as training:
            list(training.trainer.steps(lambda: True))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert load(tmp_path / "rain" / "last.safetensors").progress.step == 1
