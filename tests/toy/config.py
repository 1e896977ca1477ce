"""A toy: its state is a memory of what was read that fades by half at each character."""

from dataclasses import dataclass

from charrnn_cli.models.base import ModelConfig


@dataclass(frozen=True)
class ToyConfig(ModelConfig):
    def parameter_shapes(self):
        table = (self.vocabulary_size, self.hidden_size)
        return {"table.weight": table, "head.weight": table, "head.bias": table[:1]}

    def state_shapes(self, batch_size):
        return {"memory": (batch_size, self.hidden_size)}

    def vocabulary_axes(self):
        return dict.fromkeys(self.parameter_shapes(), 0)
