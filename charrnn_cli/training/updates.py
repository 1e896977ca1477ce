"""The updates of a training run, each from one batch."""

import math
import os
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from charrnn_cli.config import TrainConfig
from charrnn_cli.models.autocast import LossScale, autocast
from charrnn_cli.models.module import Model
from charrnn_cli.text.dataset import IGNORE, Batch
from charrnn_cli.training.cuda_graph import Replayed
from charrnn_cli.training.distributed.group import ALONE, Group
from charrnn_cli.training.optimizer import Optimizer

MAX_AHEAD = 32  # updates that a GPU may be given before the loss of the first is read
MAX_WAIT = 0.2  # seconds that those updates may take: a stop has to wait for them
NO_GRAPH = "CHARRNN_CUDA_GRAPH"  # environment variable: 0 launches each operation by itself

_SPREAD = 0x9E3779B97F4A7C15  # odd and large: neighbouring seeds share no step's random numbers

State = dict[str, Tensor]
Shapes = tuple[torch.Size | None, ...]
"""Those of a batch's tensors."""


class NotFiniteError(Exception):
    """The loss or the gradient norm of an update is not finite. `weights_unchanged` says whether
    the update was left out for it."""

    def __init__(
        self, step: int, loss: float, grad_norm: float, *, weights_unchanged: bool
    ) -> None:
        super().__init__(f"loss {loss}, gradient norm {grad_norm}")
        self.step, self.weights_unchanged = step, weights_unchanged


class Updates:
    """Makes a run's updates, carries the model's state over, and returns the losses.

    A loss is read before its update is made, and what is not finite never reaches the weights.
    Waiting for it at every step would cost a GPU more than the step: there, a single process works
    `ahead`. Updates are made in any case, and their losses are checked up to `MAX_AHEAD` updates
    later, and before anything is saved or measured. All that such an update reads and writes stays
    where it is in memory, so that a GPU can replay it as one of the CUDA `graphs`: one for each
    shape of batches, for updates that move Muon's matrices and for those that do not.

    `state` is the model's before the next batch, by name (B, …), of `rows` batch rows.
    """

    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        config: TrainConfig,
        rows: int,
        group: Group = ALONE,
        *,
        ahead: bool | None = None,
    ) -> None:
        self.model, self.optimizer, self.config, self.group = model, optimizer, config, group
        self.state: State = {
            name: values.clone() for name, values in model.initial_state(rows).items()
        }
        device = next(model.parameters()).device
        self.loss_scale = LossScale(config.precision, device)
        self.rate = torch.zeros((), device=device)
        self.grad_norm = 0.0  # of the update whose loss was read last
        may_work_ahead = group.size == 1 and not self.loss_scale.needed
        self.ahead = may_work_ahead and (device.type == "cuda" if ahead is None else ahead)
        self._places: dict[Shapes, Batch] = {}  # what replayed updates read from
        self._made: list[tuple[int, Tensor]] = []  # step; loss and norm, not checked yet
        self._most, self._read_at = 1.0, time.monotonic()
        self.graphs: dict[tuple[Shapes, bool], Replayed] | None = None
        if self.ahead and device.type == "cuda" and os.environ.get(NO_GRAPH) != "0":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._pool = torch.cuda.graph_pool_handle()
            self.graphs = {}

    def step(self, batch: Batch, rate: float, step: int) -> list[float]:
        """Make update number `step`, the first being 0, from a batch of ids of any integer type.

        Returns the losses, in nats per character, that are read by now: of this update and of those
        before it. Raises NotFiniteError.
        """
        # seeded by the step: no state of the generator has to be carried over a resume
        torch.manual_seed((self.config.random_seed * _SPREAD + step) % 2**63)
        self.rate.fill_(rate)
        if not self.ahead:
            return [self._step_and_read(_as_int64(batch), step)]
        update = partial(self._step_unread, self._in_place(batch), step)
        pair = self._replay(update, batch, step)
        self._made.append((step, pair.clone()))  # the next one writes to the same place
        return self.read_losses() if len(self._made) >= self._most else []

    def read_losses(self) -> list[float]:
        """Wait for all updates that were made; return the losses that were not read yet.

        Raises NotFiniteError.
        """
        if not self._made:
            return []
        steps = [step for step, _ in self._made]
        pairs = torch.stack([pair for _, pair in self._made]).tolist()
        self._made.clear()
        seconds = (time.monotonic() - self._read_at) / len(steps)
        self._most = min(MAX_AHEAD, MAX_WAIT / max(seconds, 1e-9))
        self._read_at = time.monotonic()
        for step, (loss, grad_norm) in zip(steps, pairs, strict=True):
            self._check_finite(step, loss, grad_norm, weights_unchanged=False)
        return [loss for loss, _ in pairs]

    def set_state(self, state: State | None = None) -> None:
        """Go on from a state, or from zeros."""
        for name, values in self.state.items():
            if state is None:
                values.zero_()
            else:
                values.copy_(state[name])

    def _step_and_read(self, batch: Batch, step: int) -> float:
        pair, state = self._gradients(batch)
        loss, grad_norm = pair.tolist()
        if math.isfinite(loss) and self.loss_scale.adjust(finite=math.isfinite(grad_norm)):
            self.optimizer.skip()  # the next update has a smaller scale
            self.grad_norm = 0.0
        else:
            self._check_finite(step, loss, grad_norm, weights_unchanged=True)
            self.optimizer.step(self.rate, step)
        self.set_state(state)  # carried over: the next batch continues these rows
        return float(loss)

    def _step_unread(self, batch: Batch, step: int) -> Tensor:
        pair, state = self._gradients(batch)
        self.optimizer.step(self.rate, step)
        self.set_state(state)
        return pair

    def _gradients(self, batch: Batch) -> tuple[Tensor, State]:
        """Loss and gradient norm as one tensor (2,), and the state after the batch."""
        loss, grad_norm, state = compute_gradients(
            self.model, batch, self.state, self.config, self.loss_scale, self.group
        )
        return torch.stack((loss, grad_norm)), state

    def _in_place(self, batch: Batch) -> Batch:
        """The batch copied to where the last one of its shapes was: there a graph reads it."""
        shapes = _shapes(batch)
        if shapes not in self._places:
            self._places[shapes] = _as_int64(batch)
            return self._places[shapes]
        place = self._places[shapes]
        for values, new in zip(place[:3], batch[:3], strict=True):
            if values is not None:
                values.copy_(new)
        return place

    def _replay(self, update: Callable[[], Tensor], batch: Batch, step: int) -> Tensor:
        """The result of an update, which a GPU replays if it has made one like it."""
        if self.graphs is None:
            return update()
        kind = _shapes(batch), self.optimizer.moves_matrices(step)
        if kind not in self.graphs:
            self.graphs[kind] = Replayed(self._stream, self._pool)
        return self.graphs[kind](update)

    def _check_finite(
        self, step: int, loss: float, grad_norm: float, *, weights_unchanged: bool
    ) -> None:
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            raise NotFiniteError(step, loss, grad_norm, weights_unchanged=weights_unchanged)
        self.grad_norm = grad_norm


def compute_gradients(
    model: Model,
    batch: Batch,
    state: State,
    config: TrainConfig,
    loss_scale: LossScale,
    group: Group = ALONE,
) -> tuple[Tensor, Tensor, State]:
    """Give the parameters the gradients of the mean loss over a batch, clipped; return that loss,
    the norm before clipping, and the state after the batch, detached.

    `batch` holds ids (T, B), int64, of this process's rows, `state` is the state before.
    """
    model.zero_grad(set_to_none=True)
    with autocast(config.precision, batch.inputs.device):
        logits, state = model(batch, state)
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORE
        )
    (loss * loss_scale.value).backward()  # type: ignore[no-untyped-call]
    parameters = list(model.parameters())
    loss_scale.unscale_([p.grad for p in parameters if p.grad is not None])
    loss = group.average(loss.detach(), parameters, batch.share)
    norm = nn.utils.clip_grad_norm_(parameters, config.grad_clip)
    return loss, norm, {name: values.detach() for name, values in state.items()}


def _shapes(batch: Batch) -> Shapes:
    return tuple(None if ids is None else ids.shape for ids in batch[:3])


def _as_int64(batch: Batch) -> Batch:
    """A copy of the batch in the type that PyTorch's look-ups and losses want."""
    inputs, targets, source = (
        None
        if ids is None
        else ids.to(torch.int64, memory_format=torch.contiguous_format, copy=True)
        for ids in batch[:3]
    )
    return Batch(inputs, targets, source, batch.share)
