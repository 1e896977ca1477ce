"""A training as it is seen: a bar on a terminal, plain lines elsewhere, all on stderr."""

import contextlib
import shlex
import sys
import time

import torch
from tqdm import tqdm

from charrnn_cli.config import SamplingConfig
from charrnn_cli.console import say
from charrnn_cli.device import describe_device
from charrnn_cli.errors import ExitCode
from charrnn_cli.events import Evaluated, Event, Finished, Stepped
from charrnn_cli.measures import bits_per_char, duration
from charrnn_cli.signals import StopOnSignal
from charrnn_cli.start import Request, Training, open_training
from charrnn_cli.training import Trainer
from charrnn_cli.writing import SampleRequest, open_samples

LINE_EVERY = 5.0  # seconds between plain lines, at least
SMOOTHING = 0.02  # weight of the newest loss in the one shown
SAMPLE_LENGTH = 300


def run_training(request: Request, quiet: bool) -> ExitCode:
    """Train as `request` asks and show it. Raises CharRNNError."""
    with StopOnSignal() as stop, open_training(request) as training:
        trainer = training.trainer
        if not quiet:
            for line in plan_lines(training):
                say(line)
        stop.finish_step = True
        with TrainingDisplay(trainer, quiet) as display:
            for event in trainer.steps(stop):
                display.show(event)
    assert isinstance(event, Finished)  # the last one always is
    if stop.code is not None and event.reason == "stopped":
        text = () if trainer.corpus.path else ("TEXT",)
        command = command_for(request, trainer, "train", *text, "--resume")
        say(f"Stopped and saved at step {event.progress.step:,}. Go on: {command}")
    elif not quiet:
        for line in end_lines(event, request, trainer):
            say(line)
    return stop.code or ExitCode.DONE


def plan_lines(training: Training) -> list[str]:
    """What will be trained, on what, how long: one line, after what had to be changed."""
    trainer, model = training.trainer, training.trainer.model.config
    config = trainer.config
    corpus = trainer.corpus
    steps = (
        ""
        if config.epochs is None
        else (f"{config.epochs:g} epochs, {trainer.total_steps:,} steps, ")
    )
    remaining = duration(training.seconds)
    if not remaining.startswith("under"):
        remaining = f"about {remaining}"
    plan = (
        f"{corpus.name}: {len(corpus.ids):,} characters, {len(corpus.vocabulary)} distinct; "
        f"{model.model} {model.num_layers} x {model.hidden_size}, dropout {model.dropout:g}, "
        f"{model.parameters:,} parameters; "
        f"{describe_device(trainer.device, torch.get_num_threads())}; "
        f"{steps}batch {config.batch_size} x {config.seq_length}, "
        f"learning rate {config.learning_rate:g}; {remaining} to go"
    )
    return [f"Note: {note}." for note in training.notes] + [plan]


def command_for(request: Request, trainer: Trainer, *words: str) -> str:
    """A `charrnn` command on this run, to be typed where this one was; it ends with the run."""
    run = trainer.run
    words = ("charrnn", *words)
    if run.folder != request.checkpoints / run.name:
        words += (str(run.folder),)
    elif str(request.checkpoints) == "checkpoints":
        words += (run.name,)
    else:
        words += (run.name, "--checkpoints", str(request.checkpoints))
    if request.device != "auto":
        words += ("--device", request.device)
    return shlex.join(words)


def end_lines(event: Finished, request: Request, trainer: Trainer) -> list[str]:
    """The result in words, where it is, and a short sample of it."""
    progress = event.progress
    lines = []
    if event.reason == "patience":
        lines.append(
            f"Stopped early: no better held-out loss in {progress.since_best} evaluations."
        )
    if progress.best_val_loss is not None:
        lines.append(
            f"Best held-out loss {progress.best_val_loss:.4f} nats "
            f"({bits_per_char(progress.best_val_loss):.3f} bits/char) at step "
            f"{progress.best_step:,} of {progress.step:,}, in {duration(trainer.seconds())}: "
            f"{trainer.run.best}"
        )
        more = f"More: {command_for(request, trainer, 'sample')}"
        lines += ["A sample:", sample_text(trainer), more]
    return lines


def sample_text(trainer: Trainer) -> str:
    """A short sample from the best checkpoint, always the same for the same weights."""
    request = SampleRequest(
        checkpoint=str(trainer.run.best),
        checkpoints=trainer.run.folder.parent,
        sampling=SamplingConfig(temperature=0.8),
        length=SAMPLE_LENGTH,
        random_seed=trainer.config.random_seed,
    )
    return "".join(piece for _, piece in open_samples(request).pieces(keep=False))


def _unseen() -> contextlib.suppress:
    """What cannot be shown, the terminal being gone, must not end the training."""
    return contextlib.suppress(OSError, ValueError)


class TrainingDisplay:
    """Shows a training's events while used as a context; nothing if `quiet`."""

    def __init__(self, trainer: Trainer, quiet: bool) -> None:
        self.trainer, self.quiet = trainer, quiet
        self.terminal = sys.stderr is not None and sys.stderr.isatty()
        self.first_step = trainer.progress.step
        self.chars_per_step = trainer.config.batch_size * trainer.config.seq_length
        self.loss = 0.0
        self.line_due = 0.0  # the first evaluation is shown at once
        self.bar = tqdm(
            total=1.0,
            initial=trainer.share_done(),
            bar_format="{percentage:3.0f}%|{bar}| {desc} [{elapsed}, {remaining} left]",
            dynamic_ncols=True,
            file=sys.stderr,
            leave=False,
            disable=quiet or not self.terminal,
        )

    def __enter__(self) -> "TrainingDisplay":
        return self

    def __exit__(self, *error: object) -> None:
        with _unseen():
            self.bar.close()

    def show(self, event: Event) -> None:
        """Show one event."""
        with _unseen():
            self._show(event)

    def _show(self, event: Event) -> None:
        if isinstance(event, Stepped) and not self.bar.disable:
            self._move(event)
        elif isinstance(event, Evaluated) and not self.quiet:
            now = time.monotonic()
            if self.terminal or now >= self.line_due:
                self.line_due = now + LINE_EVERY
                self._line(event)

    def _move(self, event: Stepped) -> None:
        steps = event.step - self.first_step
        self.loss += max(SMOOTHING, 1 / steps) * (event.loss - self.loss)  # a plain mean at first
        speed = steps * self.chars_per_step / max(self.bar.format_dict["elapsed"], 1e-9)
        self.bar.set_description_str(
            f"step {event.step:,}, loss {self.loss:.3f}, {bits_per_char(self.loss):.3f} bits/char, "
            f"{speed:,.0f} chars/s",
            refresh=False,
        )
        self.bar.update(event.share - self.bar.n)

    def _line(self, event: Evaluated) -> None:
        line = (
            f"step {event.step:,}  epoch {event.epoch:.1f}  train {event.train_loss:.3f}  "
            f"held-out {event.val_loss:.3f} ({bits_per_char(event.val_loss):.3f} bits/char)  "
            f"{event.chars_per_second:,.0f} chars/s  {duration(event.seconds)}"
            f"{'  best' if event.best else ''}"
        )
        if self.terminal:
            self.bar.write(line, file=sys.stderr)
        else:
            say(line)
