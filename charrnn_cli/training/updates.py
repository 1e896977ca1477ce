"""The updates of a training run, each from one window of a batch's lanes."""

import math
import os
import time
from functools import partial

import torch
from torch import Tensor

from charrnn_cli.config import TrainConfig
from charrnn_cli.models.autocast import LossScale
from charrnn_cli.models.recurrent.model import CharRNN, Hidden
from charrnn_cli.training.cuda_graph import Replayed
from charrnn_cli.training.distributed.group import ALONE, Group
from charrnn_cli.training.gradients import compute_gradients
from charrnn_cli.training.optimizer import EVERY, Optimizer

AHEAD = 32  # updates that a GPU may be given before the losses of the first are read,
WAIT = 0.2  # and seconds that they may take: so long a stop or the end by the clock has to wait
NO_GRAPH = "CHARRNN_CUDA_GRAPH"  # set to 0, each operation is launched by itself

_SPREAD = 0x9E3779B97F4A7C15  # odd and large: seeds that are neighbours share no step's numbers


class NotFiniteError(Exception):
    """The loss or the gradient norm of an update is not finite; `kept`: it was not made."""

    def __init__(self, step: int, loss: float, grad_norm: float, *, kept: bool) -> None:
        super().__init__(f"loss {loss}, gradient norm {grad_norm}")
        self.step, self.kept = step, kept


class Updates:
    """Makes a run's updates, carries the state over, and tells the losses.

    A loss is read before its update is made, and what is not finite never reaches the weights.
    To wait for that at every step would cost a GPU more than the step: there, one process alone
    works `ahead`. Updates are made in any case, and what they reported is looked at up to `AHEAD`
    later, and before anything is saved or measured. All that such an update reads and writes stays
    where it is in memory, so that a GPU can replay it as one of two CUDA `graphs`: one moves Muon's
    matrices, the other does not.

    `hidden` is the state before the next window, a tensor (B, H) for each in the model's.
    """

    def __init__(
        self,
        model: CharRNN,
        optimizer: Optimizer,
        config: TrainConfig,
        lanes: int,
        group: Group = ALONE,
        *,
        ahead: bool | None = None,
    ) -> None:
        self.model, self.optimizer, self.config, self.group = model, optimizer, config, group
        self.hidden: Hidden = tuple(state.clone() for state in model.initial_hidden(lanes))
        device = self.hidden[0].device
        self.loss_scale = LossScale(config.precision, device)
        self.rate = torch.zeros((), device=device)
        self.grad_norm = 0.0  # the one read last
        sound = group.size == 1 and not self.loss_scale.needed
        self.ahead = sound and (device.type == "cuda" if ahead is None else ahead)
        shape = config.seq_length, lanes
        self._inputs, self._targets = torch.zeros((2, *shape), dtype=torch.int64, device=device)
        self._made: list[tuple[int, Tensor]] = []  # by number; loss and norm not yet looked at
        self._most, self._read_at = 1.0, time.monotonic()
        self.graphs: tuple[Replayed, Replayed] | None = None
        if self.ahead and device.type == "cuda" and os.environ.get(NO_GRAPH) != "0":
            stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            pool = torch.cuda.graph_pool_handle()
            self.graphs = Replayed(stream, pool), Replayed(stream, pool)

    def make(self, inputs: Tensor, targets: Tensor, rate: float, step: int) -> list[float]:
        """Update number `step`, the first being 0, from ids (T, B) and the characters after them.

        Returns the losses that are read by now, of this update and of those before it. Raises
        NotFiniteError.
        """
        # seeded by the step: no state of the generator has to be carried over a resume
        torch.manual_seed((self.config.random_seed * _SPREAD + step) % 2**63)
        self.rate.fill_(rate)
        self._inputs.copy_(inputs)
        self._targets.copy_(targets)
        if not self.ahead:
            return [self._make_and_read(step)]
        whole = partial(self._whole, step)
        pair = self.graphs[step % EVERY == 0](whole) if self.graphs else whole()
        self._made.append((step, pair.clone()))  # the next one writes to the same place
        return self.read() if len(self._made) >= self._most else []

    def read(self) -> list[float]:
        """Wait for all updates that were made; the losses that are not yet read. Raises
        NotFiniteError."""
        if not self._made:
            return []
        numbers = [step for step, _ in self._made]
        pairs = torch.stack([pair for _, pair in self._made]).tolist()
        self._made.clear()
        seconds = (time.monotonic() - self._read_at) / len(numbers)
        self._most = min(AHEAD, WAIT / max(seconds, 1e-9))
        self._read_at = time.monotonic()
        for step, (loss, grad_norm) in zip(numbers, pairs, strict=True):
            self._look_at(step, loss, grad_norm, kept=False)
        return [loss for loss, _ in pairs]

    def begin(self, hidden: Hidden | None = None) -> None:
        """Go on from that state, or from zeros."""
        for index, state in enumerate(self.hidden):
            if hidden is None:
                state.zero_()
            else:
                state.copy_(hidden[index])

    def _make_and_read(self, step: int) -> float:
        pair, hidden = self._gradients()
        loss, grad_norm = pair.tolist()
        if math.isfinite(loss) and self.loss_scale.overflowed(math.isfinite(grad_norm)):
            self.optimizer.skip()  # the next update has a smaller scale
            self.grad_norm = 0.0
        else:
            self._look_at(step, loss, grad_norm, kept=True)
            self.optimizer.step(self.rate, step)
        self.begin(hidden)  # carried over: the next window continues these lanes
        return float(loss)

    def _gradients(self) -> tuple[Tensor, Hidden]:
        """Loss and gradient norm as one tensor (2,), and the state after the window."""
        loss, grad_norm, hidden = compute_gradients(
            self.model,
            self._inputs,
            self._targets,
            self.hidden,
            self.config,
            self.loss_scale,
            self.group,
        )
        return torch.stack((loss, grad_norm)), hidden

    def _whole(self, step: int) -> Tensor:
        pair, hidden = self._gradients()
        self.optimizer.step(self.rate, step)
        self.begin(hidden)
        return pair

    def _look_at(self, step: int, loss: float, grad_norm: float, *, kept: bool) -> None:
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            raise NotFiniteError(step, loss, grad_norm, kept=kept)
        self.grad_norm = grad_norm
