"""Dynamic evaluation: a model that goes on learning from the text that it is measured on."""

import numpy as np
import torch
from torch import nn

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.models.recurrent.model import CharRNN, detach, load_weights
from charrnn_cli.scoring.surprisal import Bits, Ids

SEGMENT = 32  # characters measured, and then learned from, at a time
RATE = 2e-3  # gains much on foreign text, and hardly less than any other rate on its own kind
DECAY = 1e-3  # part of the way back to where it began, after each segment


class AdaptiveMeter:
    """Measures the surprise of a text while the model learns it, each segment once it was measured.

    After each segment every weight takes a gradient step, scaled by the root mean square of its
    gradients so far, and goes back a little towards where it began: the RMS variant of Krause,
    Kahembwe, Murray and Renals (2018), with the mean taken over the text itself, since that which
    the model was trained on is not at hand. The checkpoint's own weights are not changed.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        rate: float = RATE,
        decay: float = DECAY,
        segment: int = SEGMENT,
    ) -> None:
        self.model = CharRNN(checkpoint.model)
        load_weights(self.model, checkpoint.weights)
        self.model.to(device).eval()
        self.device, self.rate, self.decay, self.segment = device, rate, decay, segment
        self.weights = list(self.model.parameters())
        self.start = [weight.detach().clone() for weight in self.weights]
        self.squares = [torch.zeros_like(weight) for weight in self.weights]
        self.updates = 0
        self.hidden = self.model.initial_hidden(1)
        self.last: Ids = np.empty(0, np.int64)  # the character before the next block

    def bits(self, ids: Ids) -> Bits:
        """See `surprise.Meter`."""
        text = np.concatenate([self.last, ids])
        bits = np.full(len(ids), np.nan)
        first = len(ids) - len(text) + 1
        for begin in range(0, len(text) - 1, self.segment):
            part = text[begin : begin + self.segment + 1]
            bits[first + begin : first + begin + len(part) - 1] = self._segment(part)
        self.last = text[-1:]
        return bits

    def _segment(self, ids: Ids) -> Bits:
        """The bits (T,) of all but the first of ids (T+1,); the model has then learned them."""
        row = torch.from_numpy(ids).to(self.device)
        logits, hidden = self.model(row[:-1, None], self.hidden)
        losses = nn.functional.cross_entropy(logits[:, 0], row[1:], reduction="none")
        gradients = torch.autograd.grad(losses.mean(), self.weights)
        self.hidden = detach(hidden)  # carried over: the next segment continues the text
        self._learn(gradients)
        bits: Bits = losses.detach().double().cpu().numpy() / np.log(2)
        return bits

    @torch.no_grad()
    def _learn(self, gradients: tuple[torch.Tensor, ...]) -> None:
        self.updates += 1
        torch._foreach_addcmul_(self.squares, gradients, gradients)
        root = torch._foreach_sqrt(torch._foreach_div(self.squares, self.updates))
        total = sum(part.sum() for part in root)
        scale = total / sum(part.numel() for part in root)
        for weight, start, gradient, mean in zip(
            self.weights, self.start, gradients, root, strict=True
        ):
            # back towards the start, the faster the more a weight is used
            back = (self.decay / (scale + 1e-12) * mean).clamp(max=1)
            weight.lerp_(start, back)
            weight.sub_(self.rate * gradient / (mean + 1e-8))
