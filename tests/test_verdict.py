"""What a run's losses are taken to say."""

import math

import pytest

from charrnn_cli.verdict import FEWEST, verdict


def history(train_losses, val_losses):
    return [
        {"step": step, "train_loss": train, "val_loss": val}
        for step, (train, val) in enumerate(zip(train_losses, val_losses, strict=True))
    ]


def falling(end: float, evaluations: int = 12) -> list[float]:
    """A loss that falls from 3 towards `end`, ever slower."""
    return [end + (3 - end) * math.exp(-index / 3) for index in range(evaluations)]


def test_a_held_out_loss_that_falls_with_the_other_is_improving():
    assert verdict(history(falling(1.0), falling(1.2))) == "improving"


def test_a_held_out_loss_that_rose_from_its_best_is_overfitting():
    rising = falling(1.3)[:6] + [1.6 + 0.05 * index for index in range(6)]
    assert verdict(history(falling(0.5), rising)) == "overfitting"


def test_a_held_out_loss_that_stays_while_the_other_falls_is_settled():
    flat = falling(1.3)[:6] + [1.6] * 6
    assert verdict(history(falling(0.5), flat)) == "settled"


def test_losses_that_both_stay_are_settled():
    assert verdict(history([1.0] * 9, [1.1] * 9)) == "settled"


def test_a_rise_within_the_noise_is_no_overfitting():
    flat = [*falling(1.3)[:6], 1.6, 1.601, 1.602, 1.603, 1.602, 1.603]
    assert verdict(history(falling(0.5), flat)) == "settled"


def test_a_run_that_got_worse_all_over_is_not_called_overfitting():
    rising = [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]
    assert verdict(history(rising, rising)) == "settled"


def test_a_last_evaluation_right_after_another_changes_nothing():
    records = history(falling(1.0), falling(1.2))
    assert verdict([*records, records[-1] | {"step": 11.1}]) == "improving"


@pytest.mark.parametrize("evaluations", range(FEWEST))
def test_few_evaluations_tell_nothing(evaluations):
    losses = falling(1.0, evaluations)
    assert verdict(history(losses, losses)) == "unclear"
