"""A run that is made much longer goes on from its middle, before its learning rate fell."""

import dataclasses

import pytest
from factories import ask_to_train, files, train

from charrnn_cli.checkpoints.checkpoint import load, to_bytes
from charrnn_cli.training.events import Evaluated, Finished, Noted, Stepped
from charrnn_cli.training.setup import open_training
from charrnn_cli.training.train_report import end_lines, result

pytestmark = pytest.mark.slow  # each test trains a model twice


def rates(trainer) -> dict[int, float]:
    return {int(record["step"]): record["learning_rate"] for record in trainer.history}


def with_best_of(run, val_loss: float) -> bytes:
    """Change the loss that a run's `best` states; return its bytes."""
    best = load(run.best)
    history = (*best.history[:-1], {**best.history[-1], "val_loss": val_loss})
    changed = to_bytes(dataclasses.replace(best, history=history))
    run.best.write_bytes(changed)
    return changed


@pytest.mark.parametrize("model", ["gru", "llama"])
def test_a_run_of_twice_the_epochs_goes_on_from_its_middle(model, rain, tmp_path):
    wishes = {"model": model, "seq_length": None} if model == "llama" else {}
    wishes |= {"num_heads": 2, "context": 16} if model == "llama" else {}
    _, first = train(rain, tmp_path, epochs=1.0, **wishes)
    middle = load(first.run.middle)
    assert middle.progress.step == -(-first.total_steps // 2)
    with open_training(ask_to_train(None, tmp_path, resume="", epochs=2.0)) as training:
        assert training.trainer.progress.step == middle.progress.step
        assert (
            f"at step {middle.progress.step:,} of the {first.total_steps:,} made"
            in (training.notes[-1])
        )
        list(training.trainer.steps())
    assert training.trainer.progress.step == 2 * first.total_steps
    assert training.trainer.history[: len(middle.history)] == middle.history


def test_what_goes_on_from_the_middle_has_the_learning_rates_of_a_new_run(rain, tmp_path):
    _, first = train(rain, tmp_path / "short", epochs=1.0)
    _, longer = train(None, tmp_path / "short", resume="", epochs=2.0)
    _, new = train(rain, tmp_path / "new", epochs=2.0)
    both = {step for step in rates(longer) if step > first.total_steps / 2} & set(rates(new))
    assert len(both) > 3
    assert all(rates(longer)[step] == rates(new)[step] for step in both)


def test_a_run_with_a_little_more_goes_on_where_it_ended(rain, tmp_path):
    _, first = train(rain, tmp_path, epochs=2.0)
    with open_training(ask_to_train(None, tmp_path, resume="", epochs=2.2)) as training:
        assert training.trainer.progress.step == first.total_steps


def test_a_run_stopped_before_its_middle_goes_on_where_it_stopped(rain, tmp_path):
    train(rain, tmp_path, epochs=2.0, stop_at=5)
    with open_training(ask_to_train(None, tmp_path, resume="", epochs=4.0)) as training:
        assert training.trainer.progress.step == 5


def test_a_run_that_went_on_from_its_middle_can_be_stopped_and_resumed_to_the_same_bytes(
    rain, tmp_path
):
    _, first = train(rain, tmp_path / "a", epochs=1.0)
    train(rain, tmp_path / "b", epochs=1.0)
    _, whole = train(None, tmp_path / "a", resume="", epochs=2.0)
    train(None, tmp_path / "b", resume="", epochs=2.0, stop_at=first.total_steps - 2)
    train(None, tmp_path / "b", resume="", stop_at=first.total_steps + 5)
    _, resumed = train(None, tmp_path / "b", resume="")
    assert files(resumed.run) == files(whole.run)
    assert load(whole.run.middle).progress.step == first.total_steps


def test_the_best_is_kept_until_one_from_the_new_course_beats_it(rain, tmp_path):
    _, first = train(rain, tmp_path, epochs=1.0)
    best = with_best_of(first.run, first.progress.best_val_loss - 1e-6)
    events, longer = train(None, tmp_path, resume="", epochs=4.0, stop_at=first.total_steps)
    losses = [event.val_loss for event in events if isinstance(event, Evaluated)]
    assert min(losses) > first.progress.best_val_loss
    assert first.run.best.read_bytes() == best
    assert not any(event.best for event in events if isinstance(event, Evaluated))
    _, longer = train(None, tmp_path, resume="")
    assert longer.to_beat is None
    assert load(first.run.best).val_loss == longer.progress.best_val_loss


def test_a_best_that_was_never_beaten_is_what_the_end_names(rain, tmp_path):
    _, first = train(rain, tmp_path, epochs=1.0)
    best = with_best_of(first.run, 0.0125)
    train(None, tmp_path, resume="", epochs=2.0, stop_at=first.total_steps)
    events, longer = train(None, tmp_path, resume="")
    assert first.run.best.read_bytes() == best
    said = end_lines(events[-1], ask_to_train(rain, tmp_path), longer)
    assert said[0].startswith("Best held-out loss 0.0125 nats")
    assert said[1].startswith("That one was made before the run was resumed, and is kept.")
    assert f"Since then the best was {longer.progress.best_val_loss:.4f} nats." in said[1]
    assert result(events[-1], longer)["val_loss"] == 0.0125


def test_its_patience_grows_with_the_run_unless_it_is_given(rain, tmp_path):
    _, first = train(rain, tmp_path, epochs=1.0)
    patience = first.config.patience
    for given, expected in (({}, 3 * patience), ({"patience": 7}, 7)):
        with open_training(
            ask_to_train(None, tmp_path, resume="", epochs=3.0, **given)
        ) as training:
            assert training.trainer.config.patience == expected


def test_a_damaged_middle_is_named_and_the_run_goes_on_where_it_ended(rain, tmp_path):
    _, first = train(rain, tmp_path, epochs=1.0)
    first.run.middle.write_bytes(first.run.middle.read_bytes()[:-1])
    with open_training(ask_to_train(None, tmp_path, resume="", epochs=2.0)) as training:
        assert training.trainer.progress.step == first.total_steps
        assert "middle.safetensors: damaged" in training.notes[-1]


def test_the_middle_of_another_course_is_not_gone_back_to(rain, tmp_path):
    _, first = train(rain, tmp_path, epochs=1.0)
    other = train(rain, tmp_path / "other", epochs=1.0, random_seed=1)[1]
    first.run.middle.write_bytes(other.run.middle.read_bytes())
    with open_training(ask_to_train(None, tmp_path, resume="", epochs=2.0)) as training:
        assert training.trainer.progress.step == first.total_steps


def test_a_run_in_minutes_goes_on_from_the_time_of_its_middle(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path, minutes=10, epochs=None)) as training:
        trainer = training.trainer
        for event in trainer.steps():
            if isinstance(event, Stepped):
                trainer.started -= 66  # as if 66 seconds had passed
    middle = load(trainer.run.middle)
    assert 300 < middle.progress.seconds < 400
    with open_training(ask_to_train(None, tmp_path, resume="", minutes=20)) as training:
        trainer = training.trainer
        assert trainer.progress.step == middle.progress.step
        assert trainer.seconds() == pytest.approx(middle.progress.seconds, abs=30)


def test_a_run_without_a_checkpoint_leaves_no_middle(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path, epochs=1.0)) as training:
        run = training.trainer.run
        run.save(run.middle, training.trainer.checkpoint(training=True))
    assert not run.folder.exists()


def test_a_run_whose_metrics_are_lost_goes_on_with_a_time_limit(rain, tmp_path):
    _, trainer = train(rain, tmp_path, epochs=1.0)
    trainer.run.metrics.unlink()
    with open_training(
        ask_to_train(None, tmp_path, resume="", epochs=None, minutes=1.0)
    ) as training:
        assert "goes on at step" in training.notes[-1]


def test_a_middle_that_cannot_be_written_ends_no_training(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path, epochs=1.0)) as training:
        training.trainer.run.middle.mkdir()
        events = list(training.trainer.steps())
    notes = [event.text for event in events if isinstance(event, Noted)]
    assert any("middle.safetensors" in note and "from the end" in note for note in notes)
    assert isinstance(events[-1], Finished)


def test_a_kill_before_the_first_save_from_the_middle_leaves_last_and_metrics_of_one_course(
    rain, tmp_path
):
    _, first = train(rain, tmp_path, epochs=1.0)
    middle = load(first.run.middle)
    with open_training(ask_to_train(None, tmp_path, resume="", epochs=2.0)):
        last = load(first.run.last, training=True)  # what a kill now would leave
    assert last.progress.step == middle.progress.step
    metrics = first.run.metrics_until()
    assert [record["step"] for record in metrics] == [record["step"] for record in last.history]
    with open_training(ask_to_train(None, tmp_path, resume="")) as training:
        assert training.trainer.progress.step == middle.progress.step
        assert training.trainer.total_steps == 2 * first.total_steps
