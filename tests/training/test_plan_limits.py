"""Plans of unusual texts and settings: the shortest, the largest, many processes, lists."""

import math

import pytest
from factories import fuzz
from hypothesis import given
from hypothesis import strategies as st
from planned import plan_for, plan_of, sizes, steps_of

from charrnn_cli.errors import UsageError
from charrnn_cli.models.recurrent.config import CELLS
from charrnn_cli.text.corpus import MIN_TRAIN
from charrnn_cli.text.windows import steps_per_epoch
from charrnn_cli.training.planning import planned_steps
from charrnn_cli.training.preset_choice import nearest_presets


@fuzz
@given(sizes, st.sampled_from(sorted(CELLS)))
def test_any_text_gets_a_plan_with_at_least_one_step_an_epoch(characters, model):
    train = plan_of(characters, model=model).train
    assert steps_per_epoch(characters, train.batch_size, train.seq_length) >= 1


def test_a_text_of_one_kilobyte_is_planned_sensibly():
    plan = plan_for(900, 100, 40, {})
    steps = steps_of(plan, 900)
    assert plan.notes == ()
    assert plan.model.num_layers == 1
    assert plan.model.hidden_size <= 128
    assert steps >= 100
    assert steps / plan.train.eval_every >= 10
    assert plan.train.patience * plan.train.eval_every < steps


def test_the_shortest_text_gets_a_plan():
    plan = plan_for(MIN_TRAIN, 2, 2, {})
    assert (plan.train.batch_size, plan.train.seq_length) == (1, MIN_TRAIN - 1)


def test_a_batch_too_large_for_the_text_is_shrunk_with_a_note():
    plan = plan_of(100, batch_size=64, seq_length=32)
    assert (plan.train.batch_size, plan.train.seq_length) == (3, 32)
    assert plan.notes == ("the text is small for batches of 64 x 32 characters: taking 3 x 32",)


def test_patience_lets_two_fifths_of_the_run_pass():
    plan = plan_of(10**5)
    evaluations = steps_of(plan, 10**5) / plan.train.eval_every
    assert plan.train.patience == pytest.approx(0.4 * evaluations, abs=1)


@pytest.mark.parametrize(
    ("setting", "option"),
    [
        ({"batch_size": 0}, "--batch-size 0"),
        ({"seq_length": 0}, "--seq-length 0"),
        ({"learning_rate": math.nan}, "--learning-rate nan"),
        ({"minutes": 0}, "--minutes 0"),
        ({"hidden_size": 0}, "--hidden-size 0"),
        ({"model": "mlp"}, "--model mlp"),
    ],
)
def test_a_setting_beyond_its_limits_is_refused_before_it_is_used(setting, option):
    with pytest.raises(UsageError, match=option):
        plan_of(10**5, **setting)


@pytest.mark.parametrize(
    ("epochs", "epoch_steps", "steps"), [(2, 100, 200), (0.5, 101, 50), (0.001, 3, 1)]
)
def test_planned_steps_round_to_whole_ones_and_are_never_none(epochs, epoch_steps, steps):
    assert planned_steps(epochs, epoch_steps) == steps


def test_a_plan_for_several_processes_has_a_batch_row_for_each():
    alone, together = (
        plan_for(900_000, 100_000, 65, {"epochs": 0.5}, None, processes) for processes in (1, 48)
    )
    assert alone.train.batch_size < 48 <= together.train.batch_size


@pytest.mark.parametrize("architecture", ["gru", "llama"])
def test_a_plan_has_the_schedule_and_the_order_of_windows_of_its_preset(architecture):
    train = plan_of(10**6, model=architecture).train
    preset = nearest_presets(10**6, architecture)[0]
    assert (train.warmup, train.schedule, train.shuffle) == (
        preset.warmup,
        preset.schedule,
        preset.shuffle,
    )


def test_lists_are_learned_with_muon_and_little_dropout_where_texts_are_with_adamw():
    texts, lists = nearest_presets(10**5), nearest_presets(10**5, lines=True)
    changed = [(a, b) for a, b in zip(texts, lists, strict=True) if a != b]
    assert [a.optimizer for a, _ in changed] == ["adamw"]
    assert [(b.optimizer, b.sizes["dropout"]) for _, b in changed] == [("muon", 0.1)]


@pytest.mark.parametrize("characters", [10**3, 10**4, 10**6])
def test_short_lists_and_long_ones_have_the_presets_of_texts(characters):
    assert nearest_presets(characters, lines=True) == nearest_presets(characters)


def test_a_plan_for_lines_starts_from_the_presets_of_lists():
    assert plan_of(90_000, epochs=3.0).train.optimizer == "adamw"
    assert plan_of(90_000, epochs=3.0, lines=True).train.optimizer == "muon"
