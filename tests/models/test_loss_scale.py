"""The factor by which losses of lower precision are multiplied, so that gradients do not vanish."""

import math

import pytest
import torch
from factories import (
    files,
    train,
)

from charrnn_cli.models import autocast as module
from charrnn_cli.models.autocast import (
    DOUBLED_AFTER,
    FIRST_SCALE,
    FIXED_SCALE,
    LossScale,
)

pytestmark = pytest.mark.slow  # lower precision is slow on most processors
CPU = torch.device("cpu")


def test_bfloat16_has_a_scale_that_stays_where_its_layers_are_float16s():
    scale = LossScale("bfloat16", torch.device("cuda"))
    gradients = [torch.full((3,), 2 * FIXED_SCALE)]
    assert not scale.adjust(finite=False)
    scale.unscale_(gradients)
    assert gradients[0].tolist() == [2.0] * 3
    assert LossScale("bfloat16", CPU).value == 1


def test_an_overflow_halves_the_scale_and_leaves_the_update_out():
    scale = LossScale("float16")
    assert scale.adjust(finite=False)
    assert scale.value == FIRST_SCALE / 2


def test_updates_without_overflow_double_the_scale():
    scale = LossScale("float16")
    assert not any(scale.adjust(finite=True) for _ in range(DOUBLED_AFTER))
    assert scale.value == 2 * FIRST_SCALE


def test_an_overflow_begins_the_count_anew():
    scale = LossScale("float16")
    for finite in [True] * (DOUBLED_AFTER - 1) + [False] + [True] * (DOUBLED_AFTER - 1):
        scale.adjust(finite)
    assert scale.value == FIRST_SCALE / 2


def test_at_a_scale_of_one_nothing_smaller_helps():
    scale = LossScale("float16")
    while scale.value > 1:
        assert scale.adjust(finite=False)
    assert not scale.adjust(finite=False)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_other_precisions_need_no_scale(precision):
    scale = LossScale(precision)
    assert (scale.value, scale.adjust(finite=False)) == (1.0, False)


def test_a_restored_scale_goes_on():
    scale, restored = LossScale("float16"), LossScale("float16")
    for finite in (False, True, True):
        scale.adjust(finite)
    restored.restore(scale.state())
    assert (restored.value, restored.good) == (scale.value, scale.good) == (FIRST_SCALE / 2, 2)


def test_a_scale_from_a_file_that_would_divide_by_zero_is_not_taken():
    scale = LossScale("float16")
    scale.restore(torch.zeros(2).numpy())
    assert scale.value == 1


def test_a_scale_too_large_for_the_model_is_lowered_while_training(rain, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FIRST_SCALE", 2.0**40)
    _, trainer = train(rain, tmp_path, precision="float16", epochs=4.0)
    assert trainer.updates.loss_scale.value < 2.0**40
    assert all(p.isfinite().all() for p in trainer.model.parameters())
    assert math.isfinite(trainer.progress.best_val_loss)


# what is said


def test_a_run_that_left_updates_out_resumes_to_the_same_bytes(rain, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FIRST_SCALE", 2.0**40)
    wishes = {"precision": "float16", "epochs": 4.0}
    _, whole = train(rain, tmp_path / "whole", **wishes)
    _, stopped = train(rain, tmp_path / "parts", stop_at=60, **wishes)
    assert stopped.updates.loss_scale.value < 2.0**40
    train(None, tmp_path / "parts", resume="")
    assert files(stopped.run) == files(whole.run)
