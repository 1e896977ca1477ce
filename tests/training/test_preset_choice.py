"""Which preset a plan starts from, and how much it regularises."""

from dataclasses import replace

import pytest
from planned import plan_for, plan_of, trains

from charrnn_cli.models.registry import presets
from charrnn_cli.training.preset_choice import nearest_in_characters, regularized

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
