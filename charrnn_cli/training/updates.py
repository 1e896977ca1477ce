"""The optimizer updates of a training run, each from one batch."""

import math
import os
import time
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from charrnn_cli.checkpoints.checkpoint import STATE
from charrnn_cli.models.autocast import LossScale, autocast
from charrnn_cli.models.decoder import Array
from charrnn_cli.models.module import Model
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.settings.table import AVERAGED
from charrnn_cli.text.dataset import IGNORE, Batch
from charrnn_cli.training.averaging import EvaluatedWeights
from charrnn_cli.training.cuda_graph import GraphedFunction, RecordingError
from charrnn_cli.training.distributed.group import ALONE, Group
from charrnn_cli.training.optimizer import Optimizer

MAX_AHEAD = 32  # At most so many updates are queued on a GPU before the first loss is read.
MAX_WAIT = 0.2  # The queued updates take at most so many seconds: a stop waits for them.
# The environment variable that turns CUDA graphs off if it is 0.
GRAPH_VARIABLE = "CHARRNN_CUDA_GRAPH"

# The names of a model's own weights in a checkpoint whose weights are an average.
UNAVERAGED = "optimizer.unaveraged."
# Random seeds are multiplied by this, so that runs with neighbouring seeds share no random numbers.
_SEED_FACTOR = 0x9E3779B97F4A7C15

State = dict[str, Tensor]
Shapes = tuple[torch.Size | None, ...]
"""Those of a batch's tensors."""


class NotFiniteError(Exception):
    """The loss or the gradient norm of an update is not finite.

    `step` is the update's number, from 0. `weights_unchanged` says whether it was skipped.
    """

    def __init__(
        self, step: int, loss: float, grad_norm: float, *, weights_unchanged: bool
    ) -> None:
        super().__init__(f"loss {loss}, gradient norm {grad_norm}")
        self.step, self.weights_unchanged = step, weights_unchanged


class Updates:
    """Makes a run's updates, carries the model's state from batch to batch, and returns the losses.

    By default a loss is checked before its update, so that one which is not finite never reaches
    the weights. On a GPU, waiting for the loss takes longer than the step. There, a single process
    works `ahead`: updates are queued, and their losses are checked at most `MAX_AHEAD` updates
    later, and always before a checkpoint or an evaluation. Such an update reads and writes fixed
    memory, so that it can be replayed as one of the CUDA `graphs`: two for each
    shape of batches, with and without Muon's update.

    `state` is the model's state before the next batch, by name (B, …), for `rows` batch rows.
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
        self.weights = EvaluatedWeights(model, averaged=config.schedule == AVERAGED)
        self.loss_scale = LossScale(config.precision, device)
        self.rate = torch.zeros((), device=device)
        self.grad_norm = 0.0  # before clipping; of the last update that was checked
        may_work_ahead = group.size == 1 and not self.loss_scale.needed
        self.ahead = may_work_ahead and (device.type == "cuda" if ahead is None else ahead)
        self._places: dict[Shapes, Batch] = {}  # what replayed updates read from
        self._pending: list[tuple[int, Tensor]] = []  # step; loss and norm, not checked yet
        self._max_pending, self._read_at = 1.0, time.monotonic()
        self._notes: list[str] = []
        self.graphs: dict[tuple[Shapes, bool], GraphedFunction] | None = None
        if self.ahead and device.type == "cuda" and os.environ.get(GRAPH_VARIABLE) != "0":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._pool = torch.cuda.graph_pool_handle()
            self.graphs = {}

    def step(self, batch: Batch, rate: float, step: int) -> list[float]:
        """Make update number `step`, counted from 0, from a batch of ids of any integer type.

        Returns the losses, in nats per character, of all updates that were checked in this call;
        there may be none. Raises NotFiniteError.
        """
        self._seed(step)
        self.rate.fill_(rate)
        if batch.fresh is not None:
            for values in self.state.values():
                values[batch.fresh] = 0.0
        if not self.ahead:
            loss = self._step_and_read(_as_int64(batch), step)
            self.weights.add()
            return [loss]
        update = partial(self._step_unread, self._in_place(batch), step)
        pair = self._replay(update, batch, step)
        self.weights.add()
        self._pending.append((step, pair.clone()))  # the next one writes to the same place
        return self.read_losses() if len(self._pending) >= self._max_pending else []

    def take_notes(self) -> list[str]:
        """What the user should know of the updates so far, in sentences; each is given once."""
        notes, self._notes = self._notes, []
        return notes

    def read_losses(self) -> list[float]:
        """Wait for all queued updates and return their losses, in nats per character.

        Raises NotFiniteError.
        """
        if not self._pending:
            return []
        steps = [step for step, _ in self._pending]
        pairs = torch.stack([pair for _, pair in self._pending]).tolist()
        self._pending.clear()
        seconds = (time.monotonic() - self._read_at) / len(steps)
        self._max_pending = min(MAX_AHEAD, MAX_WAIT / max(seconds, 1e-9))
        self._read_at = time.monotonic()
        for step, (loss, grad_norm) in zip(steps, pairs, strict=True):
            self._check_finite(step, loss, grad_norm, weights_unchanged=False)
        return [loss for loss, _ in pairs]

    def set_state(self, state: State | None = None) -> None:
        """Continue from a state; None is the initial state, zeros."""
        for name, values in self.state.items():
            if state is None:
                values.zero_()
            else:
                values.copy_(state[name])

    def evaluated_weights(self) -> dict[str, Array]:
        """The weights that are evaluated and stored, by name."""
        return {name: array(values) for name, values in self.weights.values.items()}

    def stored(self) -> dict[str, Array]:
        """The tensors that a resume needs besides the weights, for all processes' batch rows."""
        tensors = {f"optimizer.{name}": array(t) for name, t in self.optimizer.tensors()}
        for name, values in self.weights.last_step().items():
            tensors[f"{UNAVERAGED}{name}"] = array(values)
        for name, state in self.state.items():
            tensors[f"{STATE}{name}"] = array(self.group.gather(state, self.config.batch_size))
        if self.loss_scale.needed:
            tensors["loss_scale"] = self.loss_scale.state()
        return tensors

    def restore(self, stored: Mapping[str, Array], rows: slice, step: int) -> None:
        """Continue from what was `stored` of updates whose optimizer made `step` steps; this
        process trains on these batch `rows`."""
        device = self.rate.device
        tensors = {name: torch.tensor(values, device=device) for name, values in stored.items()}
        self.set_state({name: tensors[f"{STATE}{name}"][rows] for name in self.state})
        last_step = {name: tensors[f"{UNAVERAGED}{name}"] for name in self.weights.last_step()}
        self.weights.restore(last_step, step)
        if self.loss_scale.needed:
            self.loss_scale.restore(stored["loss_scale"])
        self.optimizer.restore(
            {name.removeprefix("optimizer."): values for name, values in tensors.items()}, step
        )

    def _step_and_read(self, batch: Batch, step: int) -> float:
        pair, state = self._gradients(batch)
        loss, grad_norm = pair.tolist()
        if math.isfinite(loss) and self.loss_scale.adjust(finite=math.isfinite(grad_norm)):
            self.optimizer.skip()  # the scale is now smaller
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
        """Compute gradients; return loss and gradient norm (2,), and the state after the batch."""
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
            self.graphs[kind] = GraphedFunction(self._stream, self._pool)
        try:
            return self.graphs[kind](update)
        except RecordingError as error:
            self.graphs = None
            self._notes.append(
                f"Note: the GPU cannot record an update as a CUDA graph ({error}). The training "
                f"goes on without graphs, slower; {GRAPH_VARIABLE}=0 does so from its start."
            )
        self._seed(step)  # what was recorded may have drawn random numbers
        return update()

    def _seed(self, step: int) -> None:
        # seeded by the step: a resume needs no state of the random generator
        torch.manual_seed((self.config.random_seed * _SEED_FACTOR + step) % 2**63)

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
    """Set the parameters' gradients to those of the mean loss over a batch, clipped.

    With label smoothing (Szegedy et al. 2016) they are those of the smoothed loss.

    `batch` holds int64 ids (T, B) of this process's batch rows; `state` is the state before it.
    Returns the loss in nats per character, the norm before clipping, and the new state, detached.
    """
    model.zero_grad(set_to_none=True)
    # a process whose rows are all padding, while those of others are not, has no mean
    reduction = "mean" if batch.share else "sum"
    with autocast(config.precision, batch.inputs.device):
        logits, state = model(batch, state)
        cross_entropy = partial(
            nn.functional.cross_entropy,
            target=batch.targets.flatten(),
            ignore_index=IGNORE,
            reduction=reduction,
        )
        logits = logits.flatten(0, 1)
        loss = smoothed = cross_entropy(logits)
        if config.label_smoothing:
            smoothed = cross_entropy(logits, label_smoothing=config.label_smoothing)
    (smoothed * loss_scale.value).backward()  # type: ignore[no-untyped-call]
    parameters = list(model.parameters())
    loss_scale.unscale_([p.grad for p in parameters if p.grad is not None])
    loss = group.average(loss.detach(), parameters, batch.share)
    norm = nn.utils.clip_grad_norm_(parameters, config.grad_clip)
    return loss, norm, {name: values.detach() for name, values in state.items()}


def array(tensor: Tensor) -> Array:
    """A copy of a tensor as a checkpoint stores it, float32."""
    values: Array = tensor.detach().float().cpu().numpy()
    return values.copy()


def _shapes(batch: Batch) -> Shapes:
    return tuple(None if ids is None else ids.shape for ids in batch[:3])


def _as_int64(batch: Batch) -> Batch:
    """A copy of the batch as int64, the type that PyTorch's look-ups and losses require."""
    inputs, targets, source = (
        None
        if ids is None
        else ids.to(torch.int64, memory_format=torch.contiguous_format, copy=True)
        for ids in batch[:3]
    )
    return Batch(inputs, targets, source, batch.share)
