"""The contract of a PyTorch model."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from charrnn_cli.models.base import ModelConfig
from charrnn_cli.text.dataset import Batch


class Model(nn.Module, ABC):
    """A character-level language model.

    Parameter names and shapes are `config.parameter_shapes()`.

    Subclasses use `models.dropout.Dropout`, whose masks are the same for any number of processes.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """The state before any character: zeros, shaped as in `config.state_shapes`."""
        like = next(self.parameters())
        shapes = self.config.state_shapes(batch_size)
        return {name: like.new_zeros(shape) for name, shape in shapes.items()}

    @abstractmethod
    def forward(self, batch: Batch, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (T, B, V) for the character after each of `batch.inputs` (T, B), and the state
        after the last."""
