"""Dynamic evaluation: a model that is trained further on the text that it is measured on."""

import contextlib
import os
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.models.weights import trained_model
from charrnn_cli.scoring.surprisal import Bits, Ids
from charrnn_cli.text.dataset import Batch

SEGMENT = 32  # After each segment of so many characters, the weights are updated.
# The learning rate. It gains much on foreign text, and is near the best on text like the training
# text.
RATE = 2e-3
# After each segment, the weights are moved back by this fraction of the way to the checkpoint's.
DECAY = 1e-3


class AdaptiveMeter:
    """Measures the surprisal of a text, and trains the model on each segment after measuring it.

    After each segment, each weight takes a gradient step, divided by the root mean square of its
    gradients so far, and decays towards its initial value. This is the RMS variant of Krause,
    Kahembwe, Murray and Renals (2018), except that the mean square is taken over the measured text,
    since the training text is not available. The checkpoint's own weights are not changed.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        rate: float = RATE,
        decay: float = DECAY,
        segment: int = SEGMENT,
    ) -> None:
        self.model = trained_model(checkpoint.model, checkpoint.weights, device)
        self.device, self.rate, self.decay, self.segment = device, rate, decay, segment
        self.weights = list(self.model.parameters())
        self.start = [weight.detach().clone() for weight in self.weights]
        self.squares = [torch.zeros_like(weight) for weight in self.weights]
        self.updates = 0
        context = checkpoint.model.context
        self.before = 0 if context is None else context // 2  # characters read before a segment
        if context is not None:
            self.segment = min(segment, context - self.before)
        self.newline = checkpoint.vocabulary.id_of("\n") if checkpoint.train.lines else None
        self.restart()

    def restart(self) -> None:
        """See `surprisal.Meter`; what was learned is kept. The lines of a list begin after a
        newline, each from a state of zero."""
        self.state = self.model.initial_state(1)
        # the characters before the next block
        self.last: Ids = np.array([] if self.newline is None else [self.newline], np.int64)

    def bits(self, ids: Ids) -> Bits:
        """See `surprisal.Meter`."""
        with _one_thread(self.device):
            return self._bits(ids)

    def _bits(self, ids: Ids) -> Bits:
        if self.newline is not None:
            ends = np.append(np.flatnonzero(ids == self.newline) + 1, len(ids))
            lines = np.split(ids, ends[:-1])
            return np.concatenate([self._line(line) for line in lines])
        return self._text(ids)

    def _line(self, ids: Ids) -> Bits:
        """The surprisal of a line of a list, or of a part of one."""
        bits = self._text(ids)
        if len(ids) and ids[-1] == self.newline:
            self.restart()
        return bits

    def _text(self, ids: Ids) -> Bits:
        text = np.concatenate([self.last, ids])
        bits = np.full(len(ids), np.nan)
        first = len(ids) - len(text)  # index in `bits` of the first character of `text`
        for begin in range(max(0, len(self.last) - 1), len(text) - 1, self.segment):
            end = min(begin + self.segment, len(text) - 1)
            read = text[max(0, begin - self.before) : end + 1]
            bits[first + begin + 1 : first + end + 1] = self._segment(read, end - begin)
        self.last = text[max(0, len(text) - 1 - self.before) :]
        return bits

    def _segment(self, ids: Ids, new: int) -> Bits:
        """Measure the last `new` of ids (T+1,) in bits, then train the model on them."""
        row = torch.from_numpy(ids).to(self.device)
        logits, state = self.model(Batch(row[:-1, None], row[1:, None]), self.state)
        losses = nn.functional.cross_entropy(logits[-new:, 0], row[-new:], reduction="none")
        gradients = torch.autograd.grad(losses.mean(), self.weights)
        # carried over: the next segment continues the text
        self.state = {name: values.detach() for name, values in state.items()}
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
            # weights with large gradients decay faster
            back = (self.decay / (scale + 1e-12) * mean).clamp(max=1)
            weight.lerp_(start, back)
            weight.sub_(self.rate * gradient / (mean + 1e-8))


@contextlib.contextmanager
def _one_thread(device: torch.device) -> Iterator[None]:
    """Use one thread of a CPU: for a single row, threads wait for each other longer than they work.
    A number that the environment asks for is kept."""
    threads = torch.get_num_threads()
    if device.type != "cpu" or "OMP_NUM_THREADS" in os.environ:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
