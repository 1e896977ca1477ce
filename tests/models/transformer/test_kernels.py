"""Parts of a block as one function each: the same values and gradients as PyTorch's."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from charrnn_cli.models.transformer.config import NORM_EPSILON, TransformerConfig
from charrnn_cli.models.transformer.decoder import rotation_tables
from charrnn_cli.models.transformer.kernels import gelu, norm_and_rotate, rms_norm, swiglu

torch.set_num_threads(1)

T, B, N, D = 7, 3, 2, 8


def random(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


def tables() -> list[Tensor]:
    config = TransformerConfig("llama", 9, N * D, 1, 0.0, N, T)
    return [torch.from_numpy(table).double() for table in rotation_tables(config)]


def composed(heads: Tensor, weights: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """`norm_and_rotate` as PyTorch users write it."""
    parts = []
    for part, weight in zip(heads.unbind(2), weights, strict=True):
        normed = functional.rms_norm(part, (D,), weight, NORM_EPSILON).permute(1, 2, 0, 3)
        first, second = normed.chunk(2, dim=-1)
        rotated = normed * cosine + torch.cat([-second, first], dim=-1) * sine
        parts.append(rotated.permute(2, 0, 1, 3))
    return torch.stack(parts, dim=2)


def test_rms_norm_has_the_values_of_pytorchs():
    values, weight = random(T, B, D), random(D)
    expected = functional.rms_norm(values, (D,), weight, NORM_EPSILON)
    torch.testing.assert_close(rms_norm(values, weight), expected)


def test_the_gradients_of_rms_norm_are_those_of_its_values():
    assert torch.autograd.gradcheck(rms_norm, (random(T, B, D), random(D)))


def test_heads_are_normalised_and_rotated_as_pytorch_composes_it():
    heads, weights = random(T, B, 2, N, D), random(2, D)
    torch.testing.assert_close(
        norm_and_rotate(heads, weights, *tables()), composed(heads, weights, *tables())
    )


@pytest.mark.slow
def test_the_gradients_of_rotated_heads_are_those_of_their_values():
    heads, weights = random(T, B, 2, N, D), random(2, D)
    assert torch.autograd.gradcheck(
        lambda *given: norm_and_rotate(*given, *tables()), (heads, weights)
    )


def test_a_part_of_a_larger_tensor_gets_the_same_gradients():
    whole, weights, gradient = random(T, B, 3, N, D), random(2, D), random(T, B, 2, N, D).detach()
    found = []
    for function in (norm_and_rotate, composed):
        whole.grad = None
        function(whole[:, :, :2], weights, *tables()).backward(gradient)
        assert whole.grad is not None
        found.append(whole.grad)
    torch.testing.assert_close(*found)


def test_rotated_heads_match_by_their_distance_alone():
    config = TransformerConfig("llama", 9, 16, 1, 0.0, 1, 16)
    cosine, sine = (torch.from_numpy(table).double() for table in rotation_tables(config))
    heads = random(1, 1, 2, 1, 16).expand(16, -1, -1, -1, -1)  # the same at every position
    query, key = norm_and_rotate(heads, torch.ones(2, 16).double(), cosine, sine)[
        :, 0, :, 0
    ].unbind(1)
    scores = query @ key.T
    assert scores[9, 4].item() == pytest.approx(scores[12, 7].item(), abs=1e-6)
    assert scores[9, 4].item() != pytest.approx(scores[9, 5].item(), abs=1e-3)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_heads_of_a_lower_precision_keep_it(precision):
    heads = random(T, B, 2, N, D).detach().to(precision).requires_grad_()
    weights = torch.ones(2, D, requires_grad=True)
    cosine, sine = (table.float() for table in tables())
    with torch.autocast("cpu", precision):
        rotated = norm_and_rotate(heads, weights, cosine, sine)
    rotated.backward(torch.ones_like(rotated))
    assert heads.grad is not None
    assert weights.grad is not None
    assert (rotated.dtype, heads.grad.dtype) == (precision, precision)
    assert weights.grad.dtype == torch.float32
    expected = composed(heads.double(), weights.double(), cosine.double(), sine.double())
    torch.testing.assert_close(rotated.double(), expected, atol=0.05, rtol=0.05)


def test_swiglu_and_gelu_have_the_values_of_pytorchs():
    gate, up = random(T, B, D), random(B, T, D).view(T, B, D)
    torch.testing.assert_close(swiglu(3 * gate, up), functional.silu(3 * gate) * up)
    torch.testing.assert_close(gelu(3 * gate), functional.gelu(3 * gate, approximate="tanh"))


def test_the_gradients_of_swiglu_and_gelu_are_those_of_their_values():
    gate, up = random(T, B, D), random(B, T, D)
    assert torch.autograd.gradcheck(lambda a, b: swiglu(3 * a, b.view(T, B, D)), (gate, up))
    assert torch.autograd.gradcheck(lambda a: gelu(3 * a), (gate,))


def test_far_from_zero_swiglu_and_gelu_are_finite_and_so_are_their_gradients():
    far = torch.tensor([-1e4, -50.0, 50.0, 1e4], requires_grad=True)
    (swiglu(far, torch.ones(4)) + gelu(far)).sum().backward()
    assert far.grad is not None
    assert far.grad.tolist() == pytest.approx([0.0, 0.0, 2.0, 2.0])


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_activations_of_a_lower_precision_are_pytorchs(precision):
    gate, up = random(T, B, D).to(precision), random(T, B, D).to(precision)
    assert torch.equal(swiglu(gate, up), functional.silu(gate) * up)
    assert torch.equal(gelu(gate), functional.gelu(gate, approximate="tanh"))
