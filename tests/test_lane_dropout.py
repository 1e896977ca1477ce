"""Dropout on some lanes of a batch: what a single process would drop of them."""

import pytest
import torch

from charrnn_cli.lane_dropout import LaneDropout


@pytest.mark.parametrize("lanes_last", [True, False])
@pytest.mark.parametrize("lanes", [slice(0, 3), slice(3, 4), slice(4, 6)])
def test_each_process_drops_its_lanes_of_what_one_drops(lanes, lanes_last):
    whole = torch.randn(5, 6, 7)  # (T, B, H)

    def as_layers_give_it(values):
        if not lanes_last:
            return values.contiguous()
        steps, lanes, units = values.shape
        return torch.empty(steps, units, lanes).transpose(1, 2).copy_(values)

    torch.manual_seed(1)
    expected = torch.nn.functional.dropout(as_layers_give_it(whole), 0.4)[:, lanes]
    torch.manual_seed(1)
    part = LaneDropout(0.4, 6, lanes)(as_layers_give_it(whole[:, lanes]))
    assert part.equal(expected)
    assert 0 < (part == 0).float().mean() < 1


def test_nothing_is_dropped_while_measuring():
    values = torch.randn(5, 2, 7)
    assert LaneDropout(0.4, 6, slice(0, 2)).eval()(values) is values
