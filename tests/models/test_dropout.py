"""Dropout: how much it drops and what it does to the rest."""

import pytest
import torch
from factories import fuzz
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.models.dropout import Dropout

ONES = torch.ones(50, 40, 30)


def dropped(values: torch.Tensor, rate: float = 0.3, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return Dropout(rate)(values)


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.6, 0.99])
def test_a_share_of_the_values_is_dropped(rate):
    share = (dropped(ONES, rate) == 0).double().mean().item()
    deviation = (rate * (1 - rate) / ONES.numel()) ** 0.5
    assert share == pytest.approx(rate, abs=5 * deviation)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.75])
def test_the_others_are_scaled_so_that_the_sum_is_expected_to_stay(rate):
    kept = dropped(ONES, rate)
    assert kept[kept > 0].unique().tolist() == [pytest.approx(1 / (1 - rate), rel=1e-4)]


def test_neighbours_are_dropped_independently():
    gone = (dropped(ONES, 0.5) == 0).flatten().double()
    for distance in (1, 2, 3, 4, 8):  # a drawn number's bits serve four values
        pairs = torch.stack([gone[:-distance], gone[distance:]])
        assert abs(torch.corrcoef(pairs)[0, 1]) < 0.02


def test_the_random_seed_decides():
    assert torch.equal(dropped(ONES, seed=1), dropped(ONES, seed=1))
    assert not torch.equal(dropped(ONES, seed=1), dropped(ONES, seed=2))


def test_gradients_are_dropped_as_the_values_were():
    values = torch.randn(6, 5, 4, generator=torch.Generator().manual_seed(3)).requires_grad_()
    result = dropped(values)
    result.sum().backward()
    torch.testing.assert_close(values.grad, (result / values).detach())


@fuzz
@given(shape=st.lists(st.integers(1, 5), min_size=3, max_size=3), swapped=st.booleans())
def test_every_shape_and_layout_is_kept(shape, swapped):
    values = torch.ones(shape)
    values = values.transpose(1, 2) if swapped else values
    result = dropped(values, 0.5)
    assert result.shape == values.shape
    assert (result.transpose(1, 2) if swapped else result).is_contiguous()
    assert set(result.unique().tolist()) <= {0.0, 2.0}


def test_the_highest_rate_leaves_finite_values():
    assert dropped(ONES, 1 - 1e-9).isfinite().all()


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_nothing_is_dropped_but_while_training(rate):
    assert Dropout(rate).eval()(ONES) is ONES
    assert Dropout(0.0)(ONES) is ONES


def test_low_precision_stays_low():
    assert dropped(ONES.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("layout", ["(T, B, H)", "(T, H, B)", "(B, T, H)"])
@pytest.mark.parametrize("rows", [slice(0, 3), slice(3, 4), slice(4, 6)])
def test_each_process_drops_of_its_batch_rows_what_one_drops_of_all(rows, layout):
    whole = torch.randn(5, 6, 7)  # (T, B, H)

    def as_layers_give_it(values):
        axes = {"(T, B, H)": (0, 0), "(T, H, B)": (1, 2), "(B, T, H)": (0, 1)}[layout]
        return values.transpose(*axes).contiguous().transpose(*axes)

    torch.manual_seed(1)
    expected = Dropout(0.4)(as_layers_give_it(whole))[:, rows]
    dropout = Dropout(0.4)
    dropout.take_rows(6, rows)
    torch.manual_seed(1)
    part = dropout(as_layers_give_it(whole[:, rows]))
    assert part.equal(expected)
    assert 0 < (part == 0).float().mean() < 1
