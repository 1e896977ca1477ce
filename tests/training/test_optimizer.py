"""The optimizer: what Muon does to a matrix, whose parameters are whose, what a resume needs."""

import pytest
import torch
from factories import make_train_config

from charrnn_cli.models.recurrent.config import CELLS, RecurrentConfig
from charrnn_cli.models.recurrent.model import RecurrentModel
from charrnn_cli.models.transformer.config import TransformerConfig
from charrnn_cli.models.transformer.model import TransformerModel
from charrnn_cli.training.muon import MOMENTUM, newton_schulz, polar_express
from charrnn_cli.training.optimizer import Optimizer

torch.set_num_threads(1)

INTERVAL = RecurrentConfig.muon_interval
RMS = RecurrentConfig.muon_rms
RATE = torch.tensor(0.01)


ALL_SHAPES = pytest.mark.parametrize(("rows", "columns"), [(24, 24), (48, 16), (16, 48)])
BOTH = pytest.mark.parametrize("orthogonalize", [newton_schulz, polar_express])


def random_blocks(count: int = 3, rows: int = 24, columns: int = 24) -> torch.Tensor:
    return torch.randn(count, rows, columns, generator=torch.Generator().manual_seed(7))


def make_model(name: str = "gru") -> RecurrentModel:
    torch.manual_seed(3)
    return RecurrentModel(RecurrentConfig(name, 7, 8, 2, 0.0))


def learn(model: RecurrentModel, optimizer: Optimizer, steps: range) -> None:
    """So many updates from gradients that depend on the step alone."""
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step(RATE, step)


@BOTH
@ALL_SHAPES
def test_singular_values_are_brought_near_one(rows, columns, orthogonalize):
    blocks = random_blocks(3, rows, columns) * torch.tensor([1e-4, 1.0, 1e4])[:, None, None]
    values = torch.linalg.svdvals(orthogonalize(blocks))
    # the smallest of a random square matrix are all but zero, and rise slowest
    assert values.max() < 1.3
    assert values.median() > 0.6


@BOTH
@ALL_SHAPES
def test_directions_are_kept(rows, columns, orthogonalize):
    blocks = random_blocks(3, rows, columns)
    u, _, v = torch.linalg.svd(blocks, full_matrices=False)
    values = u.mT @ orthogonalize(blocks) @ v.mT
    off_diagonal = values - torch.diag_embed(values.diagonal(dim1=1, dim2=2))
    assert off_diagonal.abs().max() < 1e-4


@BOTH
@ALL_SHAPES
def test_each_gates_block_is_made_orthogonal_alone(rows, columns, orthogonalize):
    blocks = random_blocks(3, rows, columns)
    alone = torch.cat([orthogonalize(block[None]) for block in blocks])
    torch.testing.assert_close(orthogonalize(blocks), alone)


@BOTH
def test_a_matrix_turned_over_is_made_orthogonal_as_it_is(orthogonalize):
    blocks = random_blocks(3, 48, 16)
    torch.testing.assert_close(orthogonalize(blocks.mT), orthogonalize(blocks).mT)


@BOTH
@ALL_SHAPES
def test_all_singular_values_of_a_well_conditioned_matrix_come_between_bounds(
    rows, columns, orthogonalize
):
    u, _, v = torch.linalg.svd(random_blocks(3, rows, columns), full_matrices=False)
    near = u @ torch.diag_embed(torch.linspace(0.5, 2.0, u.shape[2]).expand(3, -1)) @ v
    values = torch.linalg.svdvals(orthogonalize(near))
    assert 0.65 < values.min() <= values.max() < 1.29


@BOTH
@ALL_SHAPES
def test_a_zero_gradient_moves_nothing(rows, columns, orthogonalize):
    assert not orthogonalize(torch.zeros(2, rows, columns)).any()


@pytest.mark.parametrize("name", CELLS)
def test_the_first_update_of_a_hidden_matrix_is_its_gradient_made_orthogonal(name):
    model = make_model(name)
    optimizer = Optimizer(model, make_train_config(weight_decay=0.0))
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    learn(model, optimizer, range(1))
    for key in model.config.matrices():
        parameter = model.get_parameter(key)
        change = (parameter.detach() - before[key]).view(-1, 8, 8)
        expected = newton_schulz(parameter.grad.view(-1, 8, 8)) * -0.01 * INTERVAL * RMS * 8**0.5
        torch.testing.assert_close(change, expected, atol=1e-6, rtol=1e-4)


def make_transformer() -> TransformerModel:
    torch.manual_seed(3)
    return TransformerModel(TransformerConfig("llama", 7, 32, 2, 0.0, 2, 8))


def test_the_first_update_of_a_transformers_matrix_is_that_of_each_of_its_blocks():
    model = make_transformer()
    optimizer = Optimizer(model, make_train_config(weight_decay=0.0))
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    learn(model, optimizer, range(1))
    for key, count in model.config.matrices().items():
        parameter = model.get_parameter(key)
        change = parameter.detach() - before[key]
        blocks = parameter.grad.view(count, -1, parameter.shape[1])
        size = max(blocks.shape[1:])
        expected = polar_express(blocks) * -0.01 * TransformerConfig.muon_rms * size**0.5
        torch.testing.assert_close(change, expected.view(change.shape), atol=1e-6, rtol=1e-3)


def test_singular_values_from_a_hundredth_of_the_largest_on_come_near_one():
    u, _, v = torch.linalg.svd(random_blocks(3, 24, 48), full_matrices=False)
    wide = u @ torch.diag_embed(torch.logspace(-1.8, 0, 24).expand(3, -1)) @ v
    values = torch.linalg.svdvals(polar_express(wide))
    assert 0.7 < values.min() <= values.max() < 1.29


def test_in_bfloat16_a_transformers_matrices_take_newton_schulz_iterations():
    model = make_transformer()
    optimizer = Optimizer(model, make_train_config(weight_decay=0.0, precision="bfloat16"))
    name = "blocks.1.attention.output.weight"
    before = model.get_parameter(name).detach().clone()
    learn(model, optimizer, range(1))
    after = model.get_parameter(name)
    expected = newton_schulz(after.grad[None], torch.bfloat16)[0] * -0.01 * 0.15 * 32**0.5
    torch.testing.assert_close(after.detach() - before, expected, atol=1e-5, rtol=1e-3)


def test_weight_decay_shrinks_hidden_matrices_by_all_the_steps_between():
    model = make_model()
    optimizer = Optimizer(model, make_train_config(weight_decay=0.5))
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step(RATE, 0)
    for key in model.config.matrices():
        expected = before[key] * (1 - INTERVAL * 0.5 * 0.01)
        torch.testing.assert_close(model.get_parameter(key).detach(), expected)


def test_hidden_matrices_stand_still_between_their_updates():
    model = make_model()
    optimizer = Optimizer(model, make_train_config())
    learn(model, optimizer, range(1))
    matrix, bias = model.get_parameter("layers.0.weight_hh"), model.get_parameter("head.bias")
    before = matrix.detach().clone(), bias.detach().clone()
    learn(model, optimizer, range(1, INTERVAL))
    assert torch.equal(matrix, before[0])
    assert not torch.equal(bias, before[1])


def test_momentum_outlasts_a_gradient():
    model = make_model()
    optimizer = Optimizer(model, make_train_config(weight_decay=0.0))
    learn(model, optimizer, range(1))
    before = model.get_parameter("layers.0.weight_hh").detach().clone()
    for parameter in model.parameters():
        parameter.grad.zero_()
    optimizer.step(RATE, INTERVAL)
    assert not torch.equal(model.get_parameter("layers.0.weight_hh"), before)
    assert 0 < MOMENTUM < 1


def test_all_but_hidden_matrices_are_adamws():
    ours, theirs = make_model(), make_model()
    learn(ours, Optimizer(ours, make_train_config()), range(3))
    adamw = torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0.01)
    for step in range(3):
        generator = torch.Generator().manual_seed(step)
        for parameter in theirs.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        adamw.step()
    hidden = set(ours.config.matrices())
    for (name, our), their in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        equal = torch.allclose(our, their, atol=1e-6)
        assert equal == (name not in hidden), name


def test_adamw_alone_when_asked_for():
    optimizer = Optimizer(make_model(), make_train_config(optimizer="adamw"))
    assert {name.split(".")[0] for name, _ in optimizer.tensors()} == {"exp_avg", "exp_avg_sq"}


@pytest.mark.parametrize("make", [make_model, make_transformer])
@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_what_is_restored_goes_on_as_if_never_stopped(kind, make):
    config = make_train_config(optimizer=kind)
    whole, parts = make(), make()
    learn(whole, Optimizer(whole, config), range(INTERVAL + 1))
    first = Optimizer(parts, config)
    learn(parts, first, range(4))
    second = Optimizer(parts, config)
    second.restore({name: tensor.clone() for name, tensor in first.tensors()}, 4)
    learn(parts, second, range(4, INTERVAL + 1))
    for ours, theirs in zip(parts.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)
