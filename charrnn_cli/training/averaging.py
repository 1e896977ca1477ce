"""The weights that a run evaluates and stores: those of its last step, or an average of its last
ones, which loses less than any one step's while the learning rate is high."""

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
            torch._foreach_lerp_(list(self.values.values()), list(self.parameters.values()), share)

    @property
    def averages(self) -> Iterable[Tensor]:
        """The averaged weights, if they are not the model's own."""
        return self.values.values() if self.averaged else ()

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """Within it, the model has these weights, and afterwards its own again."""
        if not self.averaged:
            yield
            return
        own = {name: p.clone() for name, p in self.parameters.items()}
        self._give(self.values)
        try:
            yield
        finally:
            self._give(own)

    def tensors(self) -> dict[str, Tensor]:
        """What a resume needs besides these weights: the last step's, if these are averaged."""
        return self.parameters if self.averaged else {}

    def restore(self, tensors: Mapping[str, Tensor], steps: int) -> None:
        """Continue from the `tensors` after so many steps; the model has the averaged weights."""
        if self.averaged:
            self.steps = steps
            self._give(tensors)

    def _give(self, values: Mapping[str, Tensor]) -> None:
        for name, parameter in self.parameters.items():
            parameter.copy_(values[name])
