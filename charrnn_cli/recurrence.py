"""GRU and tanh RNN on the CPU: a window as one autograd function, faster than PyTorch's kernels.

PyTorch's own make some ten operations of each time step, each with a node of the graph, new memory
and a backward pass of its own. Here a window is one node. Its arrays are feature-major,
(T, rows, B): a step's matrix product then reads the weights as they are stored, and each gate is
one contiguous block. The backward pass first computes, for the whole window at once, all that does
not depend on later steps; each step is left with two elementwise operations and one product.
Weight gradients are one product a window (Appleyard, Kocisky, Blunsom 2016, do so on GPUs).

PyTorch's LSTM comes from oneDNN and is faster than the same done here (benchmarks/RESULTS.md).
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
    """The time steps of one kind of cell; all arrays are feature-major.

    `forward(gates, weight_hh, bias_hh, h)` takes the inputs' part of the gates' sums, (T, G*H, B),
    which it overwrites, and the state before, (H, B). It returns the outputs (T, H, B) and what
    `backward` needs besides.

    `backward(outputs, h, saved, weight_hh, grad_outputs)` returns the gradients of the gates' sums
    as the inputs and as the recurrent product reach them, (T, G*H, B) each, and that of `h`.
    """

    forward: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, tuple[Tensor, ...]]]
    backward: Callable[
        [Tensor, Tensor, tuple[Tensor, ...], Tensor, Tensor], tuple[Tensor, Tensor, Tensor]
    ]


def run_window(
    steps: Steps,
    inputs: Tensor,
    weights: tuple[Tensor, Tensor, Tensor, Tensor],
    h: Tensor,
) -> Tensor:
    """One layer's outputs (T, B, H) over a window; the last of them is the state after it.

    `inputs` are ids (T, B) or vectors (T, B, W); `weights` are weight_ih (G*H, W), weight_hh
    (G*H, H) and the two biases (G*H,), gates in PyTorch's order; `h` is the state before, (B, H).
    """
    if inputs.dim() == 3:
        inputs = inputs.transpose(1, 2)  # (T, W, B), and contiguous if it comes from another layer
    outputs: Tensor = _Window.apply(steps, inputs, *weights, h.t())  # type: ignore[no-untyped-call]
    return outputs.transpose(1, 2)


class _Window(Function):
    """One layer over one window: inputs are ids (T, B) or vectors (T, W, B)."""

    @staticmethod
    def forward(
        ctx: Any,
        steps: Steps,
        inputs: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
        h: Tensor,
    ) -> Tensor:
        time, rows = len(inputs), len(weight_ih)
        if inputs.dim() == 2:  # the product with a one-hot vector is a look-up
            table = (weight_ih + bias_ih[:, None]).expand(time, -1, -1)
            gates = table.gather(2, inputs[:, None].expand(-1, rows, -1))
        else:
            bias = bias_ih[None, :, None].expand(time, -1, inputs.shape[2])
            gates = torch.baddbmm(bias, weight_ih.expand(time, -1, -1), inputs)
        h = h.contiguous()
        outputs, saved = steps.forward(gates, weight_hh, bias_hh, h)
        ctx.steps = steps
        ctx.save_for_backward(inputs, weight_ih, weight_hh, h, outputs, *saved)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight_ih, weight_hh, h, outputs, *saved = ctx.saved_tensors
        to_inputs, to_product, grad_h = ctx.steps.backward(
            outputs, h, tuple(saved), weight_hh, grad_outputs.contiguous()
        )
        into, product = _features(to_inputs), _features(to_product)
        grad_inputs = None
        if inputs.dim() == 2:
            grad_ih = _by_character(into, inputs, weight_ih.shape[1])
        else:
            grad_ih = into @ _features(inputs).t()
            grad_inputs = weight_ih.t().expand(len(inputs), -1, -1) @ to_inputs
        grad_hh = product @ _features(_before(outputs, h)).t()
        return None, grad_inputs, grad_ih, grad_hh, into.sum(1), product.sum(1), grad_h


def _rnn_forward(
    gates: Tensor, weight_hh: Tensor, bias_hh: Tensor, h: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    outputs, minus_one = torch.empty_like(gates), torch.full_like(h, -1)
    gates.add_(bias_hh[:, None]).mul_(2)
    weight_hh = 2 * weight_hh
    for gate, output in zip(gates.unbind(), outputs.unbind(), strict=True):
        h = _tanh_of_half(gate.addmm_(weight_hh, h), minus_one, out=output)
    return outputs, ()


def _rnn_backward(
    outputs: Tensor,
    h: Tensor,
    saved: tuple[Tensor, ...],
    weight_hh: Tensor,
    grad_outputs: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    grads = _tanh_slope(outputs)
    weight = weight_hh.t().contiguous()
    grad = grad_outputs[-1]
    for t in range(len(grads) - 1, 0, -1):
        grad = torch.addmm(grad_outputs[t - 1], weight, grads[t].mul_(grad))
    return grads, grads, weight @ grads[0].mul_(grad)


def _gru_forward(
    gates: Tensor, weight_hh: Tensor, bias_hh: Tensor, h: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    size, minus_one = len(h), torch.full_like(h, -1)
    # n = tanh(new + r * hn): the product makes hn from its bias alone, the inputs' part waits
    new = 2 * gates[:, 2 * size :]
    gates[:, 2 * size :] = 0
    gates += bias_hh[:, None]
    outputs, candidates = torch.empty_like(new), torch.empty_like(new)
    for gate, rz, r, z, hn, twice, n, output in zip(
        gates.unbind(),
        gates[:, : 2 * size].unbind(),
        gates[:, :size].unbind(),
        gates[:, size : 2 * size].unbind(),
        gates[:, 2 * size :].unbind(),
        new.unbind(),
        candidates.unbind(),
        outputs.unbind(),
        strict=True,
    ):
        gate.addmm_(weight_hh, h)
        rz.sigmoid_()
        _tanh_of_half(twice.addcmul_(r, hn, value=2), minus_one, out=n)
        h = torch.lerp(n, h, z, out=output)  # (1 - z) n + z h
    return outputs, (gates, candidates)


def _gru_backward(
    outputs: Tensor,
    h: Tensor,
    saved: tuple[Tensor, ...],
    weight_hh: Tensor,
    grad_outputs: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    gates, n = saved
    time, size, lanes = n.shape
    r, hn = gates[:, :size], gates[:, 2 * size :]
    z = gates[:, size : 2 * size].contiguous()
    # first the gradients of the gates' sums for a gradient of one of the step's output
    rest = 1 - z
    for_n = _tanh_slope(n).mul_(rest)
    grads = torch.empty_like(gates)
    for_r, for_z, for_hn = grads.view(time, 3, size, lanes).unbind(1)
    torch.mul(_before(outputs, h).sub_(n).mul_(z), rest, out=for_z)
    torch.mul(for_n, r, out=for_hn)
    torch.mul(torch.sub(1, r, out=rest).mul_(hn), for_hn, out=for_r)

    # then, last step first, times that gradient, which every later step adds to
    weight = weight_hh.t().contiguous()
    totals = torch.empty_like(n)
    total = totals[-1].copy_(grad_outputs[-1])
    blocks = grads.view(time, 3, size, lanes)
    for t in range(time - 1, 0, -1):
        blocks[t].mul_(total)
        total = torch.addcmul(grad_outputs[t - 1], total, z[t], out=totals[t - 1])
        total.addmm_(weight, grads[t])
    blocks[0].mul_(total)
    grad_h = torch.addmm(total * z[0], weight, grads[0])
    to_inputs = grads.clone()
    torch.mul(totals, for_n, out=to_inputs[:, 2 * size :])
    return to_inputs, grads, grad_h


STEPS: Mapping[str, Steps] = {
    "gru": Steps(_gru_forward, _gru_backward),
    "rnn": Steps(_rnn_forward, _rnn_backward),
}


def _tanh_of_half(values: Tensor, minus_one: Tensor, out: Tensor) -> Tensor:
    """tanh(values / 2) as 2 sigmoid(values) - 1, three times as fast as PyTorch's tanh; `values`
    are overwritten."""
    return torch.add(minus_one, values.sigmoid_(), alpha=2, out=out)


def _tanh_slope(tanh: Tensor) -> Tensor:
    """The derivative of tanh, from its value."""
    return torch.addcmul(tanh.new_ones(()), tanh, tanh, value=-1)


def _features(values: Tensor) -> Tensor:
    """(T, rows, B) as (rows, T*B), for one product over the whole window."""
    return values.transpose(0, 1).reshape(values.shape[1], -1)


def _before(outputs: Tensor, h: Tensor) -> Tensor:
    """The state before each step, (T, H, B): `h`, then all outputs but the last."""
    return torch.cat([h[None], outputs[:-1]])


def _by_character(grads: Tensor, ids: Tensor, vocabulary_size: int) -> Tensor:
    """Sum gradients (rows, T*B) by the character, ids (T, B), that they belong to: (rows, V)."""
    if vocabulary_size > 128:  # fewer sums than a product would make
        table = grads.new_zeros(vocabulary_size, len(grads))
        return table.index_add_(0, ids.flatten(), grads.t().contiguous()).t()
    one_hot = grads.new_zeros(ids.numel(), vocabulary_size)
    return grads @ one_hot.scatter_(1, ids.reshape(-1, 1), 1.0)
