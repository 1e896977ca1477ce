"""Causal attention as one function: the same values and gradients as PyTorch composes."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from charrnn_cli.models.transformer.causal_attention import BLOCK, MAX_KEPT, causal_attention
from charrnn_cli.models.transformer.config import NORM_EPSILON, TransformerConfig
from charrnn_cli.models.transformer.decoder import rotation_tables

torch.set_num_threads(1)

B, N, D = 3, 2, 4
STEPS = pytest.mark.parametrize("steps", [1, 5, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
ROTATED = pytest.mark.parametrize("rotated", [False, True])


def random(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


def tables(steps: int) -> list[Tensor]:
    config = TransformerConfig("llama", 9, N * D, 1, 0.0, N, max(2, steps))
    return [torch.from_numpy(table).double()[:steps] for table in rotation_tables(config)]


def inputs(steps: int, rotated: bool) -> list[Tensor]:
    joined = random(B, steps, 3, N, D)
    return [joined, random(D), random(D + 1)[:D].detach().requires_grad_()] if rotated else [joined]


def attention(joined: Tensor, *norms: Tensor) -> Tensor:
    """Our function."""
    rotation = (*norms, *tables(joined.shape[1])) if norms else None
    return causal_attention(joined, rotation)


def composed(joined: Tensor, *norms: Tensor) -> Tensor:
    """The same as PyTorch users write it."""
    queries, keys, values = joined.permute(2, 0, 3, 1, 4)
    if norms:
        cosine, sine = tables(joined.shape[1])
        turned = []
        for heads, norm in zip((queries, keys), norms, strict=True):
            normed = functional.rms_norm(heads, (D,), norm, NORM_EPSILON)
            first, second = normed.chunk(2, dim=-1)
            turned.append(normed * cosine + torch.cat([-second, first], dim=-1) * sine)
        queries, keys = turned
    taken = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
    return taken.transpose(1, 2).flatten(2)


@STEPS
@ROTATED
def test_values_and_gradients_are_those_that_pytorch_composes(steps, rotated):
    found = []
    for function in (attention, composed):
        given = inputs(steps, rotated)
        outputs = function(*given)
        outputs.backward(random(B, steps, N * D).detach())
        found.append([outputs.detach(), *(tensor.grad for tensor in given)])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("steps", [4, BLOCK + 2])
@ROTATED
def test_the_gradients_are_those_of_the_values(steps, rotated):
    assert torch.autograd.gradcheck(attention, inputs(steps, rotated), fast_mode=steps > BLOCK)


@ROTATED
def test_no_position_sees_a_later_one(rotated):
    steps = BLOCK + 3
    joined, *norms = inputs(steps, rotated)
    changed = joined.detach().clone()
    changed[:, -2:] = 9.0
    before, after = attention(joined, *norms), attention(changed, *norms)
    assert torch.equal(before[:, :-2], after[:, :-2])
    assert not torch.equal(before[:, -2:], after[:, -2:])


@ROTATED
def test_without_gradients_the_values_are_the_same(rotated):
    given = inputs(BLOCK + 3, rotated)
    with torch.no_grad():
        without = attention(*given)
    torch.testing.assert_close(without, attention(*given).detach())


def test_scores_beyond_the_range_of_exponentials_are_no_hindrance():
    joined = 100 * random(B, BLOCK + 3, 3, N, D).detach().float()
    torch.testing.assert_close(attention(joined), composed(joined))


def test_many_positions_keep_no_attention_weights():
    heads, steps = 8, 1 + int((MAX_KEPT / 8) ** 0.5)
    joined = random(1, steps, 3, heads, 4)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.numel()) or t, lambda t: t
    ):
        outputs = attention(joined)
    torch.testing.assert_close(outputs, composed(joined))
    assert sum(kept) < MAX_KEPT / 16


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
@ROTATED
def test_a_lower_precision_is_kept(precision, rotated):
    joined, *norms = inputs(5, rotated)
    given = [joined.to(precision), *(norm.float() for norm in norms)]
    rotation = (*given[1:], *(table.float() for table in tables(5))) if rotated else None
    with torch.autocast("cpu", precision):
        outputs = causal_attention(given[0], rotation)
    assert outputs.dtype == precision
    torch.testing.assert_close(outputs.double(), composed(joined, *norms), atol=0.05, rtol=0.05)
