"""The optimizer (Muon for matrices, AdamW for the rest), and the learning rate schedule."""

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from charrnn_cli.models.module import Model
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.settings.table import AVERAGED
from charrnn_cli.training.muon import Muon

LINEAR_FALL = 0.7  # A linear schedule falls during this fraction of the run.
AVERAGED_END = 0.3  # The schedule `averaged` ends at this fraction of the learning rate.


class Optimizer:
    """Updates a model's parameters from their gradients.

    Muon updates the model's `matrices`: no direction of the hidden state learns faster than
    another. Its updates are scaled so that one learning rate serves both methods. All other
    parameters, such as biases and the weights of characters, are updated by AdamW (Loshchilov and
    Hutter 2019).
    """

    def __init__(self, model: Model, config: TrainConfig) -> None:
        parameters = dict(model.named_parameters())
        matrices = model.config.matrices() if config.optimizer == "muon" else {}
        # float16's range is too narrow for the Newton-Schulz iterations
        dtype = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
        self.muon = Muon(
            {name: parameters[name] for name in matrices}, model.config, config.weight_decay, dtype
        )
        self.momentum = self.muon.momentum
        self.others = {name: p for name, p in parameters.items() if name not in matrices}
        self.exp_avg = {name: torch.zeros_like(p) for name, p in self.others.items()}
        self.exp_avg_sq = {name: torch.zeros_like(p) for name, p in self.others.items()}
        self.steps = [torch.zeros((), device=p.device) for p in self.others.values()]
        self.weight_decay = config.weight_decay

    def moves_matrices(self, step: int) -> bool:
        """Whether update number `step` changes Muon's matrices."""
        return self.muon.moves(step)

    @torch.no_grad()
    def step(self, rate: Tensor, step: int) -> None:
        """Make update number `step`, from 0. `rate` is a scalar on the parameters' device."""
        self._adamw(rate)
        self.muon.step(rate, step)

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
