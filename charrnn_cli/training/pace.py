"""How long the steps of a run take, and whether it keeps the speed that it was planned for."""

import itertools
import statistics
import time

from charrnn_cli.errors import WriteError
from charrnn_cli.training.events import Event, Noted, Stepped
from charrnn_cli.training.request import Training
from charrnn_cli.training.trainer import Trainer

SHARE = 0.05  # The speed is looked at from this share of the time on,
MIN_SECONDS = 5.0  # but not before so many seconds of steps, in which other programs come and go.
TOO_SLOW = 0.6  # A run below this share of the planned speed gets a note.


def step_seconds(trainer: Trainer) -> float:
    """The seconds that a step of a run takes, with its share of the evaluations.

    It is the median between an evaluation and the next: the first steps take longer than others,
    and the start of each session longer than many. With a single evaluation it is the mean since
    the first step.
    """
    try:
        records = trainer.run.metrics_until()
    except WriteError:
        records = []
    times = [
        (after["seconds"] - before["seconds"]) / (after["step"] - before["step"])
        for before, after in itertools.pairwise(records)
        if after["step"] > before["step"]
    ]
    if times:
        return statistics.median(times)
    return (trainer.seconds() - trainer.start_up) / max(1, trainer.progress.step)


class Pace:
    """Compares the speed of a run with the one measured for its plan. It says once that the machine
    is too busy; nothing for a run without a time limit, which only takes longer."""

    def __init__(self, training: Training) -> None:
        self.trainer, self.planned = training.trainer, training.chars_per_second
        self.first_step = self.trainer.progress.step
        self.begun: float | None = None
        minutes = self.trainer.config.minutes
        self.seconds = None if minutes is None else 60 * minutes
        self.said = False

    def note(self, event: Event) -> Noted | None:
        """A note, at the first step that shows that the machine is too busy for the plan."""
        if self.seconds is None or self.said or not isinstance(event, Stepped):
            return None
        now = time.monotonic()
        if self.begun is None:  # the first step takes longer than the others
            self.begun, self.first_step = now, event.step
            return None
        elapsed = now - self.begun
        if elapsed < max(MIN_SECONDS, SHARE * self.seconds):
            return None
        steps = event.step - self.first_step
        speed = steps * self.trainer.predictions_per_step / elapsed
        if speed >= TOO_SLOW * self.planned:
            return None
        self.said = True
        epochs = self.seconds / len(self.trainer.train_part)
        return Noted(
            f"Note: this machine is busy: {speed:,.0f} characters a second, not the "
            f"{self.planned:,.0f} that the plan was made for. The run makes about "
            f"{speed * epochs:.2g} epochs in its time, not {self.planned * epochs:.2g}, and learns "
            "less. Stop other programs, or give it more --minutes."
        )
