"""RMSNorm, rotary positions, SwiGLU and GELU, each as one autograd function.

PyTorch has a fused kernel for LayerNorm on the CPU, but composes RMSNorm of some six operations and
differentiates each of them, as it does for rotations. In a training step with small batches these
took a third of the time (benchmarks/transformer.py). Its GELU and the gradients of both
activations compute a hyperbolic tangent or an exponential again, which takes as long as ten
multiplications.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from charrnn_cli.models.transformer.block import GELU_CUBIC, GELU_SCALE
from charrnn_cli.models.transformer.config import NORM_EPSILON


def rms_norm(values: Tensor, weight: Tensor) -> Tensor:
    """RMSNorm (Zhang and Sennrich 2019) of values (…, H) over the last axis, times weight (H,)."""
    with torch.autocast(values.device.type, enabled=False):
        normed: Tensor = _RMSNorm.apply(values, weight)  # type: ignore[no-untyped-call]
    return normed


def norm_and_rotate(heads: Tensor, weights: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Queries and keys (T, B, 2, N, D), normalised by head and rotated by their positions' angles.

    `weights` (2, D) are those of the two RMSNorms. `cosine` and `sine` (T, D) are tables of the
    angles, equal in both halves of D; units i and i + D/2 are rotated together (Su et al. 2021).
    """
    with torch.autocast(heads.device.type, enabled=False):
        rotated: Tensor = _NormAndRotate.apply(heads, weights, cosine, sine)  # type: ignore[no-untyped-call]
    return rotated


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """SiLU of `gate` times `up` (Shazeer 2020), of equal shapes."""
    if not on_cpu_and_exact(gate):
        return functional.silu(gate) * up
    product: Tensor = _SwiGLU.apply(gate, up)  # type: ignore[no-untyped-call]
    return product


def gelu(values: Tensor) -> Tensor:
    """GELU in its tanh form (Hendrycks and Gimpel 2016)."""
    if not on_cpu_and_exact(values):
        composed: Tensor = functional.gelu(values, approximate="tanh")
        return composed
    activated: Tensor = _GELU.apply(values)  # type: ignore[no-untyped-call]
    return activated


def on_cpu_and_exact(values: Tensor) -> bool:
    """Whether the functions of our own are made for these values."""
    return values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64)


class _SwiGLU(Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        sigmoid = torch.sigmoid(gate)
        silu = gate * sigmoid
        ctx.save_for_backward(sigmoid, silu, up)
        return silu * up

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        sigmoid, silu, up = ctx.saved_tensors
        slope = torch.addcmul(silu, silu, sigmoid, value=-1).add_(sigmoid)
        return slope.mul_(up).mul_(gradient), gradient * silu


class _GELU(Function):
    """The tanh form is x sigmoid(2 scale (x + cubic x³)), and an exponential is faster."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        inner = (values * values).mul_(2 * GELU_SCALE * GELU_CUBIC).add_(2 * GELU_SCALE)
        sigmoid = inner.mul_(values).sigmoid_()
        activated = values * sigmoid
        ctx.save_for_backward(values, sigmoid, activated)
        return activated

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        values, sigmoid, activated = ctx.saved_tensors
        slope = (values * values).mul_(6 * GELU_SCALE * GELU_CUBIC).add_(2 * GELU_SCALE)
        slope.mul_(activated)
        grad_values: Tensor = slope.addcmul_(slope, sigmoid, value=-1).add_(sigmoid).mul_(gradient)
        return grad_values


class _RMSNorm(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor) -> Tensor:
        inverse = _inverse_root_mean_square(values)
        normed = values * inverse
        ctx.save_for_backward(normed, inverse, weight)
        return normed * weight

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        normed, inverse, weight = ctx.saved_tensors
        product = gradient * normed
        grad_weight = product.flatten(0, -2).sum(0)
        share = (product @ weight).div_(-normed.shape[-1]).unsqueeze(-1)
        grad_values = torch.addcmul(gradient * weight, normed, share).mul_(inverse)
        return grad_values, grad_weight


class _NormAndRotate(Function):
    @staticmethod
    def forward(ctx: Any, heads: Tensor, weights: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        inverse = _inverse_root_mean_square(heads)
        normed = heads * inverse
        weights = weights[:, None]  # (2, 1, D)
        cosine, sine = cosine[:, None, None, None], sine[:, None, None, None]  # (T, 1, 1, 1, D)
        ctx.save_for_backward(normed, inverse, weights, cosine, sine)
        return _rotate(normed * weights, cosine, sine, 1.0).to(heads.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        normed, inverse, weights, cosine, sine = ctx.saved_tensors
        turned = _rotate(gradient, cosine, sine, -1.0)  # back by the same angle
        product = turned * normed
        grad_weights = product.sum((0, 1, 3))  # (2, D)
        share = product.mul_(weights).sum(-1, keepdim=True).div_(-normed.shape[-1])
        grad_heads = turned.mul_(weights).addcmul_(normed, share).mul_(inverse)
        return grad_heads.to(gradient.dtype), grad_weights, None, None


def _inverse_root_mean_square(values: Tensor) -> Tensor:
    """1 / sqrt(mean(x²) + epsilon) over the last axis, (…, 1)."""
    norm: Tensor = torch.linalg.vector_norm(values, dim=-1, keepdim=True)
    return norm.square_().div_(values.shape[-1]).add_(NORM_EPSILON).rsqrt_()


def _rotate(heads: Tensor, cosine: Tensor, sine: Tensor, direction: float) -> Tensor:
    """Each pair of units (i, i + D/2) of heads (…, D), rotated by its angle times `direction`."""
    half = heads.shape[-1] // 2
    turned = heads * cosine
    turned[..., :half].addcmul_(heads[..., half:], sine[..., :half], value=-direction)
    turned[..., half:].addcmul_(heads[..., :half], sine[..., half:], value=direction)
    return turned
