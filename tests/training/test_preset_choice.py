"""Which preset a plan starts from, and how much it regularises."""

from dataclasses import replace

import pytest
from planned import plan_for, plan_of, trains

from charrnn_cli.models.registry import presets
from charrnn_cli.settings.table import AVERAGED
from charrnn_cli.training.preset_choice import (
    best_in_time,
    nearest_in_characters,
    nearest_presets,
    regularized,
)

MILLION = [preset for preset in presets("gru") if preset.characters == 1e6]
BY_EPOCHS = sorted(MILLION, key=lambda preset: preset.epochs)


@pytest.mark.parametrize("preset", BY_EPOCHS)
@pytest.mark.parametrize("characters", [5e5, 1e6, 2e6])
def test_the_preset_trained_on_as_many_characters_is_taken(preset, characters):
    epochs = preset.epochs * 1e6 / characters
    assert nearest_in_characters(MILLION, int(characters), lambda _: epochs) == preset


def test_half_as_long_a_text_has_as_large_a_model_for_the_same_time():
    plans = [
        plan_for(size, size // 9, 60, {"minutes": 1.4}, trains(14e9)) for size in (600_000, 10**6)
    ]
    assert plans[0].model.hidden_size == plans[1].model.hidden_size


@pytest.mark.parametrize("preset", BY_EPOCHS)
def test_a_preset_for_a_million_is_regularised_as_it_is_at_its_own_epochs(preset):
    assert regularized(preset, MILLION, preset.epochs) == preset


def test_between_presets_dropout_and_weight_decay_grow_with_the_epochs():
    found = [regularized(BY_EPOCHS[-1], MILLION, epochs) for epochs in (1, 2, 4, 8, 10, 50)]
    dropouts = [preset.sizes["dropout"] for preset in found]
    decays = [preset.weight_decay for preset in found]
    assert (dropouts, decays) == (sorted(dropouts), sorted(decays))
    assert 0 < dropouts[2] < dropouts[3] < dropouts[4] == dropouts[5]
    assert decays[0] < decays[1] < decays[2] < decays[3]


def test_a_large_text_read_several_times_is_regularised_as_one_of_a_million():
    once, often = (plan_of(10**7, epochs=epochs) for epochs in (0.4, 8))
    assert once.model.dropout == 0 < often.model.dropout
    assert once.train.weight_decay < often.train.weight_decay


def test_a_small_text_keeps_what_was_measured_for_it():
    small = replace(MILLION[0], characters=1e5)
    assert regularized(small, [*MILLION, small], 3.0) == small


def in_seconds(seconds, power):
    """How many epochs of a million characters a run makes, if a model of 256 units trains on 30,000
    characters a second, and others are as much slower as their units to a power."""
    return lambda preset: seconds * 0.03 * (256 / preset.sizes["hidden_size"]) ** power


@pytest.mark.parametrize("power", [1.0, 1.7])
def test_with_more_time_a_larger_model_is_expected_to_learn_most(power):
    sizes = [
        best_in_time(MILLION, 10**6, in_seconds(seconds, power)).sizes["hidden_size"]
        for seconds in (5, 30, 90, 300, 3000)
    ]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (128, 768)


def test_half_a_minute_of_two_slow_cores_is_too_short_for_256_units():
    # measured: 0.72 epochs with 256 units 1.635 nats, 1.83 with 128 units 1.611
    made = {128: 1.83, 256: 0.72, 384: 0.35, 512: 0.2, 768: 0.08}
    chosen = best_in_time(MILLION, 10**6, lambda preset: made[preset.sizes["hidden_size"]])
    assert chosen.sizes["hidden_size"] == 128


def test_passes_that_learn_by_heart_do_not_favour_a_model_that_makes_more_of_them():
    # 512 units would make 40 passes and do not end, 768 end after ten
    made = {128: 400.0, 256: 150.0, 384: 80.0, 512: 40.0, 768: 20.0}
    chosen = best_in_time(MILLION, 360_000, lambda preset: made[preset.sizes["hidden_size"]])
    assert chosen.ends


def test_another_optimizer_than_the_presets_averages_no_weights():
    plans = [plan_of(10**6, epochs=1, **given) for given in ({}, {"optimizer": "adamw"})]
    assert [plan.train.schedule for plan in plans] == [AVERAGED, "cosine"]


def test_a_list_that_is_learned_with_muon_has_averaged_weights_too():
    of_lists = nearest_presets(10**5, lines=True)
    assert {p.schedule for p in of_lists if p.optimizer == "muon"} == {AVERAGED}
