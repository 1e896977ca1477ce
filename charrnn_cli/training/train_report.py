"""Runs a training and reports it: the plan, the progress, the result, and what to do next."""

import contextlib
from collections.abc import Iterator
from typing import Any

from charrnn_cli.errors import CharRNNError, ExitCode
from charrnn_cli.formatting import bits_per_char, duration
from charrnn_cli.sampling.samples import SampleRequest, open_samples
from charrnn_cli.settings.configs import SamplingConfig
from charrnn_cli.terminal.bars import ReadingBar
from charrnn_cli.terminal.console import print_json, say, say_error, say_wrapped
from charrnn_cli.terminal.signals import StopOnSignal
from charrnn_cli.training.advice import command_for, diagnosis_lines, train_command
from charrnn_cli.training.distributed.group import Group
from charrnn_cli.training.distributed.processes import open_group
from charrnn_cli.training.events import Evaluated, Finished
from charrnn_cli.training.pace import Pace
from charrnn_cli.training.pair_report import (
    best_accuracy,
    best_examples,
    best_line,
)
from charrnn_cli.training.plan_report import plan_lines
from charrnn_cli.training.request import Request
from charrnn_cli.training.setup import open_training
from charrnn_cli.training.tensorboard import ScalarLog, check_tensorboard
from charrnn_cli.training.train_display import TrainingDisplay
from charrnn_cli.training.trainer import Trainer

SAMPLE_LENGTH = 300  # characters of the sample after a training
SAMPLE_ITEMS = 5  # items in it, if the text is a list


def run_training(
    request: Request,
    *,
    quiet: bool = False,
    verbose: bool = False,
    preview: bool = True,
    tensorboard: bool = False,
    as_json: bool = False,
) -> ExitCode:
    """Train as `request` asks and show it, unless `quiet`; return the exit code. With `verbose` all
    settings of the plan are shown.

    With `preview` samples are drawn now and then: a terminal shows them, and the run keeps some.
    With `tensorboard` the run's folder gets a file for TensorBoard. With `as_json` the result is
    one object on stdout. Of several processes only the first shows and writes. Raises CharRNNError.
    """
    if tensorboard:
        check_tensorboard()
    with (
        StopOnSignal() as stop,
        open_group() as group,
        report_once(group, stop),
        ReadingBar(quiet or not group.first) as reading,
        open_training(request, group, reading.move) as training,
    ):
        reading.close()
        if not group.first:
            quiet, preview, tensorboard, as_json = True, False, False, False
        trainer = training.trainer
        if not quiet:
            for line in plan_lines(training, verbose):
                say_wrapped(line)
        stop.finish_steps()
        with (
            TrainingDisplay(trainer, quiet=quiet, preview=preview) as display,
            ScalarLog(trainer.run) if tensorboard else contextlib.nullcontext() as scalars,
        ):
            pace = Pace(training)
            for event in trainer.steps(stop):
                display.show(event)
                if note := pace.note(event):
                    display.show(note)
                if scalars and isinstance(event, Evaluated):
                    scalars.update()
        code = ExitCode(int(group.highest(stop.code or ExitCode.DONE)))
    assert isinstance(event, Finished)  # the last one always is
    if not group.first:
        return code
    if code and event.reason == "stopped":
        command = train_command(request, trainer)
        say_wrapped(f"Stopped and saved at step {event.progress.step:,}. Go on: {command}")
    elif not quiet:
        for line in end_lines(event, request, trainer):
            say_wrapped(line)
        if trainer.best_evaluation() is not None and trainer.pairs is None:
            say("A sample:")
            say(sample_text(trainer))
            say_wrapped(f"More: {command_for(request, trainer, 'sample')}")
    if as_json:
        print_json(result(event, trainer))
    return code


@contextlib.contextmanager
def report_once(group: Group, stop: StopOnSignal) -> Iterator[None]:
    """Let only one of several processes report the error that ends them all. It does so at once:
    the launcher ends the other processes when the first has ended."""
    if group.size > 1:
        stop.say_nothing()  # else every process would say that it was stopped
    try:
        yield
    except CharRNNError as error:
        if group.size > 1:
            if group.claim_report():
                say_error(error)
            error.reported = True
        raise


def result(event: Finished, trainer: Trainer) -> dict[str, Any]:
    """The result of a training as JSON can hold it: its files, how far it came, its losses."""
    progress, run, model = event.progress, trainer.run, trainer.model.config
    best = trainer.best_evaluation()
    loss = None if best is None else best["val_loss"]
    return {
        "run": run.name,
        "folder": str(run.folder),
        "best": None if loss is None else str(run.best),
        "last": str(run.last),
        "reason": event.reason,
        "model": model.architecture,
        "parameters": model.parameters,
        "step": progress.step,
        "epoch": progress.epoch,
        "seconds": trainer.seconds(),
        "val_loss": loss,
        "bits_per_char": None if loss is None else bits_per_char(loss),
        "best_step": None if best is None else int(best["step"]),
        **best_accuracy(trainer),
        "marks": None if trainer.baselines is None else dict(vars(trainer.baselines)),
    }


def end_lines(event: Finished, request: Request, trainer: Trainer) -> list[str]:
    """The result in words, its file, and advice."""
    progress = event.progress
    lines = []
    if event.reason == "patience":
        lines.append(
            f"Stopped early: no better held-out loss in {progress.since_best} evaluations."
        )
    best = trainer.best_evaluation()
    if best is None:
        return lines
    kept = [] if trainer.to_beat is None else [earlier_best(trainer)]
    if trainer.pairs is not None:
        lines += [best_line(trainer), *kept, *diagnosis_lines(request, trainer)]
        more = f"Use it: {command_for(request, trainer, 'translate')}"
        lines += ["Some held-out pairs:", *best_examples(trainer), more]
    else:
        loss = best["val_loss"]
        lines.append(
            f"Best held-out loss {loss:.4f} nats ({bits_per_char(loss):.3f} bits/char) at step "
            f"{int(best['step']):,} of {progress.step:,}, in {duration(trainer.seconds())}: "
            f"{trainer.run.best}"
        )
        lines += [*kept, *diagnosis_lines(request, trainer)]
    return lines


def earlier_best(trainer: Trainer) -> str:
    """That the best checkpoint was made before the run was resumed, and none since is better."""
    loss = trainer.progress.best_val_loss
    since = "" if loss is None else f" Since then the best was {loss:.4f} nats."
    return f"That one was made before the run was resumed, and is kept.{since}"


def sample_text(trainer: Trainer) -> str:
    """A short sample from the best checkpoint, always the same for the same weights: some items if
    the text is a list."""
    request = SampleRequest(
        checkpoint=str(trainer.run.best),
        checkpoints=trainer.run.folder.parent,
        sampling=SamplingConfig(temperature=0.8),
        length=SAMPLE_LENGTH,
        num_samples=SAMPLE_ITEMS if trainer.config.lines else 1,
        random_seed=trainer.config.random_seed,
    )
    text = "".join(piece for _, piece in open_samples(request).draw())
    return text.removesuffix("\n") if trainer.config.lines else text
