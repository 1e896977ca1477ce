"""Causal self-attention in float32 on the CPU, with its norms and rotations, as one function.

PyTorch's kernel for attention on the CPU took a third of a training step of a small model: its
backward pass computes the scores anew, and its products are small. Here, the attention weights of
the forward pass are kept, and every product is computed for all heads at once
(benchmarks/transformer.py).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from charrnn_cli.models.transformer.config import NORM_EPSILON
from charrnn_cli.models.transformer.kernels import norm_and_rotate, on_cpu_and_exact

# Queries are computed in blocks of so many positions, and see no keys after their own block.
BLOCK = 128
# The attention weights of a layer that are kept, at most: 64 MB. They grow with the square of the
# positions, and PyTorch's kernel keeps none.
MAX_KEPT = 1 << 24

Rotation = tuple[Tensor, Tensor, Tensor, Tensor]
"""The weights (D,) of the RMSNorms of queries and of keys; cosine and sine (T, D)."""


def causal_attention(joined: Tensor, rotation: Rotation | None = None) -> Tensor:
    """Outputs (B, T, N*D) of causal attention, from queries, keys and values (B, T, 3, N, D).

    Without gradients, in other precisions, on other devices and for many positions, PyTorch's
    kernel computes them.

    With a `rotation`, queries and keys are first normalised by head (RMSNorm), and rotated by the
    angles of their positions. Its tables `cosine` and `sine` are equal in both halves of D; units
    i and i + D/2 are rotated together (Su et al. 2021).
    """
    rows, steps, _, heads, _ = joined.shape
    too_many = rows * heads * steps**2 > MAX_KEPT
    if not torch.is_grad_enabled() or not on_cpu_and_exact(joined) or too_many:
        return _composed(joined, rotation)
    with torch.autocast("cpu", enabled=False):
        if rotation is None:
            attended: Tensor = _Attention.apply(joined)  # type: ignore[no-untyped-call]
        else:
            attended = _RotaryAttention.apply(joined, *rotation)  # type: ignore[no-untyped-call]
    return attended


def _composed(joined: Tensor, rotation: Rotation | None) -> Tensor:
    """The same by PyTorch's kernel."""
    joined = joined.transpose(0, 1)
    queries_and_keys, values = joined[:, :, :2], joined[:, :, 2]
    if rotation is not None:
        query_norm, key_norm, cosine, sine = rotation
        norms = torch.stack([query_norm, key_norm])
        queries_and_keys = norm_and_rotate(queries_and_keys, norms, cosine, sine)
    queries, keys = queries_and_keys.permute(2, 1, 3, 0, 4)  # (B, N, T, D)
    values = values.permute(1, 2, 0, 3)
    outputs = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
    return _by_position(outputs)


class _Attention(Function):
    @staticmethod
    def forward(ctx: Any, joined: Tensor) -> Tensor:
        heads = _by_head(joined)
        heads[0].mul_(heads.shape[-1] ** -0.5)
        outputs, weights = _attend(heads)
        ctx.save_for_backward(heads, *weights)
        return _by_position(outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        heads, *weights = ctx.saved_tensors
        gradients = _attend_backward(gradient, heads, weights)
        gradients[0].mul_(heads.shape[-1] ** -0.5)
        return _joined_like(gradients).copy_(gradients.permute(1, 3, 0, 2, 4))


class _RotaryAttention(Function):
    @staticmethod
    def forward(
        ctx: Any,
        joined: Tensor,
        query_norm: Tensor,
        key_norm: Tensor,
        cosine: Tensor,
        sine: Tensor,
    ) -> Tensor:
        heads = _by_head(joined)
        size = heads.shape[-1]
        # RMSNorm has a factor of sqrt(D); for queries the scale of the scores cancels it
        norms = torch.stack([query_norm, key_norm * size**0.5])
        inverse = torch.linalg.vector_norm(heads[:2], dim=-1, keepdim=True)
        inverse.square_().add_(size * NORM_EPSILON).rsqrt_()  # of the sum of squares, not its mean
        normed = heads[:2] * inverse
        tables = _tables(norms, cosine, sine)
        torch.mul(normed, tables[0], out=heads[:2])
        _add_partners(heads[:2], normed, tables[1])
        outputs, weights = _attend(heads)
        ctx.save_for_backward(heads, normed, inverse, norms, cosine, sine, *weights)
        return _by_position(outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        heads, normed, inverse, norms, cosine, sine, *weights = ctx.saved_tensors
        size = heads.shape[-1]
        gradients = _attend_backward(gradient, heads, weights)
        turned = gradients[:2] * cosine
        half = size // 2
        turned[..., :half].addcmul_(gradients[:2, ..., half:], sine[:, :half])
        turned[..., half:].addcmul_(gradients[:2, ..., :half], sine[:, half:], value=-1)
        product = (turned * normed).flatten(1, -2)  # (2, B*N*T, D)
        norm_gradients = product.sum(1)
        share = torch.bmm(product, norms.unsqueeze(-1)).view_as(inverse)
        turned.mul_(norms[:, None, None, None]).addcmul_(normed, share, value=-1)
        grad_joined = _joined_like(gradients)
        by_head = grad_joined.permute(2, 0, 3, 1, 4)  # (3, B, N, T, D)
        torch.mul(turned, inverse, out=by_head[:2])
        by_head[2].copy_(gradients[2])
        return grad_joined, norm_gradients[0], norm_gradients[1] * size**0.5, None, None


def _by_head(joined: Tensor) -> Tensor:
    """A copy of queries, keys and values as (3, B, N, T, D)."""
    rows, steps, _, heads, size = joined.shape
    return joined.new_empty(3, rows, heads, steps, size).copy_(joined.permute(2, 0, 3, 1, 4))


def _by_position(outputs: Tensor) -> Tensor:
    """Outputs of attention, (B, N, T, D), as (B, T, N*D)."""
    return outputs.transpose(1, 2).flatten(2)


def _joined_like(heads: Tensor) -> Tensor:
    _, rows, count, steps, size = heads.shape
    return heads.new_empty(rows, steps, 3, count, size)


def _tables(norms: Tensor, cosine: Tensor, sine: Tensor) -> tuple[Tensor, Tensor]:
    """The norms' weights (2, D) multiplied into the tables (T, D) of the angles: the factors
    (2, 1, 1, T, D) of each unit, and of the unit that is rotated with it."""
    half = norms.shape[-1] // 2
    signed = torch.cat([-sine[:, :half], sine[:, half:]], dim=1)
    places = norms[:, None, None, None]
    return places * cosine, places.roll(half, -1) * signed


def _add_partners(outputs: Tensor, inputs: Tensor, factors: Tensor) -> None:
    """Add to each unit of `outputs` the unit of `inputs` half a head away, times its factor."""
    half = inputs.shape[-1] // 2
    outputs[..., :half].addcmul_(inputs[..., half:], factors[..., :half])
    outputs[..., half:].addcmul_(inputs[..., :half], factors[..., half:])


def _blocks(steps: int) -> list[tuple[int, int]]:
    return [(begin, min(begin + BLOCK, steps)) for begin in range(0, steps, BLOCK)]


def _attend(heads: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The outputs of attention, (B, N, T, D), of scaled queries, keys and values (3, B, N, T, D);
    and the attention weights of each block of queries, (B*N, Q, K)."""
    queries, keys, values = heads.flatten(1, 2)  # (B*N, T, D)
    outputs, kept = torch.empty_like(heads[0]), []
    flat = outputs.flatten(0, 1)
    future = heads.new_full((BLOCK, BLOCK), -torch.inf).triu_(1)
    for begin, end in _blocks(heads.shape[3]):
        scores = torch.bmm(queries[:, begin:end], keys[:, :end].mT)
        scores[:, :, begin:].add_(future[: end - begin, : end - begin])
        weights = torch.softmax(scores, -1)
        torch.bmm(weights, values[:, :end], out=flat[:, begin:end])
        kept.append(weights)
    return outputs, kept


def _attend_backward(gradient: Tensor, heads: Tensor, kept: list[Tensor]) -> Tensor:
    """The gradients (3, B, N, T, D) of `heads`, from those of the outputs (B, T, N*D)."""
    _, rows, count, steps, size = heads.shape
    queries, keys, values = heads.flatten(1, 2)
    by_position = gradient.view(rows, steps, count, size).transpose(1, 2)
    above = by_position.reshape(rows * count, steps, size)
    gradients = torch.empty_like(heads)
    grad_queries, grad_keys, grad_values = gradients.flatten(1, 2)
    # the last block comes first: it sees all keys, so that the sums begin with its terms
    for (begin, end), weights in reversed(list(zip(_blocks(steps), kept, strict=True))):
        own = above[:, begin:end]
        grad_weights = torch.bmm(own, values[:, :end].mT)
        # not public, but the kernel that autograd calls for softmax: it reads the weights once,
        # where public operations (multiply, sum, subtract) would read and write them several times
        grad_scores = torch._softmax_backward_data(grad_weights, weights, -1, weights.dtype)
        torch.bmm(grad_scores, keys[:, :end], out=grad_queries[:, begin:end])
        last = end == steps
        for sums, left, right in (
            (grad_values, weights, own),
            (grad_keys, grad_scores, queries[:, begin:end]),
        ):
            if last:
                torch.bmm(left.mT, right, out=sums)
            else:
                sums[:, :end].add_(torch.bmm(left.mT, right))  # baddbmm_ would loop over heads
    return gradients
