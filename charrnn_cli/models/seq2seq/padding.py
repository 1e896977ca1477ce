"""Sources of different lengths in one batch: masks, ends, and reading from the end."""

from typing import NamedTuple

import torch
from torch import Tensor

from charrnn_cli.text.dataset import IGNORE


class Padded(NamedTuple):
    """A batch of sources (S, B) that are padded after their END.

    `ids` (S, B) have END in place of the padding. `real` (S, B) is false for padding, and `lengths`
    (B,) count what is not. `reverse` (S, B) are the steps at which each source is read backwards
    from its own end; the padding stays where it is.
    """

    ids: Tensor
    real: Tensor
    lengths: Tensor
    reverse: Tensor

    def reversed(self, values: Tensor) -> Tensor:
        """Ids (S, B) or vectors (S, B, W), each source from its end; its own inverse."""
        reverse = self.reverse
        if values.dim() == 3:
            reverse = reverse[:, :, None].expand_as(values)
        return values.gather(0, reverse)

    def last(self, outputs: Tensor) -> Tensor:
        """The outputs (B, H) at each source's last symbol, of outputs (S, B, H)."""
        rows = torch.arange(outputs.shape[1], device=outputs.device)
        return outputs[self.lengths - 1, rows]


def unpad(source: Tensor, end: int) -> Padded:
    """Sources (S, B), in which `IGNORE` is padding, with what is needed to read past it."""
    real = source != IGNORE
    lengths = real.sum(0)
    steps = torch.arange(len(source), device=source.device)[:, None]  # (S, 1)
    reverse = torch.where(real, lengths - 1 - steps, steps)
    return Padded(torch.where(real, source, end), real, lengths, reverse)
