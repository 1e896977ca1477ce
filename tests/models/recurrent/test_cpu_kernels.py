"""The CPU's own recurrent layers: equal to PyTorch's, with gradients that differences confirm."""

import pytest
import torch

from charrnn_cli.models.recurrent.config import CELLS
from charrnn_cli.models.recurrent.cpu_kernels import STEPS, run_window

torch.set_num_threads(1)

PYTORCH = {"gru": torch.gru, "rnn": torch.rnn_tanh}
EVERY_CELL = pytest.mark.parametrize("cell", STEPS)
TIME, BATCH, SIZE, WIDTH = 6, 3, 5, 4


def random_layer(cell: str, width: int = WIDTH) -> list[torch.Tensor]:
    """A layer's weights and state in double precision, all of which ask for gradients."""
    generator = torch.Generator().manual_seed(4)
    rows = CELLS[cell].gates * SIZE
    shapes = [(rows, width), (rows, SIZE), (rows,), (rows,), (BATCH, SIZE)]
    return [
        torch.randn(shape, dtype=torch.float64, generator=generator).mul_(0.5).requires_grad_()
        for shape in shapes
    ]


def random_inputs() -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(TIME, BATCH, WIDTH, dtype=torch.float64, generator=generator)


def random_ids(characters: int = WIDTH) -> torch.Tensor:
    return torch.randint(characters, (TIME, BATCH), generator=torch.Generator().manual_seed(6))


def run(cell: str, inputs: torch.Tensor, *layer: torch.Tensor) -> torch.Tensor:
    return run_window(STEPS[cell], inputs, layer[:4], layer[4])


@EVERY_CELL
def test_outputs_equal_pytorchs_own(cell):
    inputs, layer = random_inputs(), random_layer(cell)
    theirs, _ = PYTORCH[cell](inputs, layer[4][None], layer[:4], True, 1, 0.0, True, False, False)
    torch.testing.assert_close(run(cell, inputs, *layer), theirs)


@EVERY_CELL
def test_gradients_over_vectors_are_those_of_finite_differences(cell):
    inputs = random_inputs().requires_grad_()
    assert torch.autograd.gradcheck(lambda *a: run(cell, *a), (inputs, *random_layer(cell)))


@EVERY_CELL
@pytest.mark.parametrize("characters", [4, 200])  # small and large vocabularies are summed apart
def test_gradients_over_characters_are_those_of_one_hot_vectors(cell, characters):
    ids, layer = random_ids(characters), random_layer(cell, characters)
    one_hot = torch.nn.functional.one_hot(ids, characters).double()
    weigh = torch.arange(SIZE, dtype=torch.float64)
    grads = [
        torch.autograd.grad((run(cell, inputs, *layer) * weigh).sum(), layer)
        for inputs in (ids, one_hot)
    ]
    torch.testing.assert_close(grads[0], grads[1])


@EVERY_CELL
def test_a_window_of_one_step_has_gradients(cell):
    inputs = random_inputs()[:1].requires_grad_()
    assert torch.autograd.gradcheck(lambda *a: run(cell, *a), (inputs, *random_layer(cell)))


@EVERY_CELL
def test_what_the_layer_is_given_is_left_as_it_was(cell):
    inputs, layer = random_inputs(), random_layer(cell)
    before = [tensor.detach().clone() for tensor in (inputs, *layer)]
    run(cell, inputs, *layer).sum().backward()
    torch.testing.assert_close([inputs, *(t.detach() for t in layer)], before, atol=0, rtol=0)
