"""GRU and tanh RNN on the CPU: a window as one autograd function, faster than PyTorch's kernels.

PyTorch's kernels run about ten operations per time step, each with its own graph node, memory and
backward pass. Here a window is one graph node. Arrays are feature-major, (T, rows, B): a step's
matrix product reads the weights as they are stored, and each gate is one contiguous block. The
backward pass first computes, for the whole window at once, everything that does not depend on later
steps; two elementwise operations and one product per step remain. Weight gradients are one product
per window (Appleyard, Kocisky, Blunsom 2016, on GPUs). Matrix products may have a lower precision;
gates and states do not.

PyTorch's LSTM on the CPU comes from oneDNN and is faster than this method (benchmarks/RESULTS.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class Steps:
    """The forward and backward pass of one kind of cell; all arrays are feature-major.

    `forward(gates, weight_hh, bias_hh, h, states, outputs)` takes the inputs' contribution to the
    gates' pre-activations, (T, G*H, B), which it overwrites, and the initial state `h` (H, B). It
    writes the outputs (T, H, B), and into `states` (T+1, H, B) the state after each step;
    `states[0]` is the initial state. It returns further tensors that `backward` needs as `saved`.

    `backward(outputs, h, saved, weight_hh, grad_outputs)` returns the gradient of the recurrent
    products (T, G*H, B); that of the inputs' contribution in its last rows (T, R, B), or None if it
    is the same in all rows; and the gradient of `h`.

    Matrix products are computed in the precision of `weight_hh` and `states`, everything else in
    that of `outputs`. If the two are the same, `outputs` is a view of `states`.
    """

    forward: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, ...]]
    backward: Callable[
        [Tensor, Tensor, tuple[Tensor, ...], Tensor, Tensor], tuple[Tensor, Tensor | None, Tensor]
    ]


def run_window(
    steps: Steps,
    inputs: Tensor,
    weights: tuple[Tensor, Tensor, Tensor, Tensor],
    h: Tensor,
) -> Tensor:
    """One layer's outputs (T, B, H) over a window; the last output is the new state.

    `inputs` are ids (T, B) or vectors (T, B, W). `weights` are weight_ih (G*H, W), weight_hh
    (G*H, H) and two biases (G*H,), with gates in PyTorch's order. `h` is the initial state (B, H).
    Under autocast, only matrix products are computed in its precision.
    """
    if inputs.dim() == 3:
        inputs = inputs.transpose(1, 2)  # (T, W, B), and contiguous if it comes from another layer
    low = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else h.dtype
    with torch.autocast("cpu", enabled=False):
        outputs: Tensor = _Window.apply(steps, low, inputs, *weights, h.t())  # type: ignore[no-untyped-call]
    return outputs.transpose(1, 2)


class _Window(Function):
    """One layer over one window: inputs are ids (T, B) or vectors (T, W, B)."""

    @staticmethod
    def forward(
        ctx: Any,
        steps: Steps,
        low: torch.dtype,
        inputs: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
        h: Tensor,
    ) -> Tensor:
        time, rows = len(inputs), len(weight_ih)
        if inputs.dim() == 2:  # a product with a one-hot vector is a look-up
            table = (weight_ih + bias_ih[:, None]).expand(time, -1, -1)
            gates = table.gather(2, inputs[:, None].expand(-1, rows, -1))
        else:
            inputs, weight_ih = inputs.to(low), weight_ih.to(low)
            gates = (weight_ih.expand(time, -1, -1) @ inputs).to(h.dtype).add_(bias_ih[:, None])
        states = h.new_empty(time + 1, *h.shape, dtype=low)
        outputs = states[1:] if low == h.dtype else h.new_empty(time, *h.shape)
        states[0] = h
        weight_hh = weight_hh.to(low)
        saved = steps.forward(gates, weight_hh, bias_hh, h, states, outputs)
        ctx.steps = steps
        ctx.save_for_backward(inputs, weight_ih, weight_hh, h, states, outputs, *saved)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight_ih, weight_hh, h, states, outputs, *saved = ctx.saved_tensors
        grads, own, grad_h = ctx.steps.backward(
            outputs, h, tuple(saved), weight_hh, grad_outputs.contiguous()
        )
        features = _features(grads)
        grad_hh = features @ _features(states[:-1]).t()
        sum_hh = features.sum(1)
        if own is not None:  # from here on, the gradients of the inputs' contribution
            rows = slice(-own.shape[1], None)
            grads[:, rows] = own
            features.view(-1, *grads.shape[::2])[rows] = own.transpose(0, 1)  # (R, T, B)
        # a copy: gradients are scaled in place, each once
        sum_ih = sum_hh.clone() if own is None else features.sum(1)
        grad_inputs = None
        if inputs.dim() == 2:
            grad_ih = _by_character(features, inputs, weight_ih.shape[1])
        else:
            grad_ih = features @ _features(inputs).t()
            grad_inputs = weight_ih.t().expand(len(inputs), -1, -1) @ grads
        return None, None, grad_inputs, grad_ih, grad_hh, sum_ih, sum_hh, grad_h


def _rnn_forward(
    gates: Tensor, weight_hh: Tensor, bias_hh: Tensor, h: Tensor, states: Tensor, outputs: Tensor
) -> tuple[Tensor, ...]:
    minus_one = torch.full_like(h, -1)
    gates.add_(bias_hh[:, None]).mul_(2)
    weight_hh = 2 * weight_hh
    for gate, before, after, output in zip(
        gates.unbind(), states[:-1].unbind(), states[1:].unbind(), outputs.unbind(), strict=True
    ):
        _tanh_of_half(_add_product(gate, weight_hh, before), minus_one, out=output)
        _copy(output, after)
    return ()


def _rnn_backward(
    outputs: Tensor,
    h: Tensor,
    saved: tuple[Tensor, ...],
    weight_hh: Tensor,
    grad_outputs: Tensor,
) -> tuple[Tensor, Tensor | None, Tensor]:
    grads = _tanh_slope(outputs)
    low = _in_precision_of(weight_hh, grads)
    weight = weight_hh.t().contiguous()
    grad = grad_outputs[-1]
    for t in range(len(grads) - 1, 0, -1):
        _copy(grads[t].mul_(grad), low[t])
        grad = _add_product(grad_outputs[t - 1].clone(), weight, low[t])
    _copy(grads[0].mul_(grad), low[0])
    return low, None, weight @ low[0]


def _gru_forward(
    gates: Tensor, weight_hh: Tensor, bias_hh: Tensor, h: Tensor, states: Tensor, outputs: Tensor
) -> tuple[Tensor, ...]:
    size, minus_one = len(h), torch.full_like(h, -1)
    # n = tanh(new + r * hn): the recurrent product gives hn, so the inputs' part is kept apart
    new = 2 * gates[:, 2 * size :]
    gates[:, 2 * size :] = 0
    gates += bias_hh[:, None]
    candidates = torch.empty_like(new)
    for gate, rz, r, z, hn, twice, n, before, after, output in zip(
        gates.unbind(),
        gates[:, : 2 * size].unbind(),
        gates[:, :size].unbind(),
        gates[:, size : 2 * size].unbind(),
        gates[:, 2 * size :].unbind(),
        new.unbind(),
        candidates.unbind(),
        states[:-1].unbind(),
        states[1:].unbind(),
        outputs.unbind(),
        strict=True,
    ):
        _add_product(gate, weight_hh, before)
        rz.sigmoid_()
        _tanh_of_half(twice.addcmul_(r, hn, value=2), minus_one, out=n)
        h = torch.lerp(n, h, z, out=output)  # (1 - z) n + z h
        _copy(h, after)
    return gates, candidates


def _gru_backward(
    outputs: Tensor,
    h: Tensor,
    saved: tuple[Tensor, ...],
    weight_hh: Tensor,
    grad_outputs: Tensor,
) -> tuple[Tensor, Tensor | None, Tensor]:
    gates, n = saved
    time, size, batch = n.shape
    r, hn = gates[:, :size], gates[:, 2 * size :]
    z = gates[:, size : 2 * size].contiguous()
    # first, for the whole window: the gradients of the gates for an output gradient of one
    rest = 1 - z
    for_n = _tanh_slope(n).mul_(rest)
    grads = torch.empty_like(gates)
    for_r, for_z, for_hn = grads.view(time, 3, size, batch).unbind(1)
    torch.mul(_before(outputs, h).sub_(n).mul_(z), rest, out=for_z)
    torch.mul(for_n, r, out=for_hn)
    torch.mul(torch.sub(1, r, out=rest).mul_(hn), for_hn, out=for_r)

    # then, from the last step to the first: times the output gradient, which later steps add to
    weight = weight_hh.t().contiguous()
    low = _in_precision_of(weight_hh, grads)
    totals = torch.empty_like(n)
    total = totals[-1].copy_(grad_outputs[-1])
    blocks = grads.view(time, 3, size, batch).unbind()
    low_blocks, products = low.view(time, 3, size, batch).unbind(), low.unbind()
    to_outputs, all_totals, keep = grad_outputs.unbind(), totals.unbind(), z.unbind()
    for t in range(time - 1, 0, -1):
        torch.mul(blocks[t], total, out=low_blocks[t])
        total = torch.addcmul(to_outputs[t - 1], total, keep[t], out=all_totals[t - 1])
        _add_product(total, weight, products[t])
    torch.mul(blocks[0], total, out=low_blocks[0])
    grad_h = _add_product(total * keep[0], weight, products[0])
    return low, totals.mul_(for_n), grad_h


STEPS: Mapping[str, Steps] = {
    "gru": Steps(_gru_forward, _gru_backward),
    "rnn": Steps(_rnn_forward, _rnn_backward),
}


def _add_product(total: Tensor, weight: Tensor, values: Tensor) -> Tensor:
    """Add a product to `total` in place; it is computed in the precision of its factors."""
    if weight.dtype == total.dtype:
        return total.addmm_(weight, values)
    return total.add_(weight @ values)


def _in_precision_of(weight: Tensor, values: Tensor) -> Tensor:
    """`values` if they have the precision of `weight`, else an empty array that has it."""
    return values if weight.dtype == values.dtype else torch.empty_like(values, dtype=weight.dtype)


def _copy(values: Tensor, low: Tensor) -> None:
    """Copy values to an array of lower precision; if it has the same, it holds them already."""
    if low.dtype != values.dtype:
        low.copy_(values)


def _tanh_of_half(values: Tensor, minus_one: Tensor, out: Tensor) -> Tensor:
    """tanh(values / 2), computed as 2 sigmoid(values) - 1: three times as fast as PyTorch's tanh.

    `values` are overwritten.
    """
    return torch.add(minus_one, values.sigmoid_(), alpha=2, out=out)


def _tanh_slope(tanh: Tensor) -> Tensor:
    """The derivative of tanh, from its value."""
    return torch.addcmul(tanh.new_ones(()), tanh, tanh, value=-1)


def _features(values: Tensor) -> Tensor:
    """(T, rows, B) as (rows, T*B), for one product over the whole window."""
    return values.transpose(0, 1).reshape(values.shape[1], -1)


def _before(outputs: Tensor, h: Tensor) -> Tensor:
    """The state before each step, (T, H, B): `h`, then all outputs except the last."""
    return torch.cat([h[None], outputs[:-1]])


def _by_character(grads: Tensor, ids: Tensor, vocabulary_size: int) -> Tensor:
    """Gradients (rows, T*B) summed by character, (rows, V), for ids (T, B)."""
    if vocabulary_size > 128:  # fewer operations than a matrix product
        table = grads.new_zeros(vocabulary_size, len(grads))
        return table.index_add_(0, ids.flatten(), grads.t().contiguous()).t()
    one_hot = grads.new_zeros(ids.numel(), vocabulary_size)
    return grads @ one_hot.scatter_(1, ids.reshape(-1, 1), 1.0)
