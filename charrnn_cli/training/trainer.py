"""The training loop, a generator of events: it trains, evaluates and saves, and never prints."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.checkpoints.pairs_info import PairsInfo
from charrnn_cli.checkpoints.records import AnyBaselines, CorpusInfo, Progress
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.errors import DivergedError, WriteError
from charrnn_cli.models.device import device_name, memory_limit
from charrnn_cli.models.dropout import Dropout
from charrnn_cli.models.module import Model
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.settings.table import SAVE_EVERY
from charrnn_cli.text.dataset import Dataset
from charrnn_cli.training.batches import DeviceBatches
from charrnn_cli.training.best import Record, beats, best_record, is_best
from charrnn_cli.training.distributed.group import ALONE, Group
from charrnn_cli.training.evaluation import measure
from charrnn_cli.training.events import Evaluated, Event, Finished, Noted, Stepped
from charrnn_cli.training.optimizer import Optimizer, learning_rate
from charrnn_cli.training.planning import MIDDLE, planned_steps, share_of_time
from charrnn_cli.training.updates import NotFiniteError, Updates

# A checkpoint stores the last 20,000 evaluations: more would exceed the limit of its header.
MAX_HISTORY = 20_000


class Trainer:
    """Trains one run's model.

    `started` is the `time.monotonic()` at which the session began, and `seconds_before` the time
    spent on the run in earlier sessions, in seconds. `reserve` is the estimated time of the last
    evaluation, which a time limit has to include. `save_every` is the longest time between two
    saves. `resumed` is a checkpoint to continue from; without it, the model is trained as given.
    `to_beat` is the evaluation of a `best` from another course of the run, until one is better.
    `baselines` and `pairs` are stored in the checkpoints; a text has no `pairs`. Each process of a
    `group` has its own Trainer, which reads some of the batch rows; all models stay equal.
    """

    def __init__(
        self,
        model: Model,
        dataset: Dataset,
        config: TrainConfig,
        run: Run,
        *,
        started: float,
        seconds_before: float = 0.0,
        reserve: float = 1.0,
        save_every: float = SAVE_EVERY,
        resumed: Checkpoint | None = None,
        to_beat: Record | None = None,
        baselines: AnyBaselines | None = None,
        pairs: PairsInfo | None = None,
        group: Group = ALONE,
    ) -> None:
        self.model, self.dataset, self.config, self.run = model, dataset, config, run
        self.group, self.rows = group, group.rows(config.batch_size)
        self.device = next(model.parameters()).device
        self.train_part, self.held_out_part = dataset.split(config.val_fraction)
        self.epoch_steps = self.train_part.steps_per_epoch(config)
        self.predictions_per_step = self.train_part.predictions_per_step(config)
        self.total_steps = math.inf
        if config.epochs is not None:
            self.total_steps = planned_steps(config.epochs, self.epoch_steps)
        self.optimizer = Optimizer(model, config)
        if group.size > 1:
            for module in model.modules():
                if isinstance(module, Dropout):
                    module.take_rows(config.batch_size, self.rows)
        group.align(model.parameters())
        count = self.rows.stop - self.rows.start
        self.updates = Updates(model, self.optimizer, config, count, group)
        self.rate = 0.0  # learning rate of the last update
        self.progress = Progress()
        self.history: tuple[dict[str, float], ...] = ()
        self.began_at = 0  # the step before the first whose loss is remembered
        self.to_beat = to_beat
        self.baselines, self.pairs = baselines, pairs
        self.started, self.save_every = started, save_every
        self.seconds_before = seconds_before
        self.reserve = reserve  # seconds; follows the evaluations
        self.start_up = 0.0  # seconds before the first step, not counted in the schedule
        self._share_of_time = group.of_first(self._own_share_of_time)
        if resumed is not None:
            self._restore(resumed)

    def steps(self, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """Train, yielding an event for each step and evaluation; the last event is Finished.

        `should_stop` is called after each step: if it returns True, `last` is saved and training
        ends. Raises DivergedError if a loss or gradient is not finite, and MemoryLimitError if
        memory runs out; the saved checkpoints are finite in either case.
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
        by_steps = (self.progress.step - 1) / self.total_steps
        share_before = max(by_steps, share_of_time(config, self.seconds_before))  # about
        if not self.progress.step:
            self.start_up = self.seconds()
        self.group.listen()
        reason: Literal["complete", "patience", "stopped"] = "complete"
        # the time limit is not checked yet: at least one step is made and evaluated
        ended = self.progress.step >= self.total_steps
        while not ended:
            share = self.share_done()
            if share_before < MIDDLE <= share:
                yield from self._keep_middle()
            share_before = share
            epoch, index = divmod(self.progress.step, self.epoch_steps)
            if epoch_read != epoch:
                batches = self.train_part.batches(config, epoch, self.rows)
                on_device = DeviceBatches(batches, self.device)
                epoch_read = epoch
            if index == 0:
                self.updates.set_state()
            self.rate = learning_rate(share, config)
            loss = self._add_losses(
                partial(self.updates.step, on_device[index], self.rate, self.progress.step)
            )
            step = self.progress.step + 1
            self._advance(step=step, epoch=step / self.epoch_steps)
            ended = self.share_done() >= 1  # once: with a time limit, the answer can change
            yield from map(Noted, self.updates.take_notes())
            yield Stepped(step, loss, min(1.0, self.share_done()))
            if step % config.eval_every == 0 or ended:
                self._add_losses(self.updates.read_losses)
                now = time.monotonic()
                steps = step - evaluated_step
                speed = steps * self.predictions_per_step / (now - evaluated_at)
                yield self._evaluate(speed, ended)
                evaluated_at = saved_at = time.monotonic()
                evaluated_step = step
                self.reserve = 0.1 + 1.2 * (evaluated_at - now)
                if self.progress.finished and not ended:
                    reason = "patience"
                    break
            elif since_save() >= self.save_every:
                self._save_state(self.run.last)
                saved_at = time.monotonic()
            if should_stop() and not ended:
                reason = "stopped"
                break
        if reason == "stopped":  # otherwise the last evaluation has saved it
            self._save_state(self.run.last)
        yield Finished(reason, self.progress)

    def share_done(self) -> float:
        """The fraction of the run that is done, by steps or by time, whichever is larger."""
        return max(self.progress.step / self.total_steps, self._share_of_time())

    def _own_share_of_time(self) -> float:
        """The fraction of a time limit that is used, by this process's clock; 0 without a limit."""
        if self.config.minutes is None or not self.progress.step:  # the first step is always made
            return 0.0
        allowed = 60 * self.config.minutes - self.reserve - self.start_up
        return (self.seconds() - self.start_up) / max(1e-9, allowed)

    def seconds(self) -> float:
        """Seconds spent on the run, including earlier sessions."""
        return self.seconds_before + time.monotonic() - self.started

    def best_evaluation(self) -> Record | None:
        """The evaluation of `best`, at least its `step` and `val_loss`; None if there is none."""
        loss = self.progress.best_val_loss
        if self.to_beat is not None or loss is None:
            return self.to_beat
        record = best_record(self.progress, self.history)
        return record or {"step": self.progress.best_step, "val_loss": loss}

    def checkpoint(self, *, training: bool) -> Checkpoint:
        """The run's checkpoint now; with `training`, including the state that a resume needs."""
        progress = self.progress
        if self.config.minutes is not None:
            progress = dataclasses.replace(progress, seconds=self.seconds())
        val_text = self.dataset.val_text
        return Checkpoint(
            model=self.model.config,
            train=self.config,
            vocabulary=self.dataset.vocabulary,
            # `best` is shared with others, and must not contain private paths
            corpus=CorpusInfo.of(self.dataset, private=training),
            progress=progress,
            weights=self.updates.evaluated_weights(),
            training=self.updates.stored() if training else {},
            history=self.history,
            torch_version=torch.__version__,
            threads=torch.get_num_threads() if self.group.size == 1 else 0,
            device=device_name(self.device),
            baselines=self.baselines,
            val_text=None if val_text is None else CorpusInfo.of(val_text, private=training),
            pairs=self.pairs,
        )

    def _add_losses(self, losses: Callable[[], list[float]]) -> float | None:
        """Add losses to the sum since the last evaluation and return the last of them."""
        loss = None
        try:
            for loss in losses():
                self._advance(loss_sum=self.progress.loss_sum + loss)
        except NotFiniteError as error:
            sound = all(bool(p.isfinite().all()) for p in self.model.parameters())
            if error.weights_unchanged and sound:
                self._save_state(self.run.last)
            raise self._diverged(str(error), error.step + 1) from None
        return loss

    def _evaluate(self, speed: float, ended: bool) -> Evaluated:
        """Measure the held-out loss, and of pairs the accuracy, and record them; save `last`, and
        `best` if it is a new best.

        The run is marked as finished if it has `ended` or its patience is exhausted.
        """
        progress = self.progress
        since = progress.step - (int(self.history[-1]["step"]) if self.history else self.began_at)
        self.group.align((*self.model.parameters(), *self.updates.weights.averages))
        with self.updates.weights.in_model():
            val_loss, accuracy = measure(self.model, self.held_out_part, self.group)
        if not math.isfinite(val_loss):
            raise self._diverged(f"held-out loss {val_loss}", progress.step)
        best = is_best(val_loss, accuracy, progress, self.history, self.pairs, self.baselines)
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
            accuracy=accuracy,
        )
        self.history = (*self.history, event.remembered())[-MAX_HISTORY:]
        self._advance(loss_sum=0.0, since_best=0 if best else progress.since_best + 1)
        if best:
            self._advance(best_val_loss=val_loss, best_step=progress.step)
            if beats(event, self.to_beat, self.pairs, self.baselines):
                self.to_beat = None
                self.run.save(self.run.best, self.checkpoint(training=False))
        self.run.append_metrics(event.record())  # before `last`: a resume removes a surplus record
        patience = self.config.patience
        exhausted = patience is not None and self.progress.since_best >= patience
        self._advance(finished=ended or exhausted)
        self._save_state(self.run.last)
        return dataclasses.replace(event, best=best and self.to_beat is None)

    def _diverged(self, what: str, step: int) -> DivergedError:
        return DivergedError(
            f"training diverged at step {step:,}: {what}, learning rate {self.rate:.2g}. What is "
            "saved is from before. Train anew with a lower --learning-rate, such as "
            f"{self.config.learning_rate / 4:.1g}."
        )

    def _advance(self, **changes: Any) -> None:
        self.progress = dataclasses.replace(self.progress, **changes)

    def _save_state(self, path: Path) -> None:
        """Save all that a resume needs."""
        self._add_losses(self.updates.read_losses)
        self.run.save(path, self.checkpoint(training=True))

    def _keep_middle(self) -> Iterator[Event]:
        try:
            self._save_state(self.run.middle)
        except WriteError as error:  # the run does not need it
            yield Noted(f"{error} A longer --resume will go on from the end of this run")

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Continue exactly where `checkpoint` was saved."""
        self.progress = dataclasses.replace(checkpoint.progress, finished=False)
        if checkpoint.progress.finished:  # the run was given more time: its patience starts anew
            self._advance(since_best=0)
        self.history = tuple(map(dict, checkpoint.history))
        if not checkpoint.progress.loss_sum:  # losses on another text were forgotten
            self.began_at = self.progress.step
        self.baselines = checkpoint.baselines or self.baselines
        if not checkpoint.training:  # `best`: state and moments start at zero
            self._advance(optimizer_began=self.progress.step)
            return
        began = self.progress.optimizer_began
        self.updates.restore(checkpoint.training, self.rows, self.progress.step - began)
