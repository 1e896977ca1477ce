"""Muon: the optimizer of the matrices inside a model."""

from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor

from charrnn_cli.models.base import ModelConfig

MOMENTUM = 0.95  # The momentum keeps this fraction at each step.
# The Newton-Schulz polynomial of Jordan et al. (2024), of x, x^3 and x^5, and how often it is used.
COEFFICIENTS, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
# Polar Express (Amsel et al. 2025): the three polynomials of x, x^3 and x^5 that, one after the
# other, bring all of the interval from 0.01 to 1 closest to 1, which is within 0.27.
POLAR_EXPRESS = (
    (8.0934, -23.6204, 17.4462),
    (3.6366, -2.7219, 0.5365),
    (2.6613, -1.9772, 0.4526),
)
SAFETY = 1.01  # Rounding must not take a singular value beyond the interval.


class Muon:
    """Updates matrices by their momentum with all singular values made equal (Jordan et al. 2024).

    `matrices` holds the parameters by name. Each block of a matrix is treated as one matrix. They
    are updated every `config.muon_interval` steps, with an update that many times as large. The
    root mean square of the updates does not depend on a matrix's shape (Liu et al. 2025). `dtype`
    is that of the Newton-Schulz products.
    """

    def __init__(
        self,
        matrices: Mapping[str, Tensor],
        config: ModelConfig,
        weight_decay: float,
        dtype: torch.dtype,
    ) -> None:
        self.interval, self.rms, self.weight_decay = (
            config.muon_interval,
            config.muon_rms,
            weight_decay,
        )
        # bfloat16 is too coarse for Polar Express: its polynomials are steep near one
        polar = config.muon_polar and dtype == torch.float32
        self.orthogonalize = polar_express if polar else partial(newton_schulz, dtype=dtype)
        blocks = config.matrices()
        together: dict[object, dict[str, Tensor]] = {}
        for name, p in matrices.items():
            shape = (p.shape[0] // blocks[name], p.shape[1])
            together.setdefault(shape if config.muon_polar else name, {})[name] = p
        self.stacks = [_Stack(group, blocks) for group in together.values()]
        momentum = {name: part for stack in self.stacks for name, part in stack.parts()}
        self.momentum = {name: momentum[name] for name in matrices}

    def moves(self, step: int) -> bool:
        """Whether update number `step` changes the matrices."""
        return step % self.interval == 0

    def step(self, rate: Tensor, step: int) -> None:
        """Make update number `step`, from 0. `rate` is a scalar on the parameters' device."""
        for stack in self.stacks:
            gradient = stack.gradient()
            momentum = stack.momentum.lerp_(gradient, 1 - MOMENTUM)
            if not self.moves(step):
                continue
            ahead = gradient.lerp(momentum, MOMENTUM)  # Nesterov momentum
            update = self.orthogonalize(ahead)
            size = max(update.shape[1:])  # an orthogonal block's root mean square is size**-0.5
            update.mul_(self.interval * self.rms * size**0.5 * rate)
            stack.subtract(update, 1 - self.interval * self.weight_decay * rate)


class _Stack:
    """Matrices by name, whose `blocks` all have one shape (R, C) and are computed together;
    `momentum` is (N, R, C), N the number of blocks of all matrices."""

    def __init__(self, matrices: Mapping[str, Tensor], blocks: Mapping[str, int]) -> None:
        self.names, self.matrices = list(matrices), list(matrices.values())
        self.counts = [blocks[name] for name in self.names]
        first = self.matrices[0]
        self.shape = (first.shape[0] // self.counts[0], first.shape[1])
        self.momentum = first.new_zeros(sum(self.counts), *self.shape)

    def parts(self) -> Iterator[tuple[str, Tensor]]:
        """Each matrix's part of the momentum, by its name."""
        parts = torch.split(self.momentum, self.counts)
        for name, matrix, part in zip(self.names, self.matrices, parts, strict=True):
            yield name, part.view(matrix.shape)

    def gradient(self) -> Tensor:
        """The matrices' gradients, (N, R, C)."""
        gradients = []
        for matrix, count in zip(self.matrices, self.counts, strict=True):
            assert matrix.grad is not None
            gradients.append(matrix.grad.view(count, *self.shape))
        return gradients[0] if len(gradients) == 1 else torch.cat(gradients)

    def subtract(self, update: Tensor, kept: Tensor) -> None:
        """Multiply the matrices by `kept`, a scalar, and subtract an update (N, R, C)."""
        for matrix, part in zip(self.matrices, torch.split(update, self.counts), strict=True):
            matrix.mul_(kept)
            matrix.sub_(part.reshape(matrix.shape))


def newton_schulz(blocks: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Matrices (N, R, C) with all singular values changed to between about 0.7 and 1.2.

    Newton-Schulz iterations with the coefficients of Jordan et al. (2024), computed in `dtype`.
    """
    linear, cubic, quintic = COEFFICIENTS
    tall = blocks.shape[1] > blocks.shape[2]  # transposed, x @ x.mT is the smaller product
    blocks = blocks.mT if tall else blocks
    x: Tensor = (blocks / (blocks.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(dtype)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        change = torch.baddbmm(gram, gram, gram, beta=cubic, alpha=quintic)
        x = torch.baddbmm(x, change, x, beta=linear)
    return (x.mT if tall else x).to(blocks.dtype)


def polar_express(blocks: Tensor) -> Tensor:
    """Matrices (N, R, C) with all singular values above a hundredth of the largest changed to
    between about 0.7 and 1.3.

    Polar Express (Amsel et al. 2025) needs a bound of the largest singular
    value. The Frobenius norm exceeds it several times, which costs an iteration. The first
    iteration computes (x x')² in any case, and the fourth root of its norm is a close bound.
    """
    tall = blocks.shape[1] > blocks.shape[2]
    x: Tensor = blocks.mT if tall else blocks
    gram = x @ x.mT
    squares = gram.diagonal(dim1=1, dim2=2).sum(1)[:, None, None] + 1e-14  # of the Frobenius norm
    gram = gram / squares
    square = gram @ gram
    bound = SAFETY * square.norm(dim=(1, 2), keepdim=True).pow(0.25).clamp_min(1e-3)
    linear, cubic, quintic = POLAR_EXPRESS[0]
    change = (gram * (cubic / bound**3)).addcmul_(square, quintic / bound**5)
    change.diagonal(dim1=1, dim2=2).add_(linear / bound[:, 0])
    x = change.mul_(squares.rsqrt()) @ x
    for linear, cubic, quintic in POLAR_EXPRESS[1:]:
        gram = x @ x.mT
        change = torch.baddbmm(gram, gram, gram, beta=cubic, alpha=quintic)
        change.diagonal(dim1=1, dim2=2).add_(linear)
        x = change @ x
    return x.mT if tall else x
