"""The optimizer (Muon for matrices, AdamW for the rest), and the learning rate schedule."""

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from charrnn_cli.models.module import Model
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.settings.table import AVERAGED

MOMENTUM = 0.95  # Muon's momentum keeps this fraction at each step.
ITERATIONS = 5  # One update by Muon takes five Newton-Schulz iterations.
LINEAR_FALL = 0.7  # A linear schedule falls during this fraction of the run.
AVERAGED_END = 0.3  # The schedule `averaged` ends at this fraction of the learning rate.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # The Newton-Schulz polynomial: of x, x^3 and x^5.


class Optimizer:
    """Updates a model's parameters from their gradients.

    Muon (Jordan et al. 2024) updates a matrix by its momentum with all singular values made equal,
    so that no direction of the hidden state learns faster than another. Each block of the model's
    `matrices` is treated as one matrix. It is updated every `muon_interval` steps, with an update
    that many times as large. The root mean square of the updates does not depend on a matrix's
    shape (Liu et al. 2025), so one learning rate serves both methods. All other parameters, such as
    biases and the weights of characters, are updated by AdamW (Loshchilov and Hutter 2019).
    """

    def __init__(self, model: Model, config: TrainConfig) -> None:
        parameters = dict(model.named_parameters())
        self.blocks = model.config.matrices() if config.optimizer == "muon" else {}
        self.interval, self.rms = model.config.muon_interval, model.config.muon_rms
        self.matrices = {name: parameters[name] for name in self.blocks}
        self.momentum = {name: torch.zeros_like(p) for name, p in self.matrices.items()}
        self.others = {name: p for name, p in parameters.items() if name not in self.blocks}
        self.exp_avg = {name: torch.zeros_like(p) for name, p in self.others.items()}
        self.exp_avg_sq = {name: torch.zeros_like(p) for name, p in self.others.items()}
        self.steps = [torch.zeros((), device=p.device) for p in self.others.values()]
        self.weight_decay = config.weight_decay
        # float16's range is too narrow for the Newton-Schulz iterations
        self.dtype = torch.bfloat16 if config.precision == "bfloat16" else torch.float32

    def moves_matrices(self, step: int) -> bool:
        """Whether update number `step` changes Muon's matrices."""
        return step % self.interval == 0

    @torch.no_grad()
    def step(self, rate: Tensor, step: int) -> None:
        """Make update number `step`, from 0. `rate` is a scalar on the parameters' device."""
        self._adamw(rate)
        for name, parameter in self.matrices.items():
            assert parameter.grad is not None
            momentum = self.momentum[name].lerp_(parameter.grad, 1 - MOMENTUM)
            if not self.moves_matrices(step):
                continue
            ahead = parameter.grad.lerp(momentum, MOMENTUM)  # Nesterov momentum
            blocks = ahead.view(self.blocks[name], -1, parameter.shape[1])  # (N, rows, columns)
            update = orthogonalize(blocks, self.dtype).reshape(parameter.shape)
            size = max(blocks.shape[1:])  # an orthogonal block's root mean square is size**-0.5
            parameter.mul_(1 - self.interval * self.weight_decay * rate)
            parameter.sub_(update.mul_(self.interval * self.rms * size**0.5 * rate))

    def skip(self) -> None:
        """Count a step without an update: a resume sets AdamW's count to the number of steps."""
        for count in self.steps:
            count += 1

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Name and value of each tensor that a resume needs."""
        for moment in ("exp_avg", "exp_avg_sq", "momentum"):
            for name, values in getattr(self, moment).items():
                yield f"{moment}.{name}", values

    def restore(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Continue from the `tensors` of an optimizer after `step` steps."""
        for name, values in self.tensors():
            values.copy_(tensors[name])
        for count in self.steps:
            count.fill_(step)

    def _adamw(self, rate: Tensor) -> None:
        """PyTorch's AdamW as a function: its class imports the compiler, which takes a second."""
        gradients = [p.grad for p in self.others.values() if p.grad is not None]
        assert len(gradients) == len(self.others), "a parameter took no part in the loss"
        adamw(
            list(self.others.values()),
            gradients,
            list(self.exp_avg.values()),
            list(self.exp_avg_sq.values()),
            [],
            self.steps,
            fused=True,  # the default loops over tensors in Python
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
        )


def orthogonalize(blocks: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
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


def learning_rate(share: float, config: TrainConfig) -> float:
    """The learning rate when a fraction `share` of the run is done.

    After a linear warm-up, the schedule `cosine` falls to zero along half a cosine (Loshchilov and
    Hutter 2017), and `averaged` likewise to `AVERAGED_END`: the average of the weights takes the
    place of the rest. `linear` keeps the full rate, and falls linearly to zero over the last
    `LINEAR_FALL` of the run (Hägele et al. 2024).
    """
    if share < config.warmup:
        # never zero, so that the first step has an effect
        return config.learning_rate * max(0.01, share / config.warmup)
    if config.schedule == "linear":
        return config.learning_rate * min(1.0, max(0.0, 1 - share) / LINEAR_FALL)
    rest = (share - config.warmup) / (1 - config.warmup) if config.warmup < 1 else 1.0
    rate = config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, rest)))
    if config.schedule == AVERAGED:
        return AVERAGED_END * config.learning_rate + (1 - AVERAGED_END) * rate
    return rate
