"""How a run starts: what is refused, weights from another model, names, notes, threads."""

import numpy as np
import pytest
import torch
from factories import ask_to_train, train, words

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.settings.table import SAVE_EVERY
from charrnn_cli.training.setup import open_training

pytestmark = pytest.mark.slow  # whole trainings are prepared

# what is refused


@pytest.mark.parametrize(
    "wishes", [{"device": "cuda:9"}, {"hidden_size": 0}, {"val_fraction": 2.0}, {"threads": 0}]
)
def test_what_is_refused_leaves_no_folder(rain, tmp_path, wishes):
    with pytest.raises(UsageError, match="--" + next(iter(wishes)).replace("_", "-")):
        train(rain, tmp_path / "runs", **wishes)
    assert not (tmp_path / "runs").exists()


def test_a_text_that_is_too_short_is_refused_and_leaves_no_folder(rain, tmp_path):
    rain.write_text("too short")
    with pytest.raises(TextError, match=r"rain\.txt: 9 characters"):
        train(rain, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_no_text_is_refused(tmp_path):
    with pytest.raises(UsageError, match="name the text"):
        train(None, tmp_path / "runs")


def test_the_shortest_text_that_is_let_in_can_be_trained_on(rain, tmp_path):
    rain.write_text("abcdefghijklmnopqr")
    with pytest.raises(TextError, match="at least 19"):
        train(rain, tmp_path)
    rain.write_text("abcdefghijklmnopqrs")
    events, _ = train(rain, tmp_path, epochs=3)
    assert events[-1].reason == "complete"


# from another model's weights


def test_init_from_takes_what_is_known_and_says_how_much(rain, tmp_path):
    _, first = train(rain, tmp_path)
    source = load(first.run.best)
    other = tmp_path / "other.txt"
    other.write_text("the train to Zürich is late. " * 30)
    with open_training(
        ask_to_train(other, tmp_path, init_from="rain", num_layers=None)
    ) as training:
        trainer = training.trainer
        ours = set("the train to Zürich is late. ")
        known = ours & set(words(250))
        assert (
            f"{len(known)} characters known, {len(ours - known)} new, "
            f"{len(set(words(250)) - ours)} left out"
        ) in training.notes[-1]
        weights = {name: p.detach().numpy() for name, p in trainer.model.named_parameters()}
    np.testing.assert_array_equal(
        weights["layers.1.weight_hh"], source.weights["layers.1.weight_hh"]
    )
    for character in known:
        place = trainer.dataset.vocabulary.id_of(character)
        np.testing.assert_array_equal(
            weights["head.weight"][place],
            source.weights["head.weight"][source.vocabulary.id_of(character)],
        )


@pytest.mark.slow
def test_init_from_begins_better_than_from_nothing(rain, tmp_path):
    train(rain, tmp_path, epochs=6, learning_rate=0.02)
    [anew, *_], _ = train(rain, tmp_path, stop_at=1)
    [known, *_], _ = train(rain, tmp_path, stop_at=1, init_from="rain")
    assert known.loss < 0.6 * anew.loss


def test_init_from_takes_kind_and_size_from_its_model(rain, tmp_path):
    train(rain, tmp_path, model="lstm", hidden_size=9, num_layers=3, stop_at=2)
    sizes = {"hidden_size": None, "num_layers": None}
    _, trainer = train(rain, tmp_path, init_from="rain", stop_at=1, **sizes)
    config = trainer.model.config
    assert (config.architecture, config.hidden_size, config.num_layers) == ("lstm", 9, 3)


def test_init_from_refuses_another_size(rain, tmp_path):
    train(rain, tmp_path, stop_at=2)
    with pytest.raises(UsageError, match=r"--hidden-size 30: .* has 12"):
        train(rain, tmp_path, init_from="rain", hidden_size=30)


def test_init_from_trains_at_a_lower_rate_unless_one_is_given(rain, tmp_path):
    train(rain, tmp_path, stop_at=1)
    _, anew = train(rain, tmp_path, stop_at=1)
    _, begun = train(rain, tmp_path, init_from="rain", stop_at=1)
    assert anew.config.optimizer == "adamw"
    assert anew.config.learning_rate / 16 < begun.config.learning_rate < anew.config.learning_rate
    _, chosen = train(rain, tmp_path, init_from="rain", stop_at=1, learning_rate=0.02)
    assert chosen.config.learning_rate == 0.02


# names, notes, threads


TINY = {"hidden_size": 4, "num_layers": 1, "batch_size": 1, "seq_length": 4}


def test_a_run_is_named_after_its_text_and_numbered_when_taken(rain, tmp_path):
    names = [train(rain, tmp_path, stop_at=1)[1].run.name for _ in range(3)]
    assert names == ["rain", "rain-2", "rain-3"]


def test_a_text_too_small_for_its_batch_gives_a_note(rain, tmp_path):
    rain.write_text(words(20))
    with open_training(ask_to_train(rain, tmp_path, batch_size=64, seq_length=32)) as training:
        assert any("64 x 32" in note for note in training.notes)
        config = training.trainer.config
        assert config.batch_size * config.seq_length < len(training.trainer.train_part)


def test_the_rest_of_a_run_is_estimated_from_the_speed(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path)) as training:
        trainer = training.trainer
        characters = trainer.total_steps * 4 * 16
        assert training.seconds == pytest.approx(characters / training.chars_per_second)
        list(trainer.steps())
        assert training.seconds == 0


def test_an_estimate_is_never_longer_than_the_minutes(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path, minutes=0.5, epochs=100_000)) as training:
        assert 0 < training.seconds <= 30


def test_the_threads_asked_for_are_used_and_recorded(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path, threads=2, **TINY)) as training:
        assert torch.get_num_threads() == 2
        list(training.trainer.steps(lambda: True))
    assert load(training.trainer.run.last).threads == 2


def test_a_resumed_run_uses_as_many_threads_as_before(rain, tmp_path):
    """Another number would change the last bits of what is computed."""
    train(rain, tmp_path, stop_at=1, threads=2, **TINY)
    with open_training(ask_to_train(None, tmp_path, resume="")):
        assert torch.get_num_threads() == 2


def test_after_a_training_threads_are_as_many_as_before(rain, tmp_path):
    train(rain, tmp_path, stop_at=1, threads=2, **TINY)
    train(None, tmp_path, stop_at=2, resume="")
    assert torch.get_num_threads() == 1


def test_how_often_to_save_reaches_a_new_and_a_resumed_training(rain, tmp_path):
    assert train(rain, tmp_path, stop_at=1, save_every=7.0)[1].save_every == 7
    assert train(None, tmp_path, stop_at=2, resume="", save_every=9.0)[1].save_every == 9
    assert train(None, tmp_path, stop_at=3, resume="")[1].save_every == SAVE_EVERY


def test_the_more_is_measured_the_more_of_a_time_limit_is_kept_for_it(text, tmp_path):
    """At half the seconds of as many characters of training, and half a second more."""
    measured = []
    for share in (0.1, 0.6):
        request = ask_to_train(text, tmp_path, minutes=60.0, epochs=None, val_fraction=share)
        with open_training(request) as training:
            trainer, speed = training.trainer, training.chars_per_second
            measured.append(trainer.held_out_part.evaluation_size(trainer.model.config.context))
            assert trainer.reserve == pytest.approx(0.5 + measured[-1] / (2 * speed))
    assert measured[0] < measured[1]
