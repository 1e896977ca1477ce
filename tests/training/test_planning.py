"""Plans: which settings the size of a text and the time allowed choose."""

import math
from itertools import pairwise

import pytest
from factories import fuzz
from hypothesis import given
from planned import SONNETS, plan_for, plan_of, sizes, steps_of, trains

from charrnn_cli.models.registry import presets
from charrnn_cli.text.corpus import MAX_MEASURED
from charrnn_cli.training.preset_choice import nearest_presets

PRESETS = presets("gru")
SIZES = sorted({preset.characters for preset in PRESETS})
FIRST = [next(preset for preset in PRESETS if preset.characters == size) for size in SIZES]


@pytest.mark.parametrize("preset", FIRST)
def test_a_preset_is_taken_as_it_is_at_its_own_size(preset):
    characters = round(preset.characters)
    plan = plan_of(characters)
    assert nearest_presets(characters)[0] is preset
    assert plan.model.architecture == "gru"
    assert (plan.model.hidden_size, plan.model.num_layers, plan.model.dropout) == (
        preset.sizes["hidden_size"],
        preset.sizes["num_layers"],
        preset.sizes["dropout"],
    )
    assert (plan.train.batch_size, plan.train.seq_length) == (preset.batch_size, preset.seq_length)
    assert (plan.train.learning_rate, plan.train.epochs) == (preset.learning_rate, preset.epochs)
    assert all("held-out loss is measured on" in note for note in plan.notes)


@pytest.mark.parametrize(("lower", "upper"), list(pairwise(FIRST)))
def test_presets_meet_half_way_in_order_of_magnitude(lower, upper):
    middle = math.sqrt(lower.characters * upper.characters)
    assert nearest_presets(math.floor(middle * 0.99))[0] is lower
    assert nearest_presets(math.ceil(middle * 1.01))[0] is upper


@pytest.mark.parametrize(("characters", "preset"), [(1, FIRST[0]), (10**12, FIRST[-1])])
def test_beyond_the_presets_the_outermost_is_taken(characters, preset):
    assert nearest_presets(characters)[0] is preset


@pytest.mark.parametrize(
    ("name", "value"),
    [("model", "lstm"), ("hidden_size", 77), ("num_layers", 3), ("dropout", 0.123)],
)
def test_a_given_model_setting_overrides_its_part_alone(name, value):
    planned, default = plan_for(*SONNETS, {name: value}), plan_for(*SONNETS, {})
    assert planned.model.to_dict() == default.model.to_dict() | {name: value}
    assert planned.train == default.train


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0.0123),
        ("grad_clip", 0.5),
        ("weight_decay", 0.25),
        ("val_fraction", 0.2),
        ("random_seed", 7),
        ("patience", 3),
    ],
)
def test_a_given_training_setting_overrides_its_part_alone(name, value):
    planned, default = plan_for(*SONNETS, {name: value}), plan_for(*SONNETS, {})
    assert planned.train.to_dict() == default.train.to_dict() | {name: value}
    assert planned.model == default.model


@pytest.mark.parametrize(
    ("name", "value"), [("batch_size", 33), ("seq_length", 55), ("epochs", 7.0)]
)
def test_a_given_size_of_the_run_overrides_its_part(name, value):
    planned, default = plan_for(*SONNETS, {name: value}), plan_for(*SONNETS, {})
    follow = {"eval_every", "patience"}  # both count in steps, of which there are now others
    assert {k: v for k, v in planned.train.to_dict().items() if k not in follow} == {
        k: v for k, v in (default.train.to_dict() | {name: value}).items() if k not in follow
    }


def test_the_tutorials_setting_can_be_asked_for_on_its_text():
    given = {
        "model": "rnn",
        "hidden_size": 512,
        "num_layers": 1,
        "dropout": 0.5,
        "batch_size": 128,
        "seq_length": 100,
        "learning_rate": 0.001,
    }
    plan = plan_for(*SONNETS, given)
    assert plan.model.parameters == 325_181
    assert plan.notes == ()
    assert {name: (plan.model.to_dict() | vars(plan.train))[name] for name in given} == given


def test_the_rnn_learns_at_a_lower_rate_unless_one_is_given():
    assert plan_of(10**5, model="rnn").train.learning_rate < plan_of(10**5).train.learning_rate
    assert plan_of(10**5, model="rnn", learning_rate=0.02).train.learning_rate == 0.02


def test_minutes_without_epochs_leave_the_end_to_the_clock():
    train = plan_of(10**6, minutes=3.0).train
    assert (train.minutes, train.epochs) == (3.0, None)


def test_a_small_text_is_not_learned_by_heart_however_many_minutes_there_are():
    plan = plan_for(*SONNETS, {"minutes": 60.0}, trains(5e9))
    assert plan.train.epochs == plan_for(*SONNETS, {}).train.epochs
    assert any("--epochs goes on" in note for note in plan.notes)


def test_minutes_that_a_small_text_can_use_are_taken_without_a_word():
    plan = plan_for(*SONNETS, {"minutes": 0.1}, trains(5e9))
    assert plan.train.minutes == 0.1
    assert plan.notes == ()


@pytest.mark.parametrize("size", [10**6, 10**7])
def test_more_time_or_a_faster_machine_means_a_larger_model(size):
    by_time = [
        plan_for(size, size // 9, 60, {"minutes": minutes}, trains(14e9)).model.parameters
        for minutes in (0.5, 3, 30)
    ]
    by_speed = [
        plan_for(size, size // 9, 60, {"minutes": 3.0}, trains(speed)).model.parameters
        for speed in (2e9, 14e9, 140e9)
    ]
    assert by_time == by_speed == sorted(by_time)
    assert by_time[0] < by_time[-1]


def test_a_smaller_model_makes_more_passes_in_its_time_and_so_wants_more_dropout():
    plans = [
        plan_for(10**6, 10**5, 60, {"minutes": 0.7, "hidden_size": size}, trains(14e9))
        for size in (256, 64)
    ]
    assert plans[0].model.dropout < plans[1].model.dropout
    assert [plan.model.hidden_size for plan in plans] == [256, 64]


def test_the_number_of_epochs_asked_for_chooses_among_the_presets():
    few, many = (plan_of(10**6, epochs=epochs) for epochs in (2, 30))
    assert few.model.dropout == 0 < many.model.dropout
    assert (few.train.epochs, many.train.epochs) == (2, 30)


def test_a_text_of_a_million_characters_is_not_left_to_overfit_for_hours():
    plan = plan_for(10**6, 10**5, 60, {"minutes": 600.0}, trains(14e9))
    assert plan.train.epochs == max(p.epochs for p in PRESETS if p.characters == 1e6)
    assert any("--epochs goes on" in note for note in plan.notes)


def test_a_small_model_may_use_all_the_time_it_is_given():
    plan = plan_for(10**6, 10**5, 60, {"minutes": 600.0, "hidden_size": 64}, trains(14e9))
    assert (plan.train.epochs, plan.notes) == (None, ())


def test_minutes_and_epochs_can_both_be_given():
    train = plan_of(10**5, minutes=3.0, epochs=4.0).train
    assert (train.minutes, train.epochs) == (3.0, 4.0)


def test_a_faster_machine_evaluates_a_timed_run_after_more_steps():
    given = {"minutes": 600, "hidden_size": 64}
    slow, fast = (plan_for(10**7, 10**3, 60, given, trains(speed)) for speed in (1e10, 1e11))
    rows = [plan.train.batch_size for plan in (slow, fast)]
    assert fast.train.eval_every * rows[1] == pytest.approx(
        10 * slow.train.eval_every * rows[0], rel=0.01
    )


@pytest.mark.parametrize("minutes", [0.01, 1, 100])
def test_a_timed_run_is_evaluated_at_most_about_fifty_times(minutes):
    plan = plan_for(10**7, 10**3, 60, {"minutes": minutes}, trains(7e9))
    train = plan.train
    characters = 7e9 / plan.model.multiplications * 60 * minutes
    steps = characters / (train.batch_size * train.seq_length)
    assert steps / train.eval_every <= 52


@fuzz
@given(sizes)
def test_a_run_of_any_size_is_evaluated_at_most_about_a_hundred_times(characters):
    plan = plan_of(characters)
    assert steps_of(plan, characters) / plan.train.eval_every < 100


@fuzz
@given(sizes)
def test_evaluation_never_takes_more_than_a_twentieth_of_a_run(characters):
    train = plan_of(characters).train
    trained = train.eval_every * train.batch_size * train.seq_length
    measured = min(max(2, characters // 9), MAX_MEASURED)
    # a measured character costs about a fourth of a trained one; +1: whole steps only
    assert measured / 4 <= (trained + train.batch_size * train.seq_length) / 20


def test_what_is_held_out_beyond_the_measured_part_changes_nothing():
    plans = [plan_for(10**7, held_out, 60, {}) for held_out in (MAX_MEASURED, 10**8)]
    assert plans[0].train == plans[1].train
    assert "measured on 250,000 of the 100,000,000" in plans[1].notes[0]
    assert plan_for(10**7, MAX_MEASURED // 10, 60, {}).train != plans[0].train


def test_of_minutes_and_epochs_the_shorter_end_chooses_the_preset():
    given = {"minutes": 600.0, "epochs": 2.0}
    plan = plan_for(10**6, 10**5, 60, given, trains(14e9))
    assert plan.model == plan_of(10**6, epochs=2.0).model


@pytest.mark.parametrize("characters", [10**7, 10**8, 10**9])
def test_a_large_text_is_evaluated_several_times_however_few_the_passes(characters):
    plan = plan_of(characters)
    assert steps_of(plan, characters) / plan.train.eval_every >= 5


def test_a_batch_size_that_is_given_chooses_no_preset():
    alone, together = (
        plan_for(900_000, 100_000, 65, {"epochs": 0.5, "batch_size": 50}, None, processes)
        for processes in (1, 48)
    )
    assert alone == together
