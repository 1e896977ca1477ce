"""What a run's losses say about its end, and the advice that follows."""

import dataclasses
import json
import math
import random
import re

import pytest
from factories import ask_to_train, train

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.formatting import duration
from charrnn_cli.models.recurrent.config import RecurrentConfig
from charrnn_cli.training.advice import diagnosis_lines
from charrnn_cli.training.diagnosis import MIN_EVALUATIONS, diagnosis
from charrnn_cli.training.planning import trained_enough


def history(train_losses, val_losses):
    return [
        {"step": step, "train_loss": train, "val_loss": val}
        for step, (train, val) in enumerate(zip(train_losses, val_losses, strict=True))
    ]


def falling(end: float, evaluations: int = 12) -> list[float]:
    """A loss that falls from 3 towards `end`, ever slower."""
    return [end + (3 - end) * math.exp(-index / 3) for index in range(evaluations)]


def test_a_held_out_loss_that_falls_with_the_other_is_improving():
    assert diagnosis(history(falling(1.0), falling(1.2))) == "improving"


def test_a_held_out_loss_that_rose_from_its_best_is_overfitting():
    rising = falling(1.3)[:6] + [1.6 + 0.05 * index for index in range(6)]
    assert diagnosis(history(falling(0.5), rising)) == "overfitting"


def test_a_held_out_loss_that_stays_while_the_other_falls_is_settled():
    flat = falling(1.3)[:6] + [1.6] * 6
    assert diagnosis(history(falling(0.5), flat)) == "settled"


def test_losses_that_both_stay_are_settled():
    assert diagnosis(history([1.0] * 9, [1.1] * 9)) == "settled"


def test_a_rise_within_the_noise_is_no_overfitting():
    flat = [*falling(1.3)[:6], 1.6, 1.601, 1.602, 1.603, 1.602, 1.603]
    assert diagnosis(history(falling(0.5), flat)) == "settled"


def test_a_rise_that_chance_explains_is_no_overfitting():
    rising = falling(1.3)[:6] + [1.6 + 0.01 * index for index in range(6)]
    assert diagnosis(history(falling(0.5), rising)) == "overfitting"
    assert diagnosis(history(falling(0.5), rising), chance=0.1) == "settled"


def test_a_course_that_ends_above_the_best_of_an_earlier_one_is_overfitting():
    flat = history(falling(0.5), [*falling(1.3)[:6], *[1.6] * 6])
    assert diagnosis(flat) == "settled"
    best = {"step": 3, "train_loss": 1.2, "val_loss": 1.4}
    assert diagnosis(flat, earlier_best=best) == "overfitting"
    assert diagnosis(flat, earlier_best=best | {"train_loss": 0.4}) == "settled"
    assert diagnosis(flat, earlier_best={"step": 3, "val_loss": 1.4}) == "settled"


def test_a_run_that_got_worse_all_over_is_not_called_overfitting():
    rising = [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]
    assert diagnosis(history(rising, rising)) == "settled"


def test_a_last_evaluation_right_after_another_changes_nothing():
    records = history(falling(1.0), falling(1.2))
    assert diagnosis([*records, records[-1] | {"step": 11.1}]) == "improving"


@pytest.mark.parametrize("evaluations", range(MIN_EVALUATIONS))
def test_few_evaluations_give_no_diagnosis(evaluations):
    losses = falling(1.0, evaluations)
    assert diagnosis(history(losses, losses)) == "unclear"


@pytest.mark.parametrize(
    ("characters", "hidden_size", "epochs", "all_that_pay"),
    [
        (84_000, 512, 6.0, True),
        (84_000, 512, 5.5, True),  # the clock may end it a little early
        (84_000, 512, 3.0, False),
        (84_000, 96, 6.0, False),  # a small model overfits less
        (1_000_000, 512, 6.0, False),
        (1_000_000, 768, 10.0, True),
    ],
)
def test_the_passes_that_pay_are_those_of_the_plan(characters, hidden_size, epochs, all_that_pay):
    model = RecurrentConfig("gru", 60, hidden_size, 1, 0.1)
    assert trained_enough(characters, model, epochs) == all_that_pay


@pytest.mark.slow
@pytest.mark.parametrize(
    ("epochs", "words"),
    [(16.0, "It has made all the passes that pay"), (4.0, "It was still improving .* --epochs 8")],
)
def test_to_go_on_is_only_advised_where_it_pays(epochs, words, rain, tmp_path):
    wishes = {"hidden_size": 64, "num_layers": 1, "epochs": epochs}
    _, trainer = train(rain, tmp_path, **wishes)
    trainer.history = tuple(history(falling(1.0), falling(1.2)))
    *_, line = diagnosis_lines(ask_to_train(rain, tmp_path, **wishes), trainer)
    assert re.match(words, line)
    assert ("--resume" in line) == (epochs < 16)


@pytest.mark.slow
@pytest.mark.parametrize(("from_middle", "share", "more"), [(True, 0.75, " more"), (False, 1, "")])
def test_the_time_of_a_longer_run_is_that_of_its_steps_and_of_one_start(
    from_middle, share, more, rain, tmp_path
):
    wishes = {"hidden_size": 64, "num_layers": 1, "epochs": 4.0}
    _, trainer = train(rain, tmp_path, **wishes)
    trainer.history = tuple(history(falling(1.0), falling(1.2)))
    if not from_middle:
        trainer.run.middle.unlink()
    # two seconds a step; a resume, ten hours after the beginning, took ten minutes to start
    seconds = [36_000, 36_020, 36_040, 36_660, 36_680]
    records = [{"step": 10 * n, "seconds": at} for n, at in enumerate(seconds, start=1)]
    trainer.run.metrics.write_text("".join(json.dumps(record) + "\n" for record in records))
    trainer.start_up = 30.0
    *_, line = diagnosis_lines(ask_to_train(rain, tmp_path, **wishes), trainer)
    expected = 30 + share * 8 * trainer.epoch_steps * 2
    assert f"takes about {duration(expected)}{more}, " in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("minutes", "length", "longer"), [(0.25, "a minute", "1"), (1.5, "twice its length", "3")]
)
def test_of_a_timed_run_the_length_is_named_that_the_command_has(
    minutes, length, longer, rain, tmp_path
):
    wishes = {"hidden_size": 64, "num_layers": 1, "epochs": 4.0}
    _, trainer = train(rain, tmp_path, **wishes)
    trainer.history = tuple(history(falling(1.0), falling(1.2)))
    trainer.config = dataclasses.replace(trainer.config, minutes=minutes)
    trainer.progress = dataclasses.replace(trainer.progress, step=trainer.progress.step - 1)
    *_, line = diagnosis_lines(ask_to_train(rain, tmp_path, **wishes), trainer)
    assert f"more in {length}, which takes about" in line
    assert line.endswith(f"--minutes {longer}")


@pytest.mark.slow
def test_without_the_middle_of_a_run_a_new_one_is_advised(rain, tmp_path):
    wishes = {"hidden_size": 64, "num_layers": 1, "epochs": 4.0}
    _, trainer = train(rain, tmp_path, **wishes)
    trainer.history = tuple(history(falling(1.0), falling(1.2)))
    trainer.run.middle.unlink()
    *_, line = diagnosis_lines(ask_to_train(rain, tmp_path, **wishes), trainer)
    assert re.search(r"has fallen: charrnn train \S*rain\.txt .*--epochs 8\. To go on all", line)


@pytest.mark.slow
@pytest.mark.parametrize("count", [12, 2])  # still improving, and too few evaluations to say
def test_a_middle_of_another_course_is_not_advised_to_go_on_from(count, rain, tmp_path):
    wishes = {"hidden_size": 64, "num_layers": 1, "epochs": 4.0}
    _, trainer = train(rain, tmp_path, **wishes)
    trainer.history = tuple(history(falling(1.0), falling(1.2))[:count])
    other = load(trainer.run.middle)
    other_train = dataclasses.replace(other.train, random_seed=other.train.random_seed + 1)
    trainer.run.save(trainer.run.middle, dataclasses.replace(other, train=other_train))
    *_, line = diagnosis_lines(ask_to_train(rain, tmp_path, **wishes), trainer)
    assert re.search(r"charrnn train \S*rain\.txt .*--epochs 8\. To go on", line)


@pytest.mark.slow
def test_an_older_best_that_is_kept_is_the_one_compared_with_the_baselines(rain, tmp_path):
    _, trainer = train(rain, tmp_path)
    unigram = trainer.baselines.unigram
    trainer.progress = dataclasses.replace(
        trainer.progress, best_val_loss=unigram + 1, best_step=10**6
    )
    request = ask_to_train(rain, tmp_path)
    nothing = "nothing beyond how frequent characters are"
    assert nothing in diagnosis_lines(request, trainer)[0]
    trainer.to_beat = {"step": 5, "val_loss": unigram / 10}
    assert nothing not in " ".join(diagnosis_lines(request, trainer))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("five_gram", "words"),
    [(5.0, "it has learned the text by heart"), (0.1, "its held-out loss ended above")],
)
def test_a_best_from_before_a_resume_is_said_to_be_older(five_gram, words, rain, tmp_path):
    _, trainer = train(rain, tmp_path)
    trainer.baselines = dataclasses.replace(trainer.baselines, five_gram=five_gram, unigram=6.0)
    trainer.history = tuple(history(falling(0.5), [*falling(1.3)[:6], *[2.6] * 6]))
    trainer.to_beat = {"step": 3, "train_loss": 1.2, "val_loss": 1.4}
    *_, advice = diagnosis_lines(ask_to_train(rain, tmp_path), trainer)
    assert advice.startswith(f"Since it was resumed, {words}")
    assert "from before" not in advice


@pytest.mark.slow
def test_no_training_is_advised_where_a_5_gram_model_learns_nothing_either(tmp_path):
    text = tmp_path / "random.txt"
    text.write_text("".join(random.Random(1).choices("ACGT", k=4_000)))
    _, trainer = train(text, tmp_path, epochs=2.0, eval_every=None)
    trainer.progress = dataclasses.replace(
        trainer.progress, best_val_loss=trainer.baselines.unigram
    )
    trainer.history = tuple(history(falling(1.0), falling(1.2)))
    nothing, advice = diagnosis_lines(ask_to_train(text, tmp_path), trainer)
    assert "nothing beyond how frequent characters are" in nothing
    assert "no training helps" in advice


@pytest.mark.slow
def test_a_handful_of_characters_held_out_gives_no_advice_to_go_on(rain, tmp_path):
    _, trainer = train(rain, tmp_path, val_fraction=0.01)
    trainer.history = tuple(history(falling(1.0), falling(1.2)))
    *_, advice = diagnosis_lines(ask_to_train(rain, tmp_path), trainer)
    assert "What more time would bring cannot be told: only" in advice
