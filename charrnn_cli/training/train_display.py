"""Shows a training's events on stderr: a progress bar on a terminal, plain lines elsewhere."""

import contextlib
import time
from collections.abc import Sequence

from rich.cells import set_cell_size
from tqdm import tqdm

from charrnn_cli.environment import environment
from charrnn_cli.formatting import bits_per_char, duration
from charrnn_cli.terminal.console import say, to_terminal, visible
from charrnn_cli.training.events import Accuracy, Evaluated, Event, Noted, Stepped
from charrnn_cli.training.preview import Preview
from charrnn_cli.training.trainer import Trainer

LINE_EVERY = 5.0  # there are at least this many seconds between plain lines of evaluations
STEP_LINE_EVERY = 30.0  # after this many seconds without a plain line a step gets one
DRAW_EVERY = 0.1  # the bar is drawn at most once in this many seconds
SMOOTHING = 0.02  # weight of the newest loss in the moving average shown
NARROW = 26  # columns that a bar takes beside its figures


class TrainingDisplay:
    """Shows a training's events while used as a context; nothing if `quiet`.

    With `preview` a terminal now and then shows what the model writes, and some ten of its texts
    are kept in the run's folder, also without a terminal.
    """

    def __init__(self, trainer: Trainer, *, quiet: bool, preview: bool) -> None:
        self.trainer, self.quiet = trainer, quiet
        self.terminal = environment().stderr.redraws
        self.preview = Preview(trainer) if preview else None
        self.first_step = trainer.progress.step
        self.first_share = trainer.share_done()
        self.begun = time.monotonic()
        self.loss = 0.0  # moving average of the `losses` read so far
        self.losses = 0
        self.last: Stepped | None = None
        self.line_due = 0.0  # the first evaluation is shown at once
        self.step_line_due = self.begun + STEP_LINE_EVERY
        self.draw_due = 0.0
        self.bar = tqdm(
            total=1.0,
            initial=self.first_share,
            file=environment().stderr.file,
            leave=False,
            mininterval=0,
            delay=1e-9,  # no bar before the first step
            disable=quiet or not self.terminal,
        )

    def __enter__(self) -> "TrainingDisplay":
        return self

    def __exit__(self, *error: object) -> None:
        with _ignore_output_errors():
            self.bar.close()

    def show(self, event: Event) -> None:
        """Show one event."""
        kept = None
        if self.preview and isinstance(event, Evaluated):
            kept = self.preview.keep_stage(event.val_loss, event.accuracy)
        if not self.quiet:
            with _ignore_output_errors():
                if isinstance(event, Stepped):
                    self._step(event)
                elif isinstance(event, Evaluated):
                    self._evaluation(event, kept)
                elif isinstance(event, Noted):
                    self._note(event.text)

    def _step(self, event: Stepped) -> None:
        self.last = event
        if event.loss is not None:
            self.losses += 1
            weight = max(SMOOTHING, 1 / self.losses)  # the first losses count equally
            self.loss += weight * (event.loss - self.loss)
        now = time.monotonic()
        if self.terminal and now >= self.draw_due:
            self.draw_due = now + DRAW_EVERY
            self._draw(event)
        elif not self.terminal and now >= self.step_line_due:
            self.step_line_due = now + STEP_LINE_EVERY
            gone, done = now - self.begun, event.share - self.first_share
            left = f"{duration(gone / done * (1 - event.share))} left" if done > 0 else ""
            say("  ".join((*self._figures(event), left)))

    def _note(self, text: str) -> None:
        if self.terminal:
            self.bar.write(visible(to_terminal(text)), file=environment().stderr.file)
        else:
            say(text)

    def _figures(self, event: Stepped) -> list[str]:
        steps, seconds = event.step - self.first_step, time.monotonic() - self.begun
        speed = steps * self.trainer.predictions_per_step / max(seconds, 1e-9)
        return [
            f"step {event.step:,}",
            f"epoch {event.step / self.trainer.epoch_steps:.1f}",
            f"loss {self.loss:.3f}",
            f"{bits_per_char(self.loss):.3f} bits/char",
            f"{speed:,.0f} chars/s",
        ]

    def _draw(self, event: Stepped) -> None:
        """Move the bar, with as many figures beside it as the terminal is wide enough for."""
        columns = _columns()
        self.bar.ncols = columns
        self.bar.bar_format = "{percentage:3.0f}%|{bar}| " + "{desc} [{remaining} left]"
        figures = fitting(self._figures(event), (2, 0, 4, 3, 1), columns - NARROW - 6, ", ")
        self.bar.set_description_str(figures, refresh=False)
        self.bar.update(event.share - self.bar.n)

    def _evaluation(self, event: Evaluated, kept: str | None) -> None:
        now = time.monotonic()
        if not self.terminal and now < self.line_due:
            return
        self.line_due = now + LINE_EVERY
        self.step_line_due = now + STEP_LINE_EVERY
        total = self.trainer.total_steps
        digits = len(f"{total:,.0f}") if total < float("inf") else 6
        parts = [
            f"step {event.step:{digits},}",
            f"epoch {event.epoch:4.1f}",
            f"train {event.train_loss:.3f}",
            f"held-out {event.val_loss:.3f}",
            f"({bits_per_char(event.val_loss):.3f} bits/char)",
            *accuracy_words(event.accuracy),
            f"rate {event.learning_rate:7.2g}",
            f"{event.chars_per_second:7,.0f} chars/s",
            f"{duration(event.seconds):>7}",
        ]
        if event.best:
            parts.append("best")
        if not self.terminal:
            say("  ".join(parts))
            return
        if self.last is not None:
            self._draw(self.last)  # tqdm draws the bar again below the line
        ranks: tuple[int, ...] = (7, 3, 5, 9, 6, 2, 1, 4, 8)
        if event.accuracy is not None:
            ranks = (7, 3, 5, 8, 2, 10, 9, 1, 0, 4, 6)
        self.bar.write(fitting(parts, ranks, _columns(), "  "), file=environment().stderr.file)
        texts = [kept] if kept is not None and event.accuracy is None else []
        if not texts and self.preview:
            texts = self.preview.lines(event.accuracy)
        for text in texts:
            self.bar.write(one_line(text, _columns()), file=environment().stderr.file)


def accuracy_words(accuracy: Accuracy | None) -> tuple[str, ...]:
    """The accuracy on held-out pairs in words; nothing for a text."""
    if accuracy is None:
        return ()
    return (
        f"exact {accuracy.exact_matches:6.1%}",
        f"character errors {accuracy.character_error_rate:6.1%}",
    )


def fitting(parts: Sequence[str], ranks: Sequence[int], columns: int, separator: str) -> str:
    """Parts joined into a line of at most `columns`: the lowest ranks are left out first."""
    kept = dict(enumerate(parts))
    while len(line := separator.join(kept.values())) > columns and len(kept) > 1:
        del kept[min(kept, key=lambda index: ranks[index])]
    return line


def one_line(text: str, columns: int) -> str:
    """A text on one line of a terminal, with a sign for each line end."""
    line_end = "↵" if environment().stderr.can_show("↵") else "\\n"
    shown = visible(text).replace("\n", line_end).replace("\t", " ")
    return set_cell_size("  > " + shown, columns - 1).rstrip()


def _columns() -> int:
    """The columns of the terminal that stderr is, or COLUMNS where it is set."""
    return environment().stderr.columns()


def _ignore_output_errors() -> contextlib.suppress:
    """A terminal that is gone must not end the training."""
    return contextlib.suppress(OSError, ValueError)
