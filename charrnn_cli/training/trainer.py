"""The training loop, as a generator of events: it learns, measures, saves, and never prints."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from charrnn_cli.checkpoints.checkpoint import Array, Checkpoint, CorpusInfo, Progress
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.config import TrainConfig
from charrnn_cli.errors import DivergedError
from charrnn_cli.models.device import device_name, memory_limit
from charrnn_cli.models.recurrent.model import CharRNN
from charrnn_cli.settings import SAVE_EVERY
from charrnn_cli.text.corpus import Corpus, steps_per_epoch
from charrnn_cli.training.baselines import Marks
from charrnn_cli.training.batches import Windows
from charrnn_cli.training.distributed.group import ALONE, Group
from charrnn_cli.training.evaluation import held_out_loss
from charrnn_cli.training.events import Evaluated, Event, Finished, Stepped
from charrnn_cli.training.optimizer import Optimizer
from charrnn_cli.training.planning import planned_steps
from charrnn_cli.training.schedule import learning_rate
from charrnn_cli.training.updates import NotFiniteError, Updates

# of an evaluation, in a checkpoint: what equal runs have equal
_REMEMBERED = ("step", "epoch", "train_loss", "val_loss", "learning_rate", "grad_norm")
MAX_HISTORY = 20_000  # evaluations that a checkpoint remembers: more would outgrow its header


class Trainer:
    """One run's training: a model, its optimizer, its place in the text.

    `started` is the `time.monotonic()` from which a time limit counts. `save_every` is the longest
    time between two saves, in seconds. `resumed` is the checkpoint whose training state goes on;
    without it the model is trained as it is. Each process of a `group` has a Trainer of its own
    lanes; all models stay equal.
    """

    def __init__(
        self,
        model: CharRNN,
        corpus: Corpus,
        config: TrainConfig,
        run: Run,
        *,
        started: float,
        save_every: float = SAVE_EVERY,
        resumed: Checkpoint | None = None,
        group: Group = ALONE,
    ) -> None:
        self.model, self.corpus, self.config, self.run = model, corpus, config, run
        self.group, self.lanes = group, group.lanes(config.batch_size)
        self.device = next(model.parameters()).device
        self.train_ids, self.held_out_ids = corpus.split(config.val_fraction)
        sizes = len(self.train_ids), config.batch_size, config.seq_length
        self.epoch_steps = steps_per_epoch(*sizes)
        self.total_steps = math.inf
        if config.epochs is not None:
            self.total_steps = planned_steps(config.epochs, self.epoch_steps)
        self.optimizer = Optimizer(model, config)
        model.dropout = group.dropout(model.config.dropout, config.batch_size)
        group.align(model.parameters())
        lanes = self.lanes.stop - self.lanes.start
        self.updates = Updates(model, self.optimizer, config, lanes, group)
        self.rate = 0.0  # of the last update
        self.progress = Progress()
        self.history: tuple[dict[str, float], ...] = ()
        self.marks: Marks | None = None  # those of the text, for the checkpoints to carry
        self.started, self.save_every = started, save_every
        self.reserve = 1.0  # seconds of a time limit for the last evaluation; measured later
        self.start_up = 0.0  # seconds before the first step: they are no part of the schedule
        self.seconds_before = 0.0  # spent on the run in earlier sessions
        self._share_of_time = group.of_first(self._own_share_of_time)
        if resumed is not None:
            self._restore(resumed)

    def steps(self, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """Train to the end, yielding every step and evaluation; the last event is Finished.

        Saves `last` when `should_stop` says so after a step, and then ends. Raises DivergedError
        when a loss or gradient is not finite and MemoryLimitError when memory runs out; the weights
        in the files are sound in either case.
        """
        with memory_limit(self.config):
            yield from self._steps(should_stop)

    def _steps(self, should_stop: Callable[[], bool]) -> Iterator[Event]:
        config = self.config
        self.model.train()
        evaluated_at = saved_at = time.monotonic()
        evaluated_step = self.progress.step
        should_stop = self.group.any(should_stop)
        since_save = self.group.of_first(lambda: time.monotonic() - saved_at)
        epoch_read = None
        if not self.progress.step:
            self.start_up = self.seconds()
        self.group.listen()
        reason: Literal["complete", "patience", "stopped"] = "complete"
        # not by the clock yet: however short the time, a step is made and measured
        ended = self.progress.step >= self.total_steps
        while not ended:
            epoch, index = divmod(self.progress.step, self.epoch_steps)
            if epoch_read != epoch:
                windows = Windows(self.train_ids, config, epoch, self.lanes, self.device)
                epoch_read = epoch
            if index == 0:
                self.updates.begin()
            self.rate = learning_rate(self.share_done(), config)
            loss = self._count(
                partial(self.updates.make, *windows[index], self.rate, self.progress.step)
            )
            step = self.progress.step + 1
            self._advance(step=step, epoch=step / self.epoch_steps)
            ended = self.share_done() >= 1  # decided once: by the clock it may end at any moment
            yield Stepped(step, loss, min(1.0, self.share_done()))

            if step % config.eval_every == 0 or ended:
                self._count(self.updates.read)
                now = time.monotonic()
                steps = step - evaluated_step
                speed = steps * config.batch_size * config.seq_length / (now - evaluated_at)
                yield self._evaluate(speed, ended)
                evaluated_at = saved_at = time.monotonic()
                evaluated_step = step
                self.reserve = 0.1 + 1.2 * (evaluated_at - now)
                if self.progress.finished and not ended:
                    reason = "patience"
                    break
            elif since_save() >= self.save_every:
                self._save_last()
                saved_at = time.monotonic()
            if should_stop() and not ended:
                reason = "stopped"
                break
        if reason == "stopped":  # else the last evaluation has saved it, complete
            self._save_last()
        yield Finished(reason, self.progress)

    def share_done(self) -> float:
        """The part of the run that is done: of its steps or of its time, whichever is more."""
        return max(self.progress.step / self.total_steps, self._share_of_time())

    def _own_share_of_time(self) -> float:
        """The part of a time limit that is spent, by the clock of this process."""
        if self.config.minutes is None:
            return 0.0
        allowed = 60 * self.config.minutes - self.reserve - self.start_up
        return (self.seconds() - self.start_up) / max(1e-9, allowed)

    def seconds(self) -> float:
        """Seconds spent on the run, earlier sessions included."""
        return self.seconds_before + time.monotonic() - self.started

    def checkpoint(self, *, training: bool) -> Checkpoint:
        """The run as it is now, with or without what only a resume needs."""
        progress = self.progress
        if self.config.minutes is not None:
            progress = dataclasses.replace(progress, seconds=self.seconds())
        # only for --resume here: the file that people share tells nobody's folders
        path = self.corpus.path if training else None
        return Checkpoint(
            model=self.model.config,
            train=self.config,
            vocabulary=self.corpus.vocabulary,
            corpus=CorpusInfo(
                Path(self.corpus.name).name, self.corpus.sha256, len(self.corpus.ids), path
            ),
            progress=progress,
            weights={name: _array(p) for name, p in self.model.named_parameters()},
            training=self._training_state() if training else {},
            history=self.history,
            torch_version=torch.__version__,
            threads=torch.get_num_threads() if self.group.size == 1 else 0,
            device=device_name(self.device),
            marks=self.marks,
        )

    def _count(self, losses: Callable[[], list[float]]) -> float | None:
        """Add the losses of updates to those since the last evaluation; the last of them."""
        loss = None
        try:
            for loss in losses():
                self._advance(loss_sum=self.progress.loss_sum + loss)
        except NotFiniteError as error:
            sound = all(bool(p.isfinite().all()) for p in self.model.parameters())
            if error.kept and sound:
                self._save_last()  # else what is there is older
            raise self._diverged(str(error), error.step + 1) from None
        return loss

    def _evaluate(self, speed: float, ended: bool) -> Evaluated:
        """Measure the held-out loss; save `best` if it is, and `last`; record it.

        The run is then finished if it has `ended`, or is out of patience.
        """
        progress = self.progress
        since = progress.step - (int(self.history[-1]["step"]) if self.history else 0)
        self.group.align(self.model.parameters())
        val_loss = held_out_loss(self.model, self.held_out_ids, self.group)
        if not math.isfinite(val_loss):
            raise self._diverged(f"held-out loss {val_loss}", progress.step)
        best = progress.best_val_loss is None or val_loss < progress.best_val_loss
        event = Evaluated(
            step=progress.step,
            epoch=progress.epoch,
            train_loss=progress.loss_sum / max(1, since),
            val_loss=val_loss,
            learning_rate=self.rate,
            grad_norm=self.updates.grad_norm,
            chars_per_second=speed,
            seconds=self.seconds(),
            best=best,
        )
        record = {name: getattr(event, name) for name in _REMEMBERED}
        self.history = (*self.history, record)[-MAX_HISTORY:]
        self._advance(loss_sum=0.0, since_best=0 if best else progress.since_best + 1)
        if best:
            self._advance(best_val_loss=val_loss, best_step=progress.step)
            self.run.save(self.run.best, self.checkpoint(training=False))
        line = dataclasses.asdict(event)
        del line["best"]
        self.run.append_metrics(line)  # before `last`: a resume drops a record too many
        patience = self.config.patience
        impatient = patience is not None and self.progress.since_best >= patience
        self._advance(finished=ended or impatient)
        self._save_last()
        return event

    def _diverged(self, what: str, step: int) -> DivergedError:
        return DivergedError(
            f"training diverged at step {step:,}: {what}, learning rate {self.rate:.2g}. What is "
            "saved is from before. Train anew with a lower --learning-rate, such as "
            f"{self.config.learning_rate / 4:.1g}."
        )

    def _advance(self, **changes: Any) -> None:
        self.progress = dataclasses.replace(self.progress, **changes)

    def _save_last(self) -> None:
        self._count(self.updates.read)
        self.run.save(self.run.last, self.checkpoint(training=True))

    def _training_state(self) -> dict[str, Array]:
        """All that a resume needs besides the weights; the hidden state is that of all lanes."""
        tensors = {f"optimizer.{name}": _array(t) for name, t in self.optimizer.tensors()}
        for index, state in enumerate(self.updates.hidden):
            tensors[f"hidden.{index}"] = _array(self.group.gather(state, self.config.batch_size))
        if self.updates.loss_scale.needed:
            tensors["loss_scale"] = self.updates.loss_scale.state()
        return tensors

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Go on exactly where `checkpoint` was saved."""
        self.progress = dataclasses.replace(checkpoint.progress, finished=False)
        if checkpoint.progress.finished:  # given more time: it may look for a new best afresh
            self._advance(since_best=0)
        self.history = tuple(map(dict, checkpoint.history))
        self.marks = checkpoint.marks
        if not checkpoint.training:  # taken up from `best`: state and moments begin at zero again
            self._advance(optimizer_began=self.progress.step)
            return

        tensors = {
            name: torch.tensor(values, device=self.device)
            for name, values in checkpoint.training.items()
        }
        states = range(len(self.updates.hidden))
        self.updates.begin(tuple(tensors[f"hidden.{i}"][self.lanes] for i in states))
        if self.updates.loss_scale.needed:
            self.updates.loss_scale.restore(checkpoint.training["loss_scale"])
        self.optimizer.restore(
            {name.removeprefix("optimizer."): values for name, values in tensors.items()},
            self.progress.step - self.progress.optimizer_began,
        )


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.detach().float().cpu().numpy()
    return array.copy()
