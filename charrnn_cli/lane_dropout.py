"""Dropout that does not depend on how many processes share a batch."""

from torch import Tensor, nn


class LaneDropout(nn.Module):
    """Dropout on some lanes of a batch, by the masks that a single process draws for all of it.

    Each process draws all of them: a few percent of a step of one process, however many there are.
    """

    def __init__(self, p: float, batch_size: int, lanes: slice) -> None:
        super().__init__()
        self.p, self.batch_size, self.lanes = p, batch_size, lanes

    def forward(self, values: Tensor) -> Tensor:
        """Drop some of values (T, B, H) of this process's lanes, in training."""
        if not self.training or not self.p:
            return values
        steps, _, units = values.shape
        # random numbers are drawn in the order of memory, which is the layer's: H first, or B
        if values.stride(1) > values.stride(2):
            ones = values.new_ones(steps, self.batch_size, units)
        else:
            ones = values.new_ones(steps, units, self.batch_size).transpose(1, 2)
        return values * nn.functional.dropout(ones, self.p)[:, self.lanes]
