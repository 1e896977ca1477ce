"""The weights that a run evaluates and stores: those of its last step, or an average over all
steps, above all the last ones. While the learning rate is high, the average has a lower loss than
the weights of any one step."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from charrnn_cli.models.module import Model

POWER = 8  # The weights of step t count as t**POWER: half of the average is of the last 7 %.


class EvaluatedWeights:
    """A model's weights; if `averaged`, over its steps, `values` by parameter name.

    Later steps count more (polynomial-decay averaging, Shamir and Zhang 2013), and a step's share
    does not depend on when the run ends.
    """

    def __init__(self, model: Model, averaged: bool) -> None:
        self.averaged, self.steps = averaged, 0
        self.parameters = {name: p.detach() for name, p in model.named_parameters()}
        self.values = self.parameters
        if averaged:
            self.values = {name: p.clone() for name, p in self.parameters.items()}

    def add(self) -> None:
        """Add the model's weights after a step."""
        if self.averaged:
            self.steps += 1
            share = (POWER + 1) / (POWER + self.steps)
            # not public, but PyTorch's own averaging (torch.optim.swa_utils) calls it: one call for
            # all parameters, where on a GPU a loop of `lerp_` would start a kernel for each
            torch._foreach_lerp_(list(self.values.values()), list(self.parameters.values()), share)

    @property
    def averages(self) -> Iterable[Tensor]:
        """The averaged weights, if they are not the model's own."""
        return self.values.values() if self.averaged else ()

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """Within it, the model has these weights, and afterwards those of its last step again."""
        if not self.averaged:
            yield
            return
        last_step = {name: p.clone() for name, p in self.parameters.items()}
        self._give(self.values)
        try:
            yield
        finally:
            self._give(last_step)

    def last_step(self) -> dict[str, Tensor]:
        """The weights of the last step, which a resume needs besides an average; empty if these
        weights are not averaged."""
        return self.parameters if self.averaged else {}

    def restore(self, last_step: Mapping[str, Tensor], steps: int) -> None:
        """Continue after so many steps, from the weights of `last_step`; the model has the averaged
        ones."""
        if self.averaged:
            self.steps = steps
            self._give(last_step)

    def _give(self, values: Mapping[str, Tensor]) -> None:
        for name, parameter in self.parameters.items():
            parameter.copy_(values[name])
