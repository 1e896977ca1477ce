"""Short samples of the model in training, at almost no cost: shown on a terminal, and kept."""

import time

import numpy as np

from charrnn_cli.checkpoints.records import Sample
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.sampling.drawing import generate
from charrnn_cli.settings.configs import SamplingConfig
from charrnn_cli.training.events import Accuracy, Example
from charrnn_cli.training.trainer import Trainer

MIN_INTERVAL = 10.0  # There are at least this many seconds between two previews.
MAX_SHARE = 0.005  # Previews take at most this fraction of the time.
PREVIEW_PAIRS = 3  # A preview shows so many held-out pairs.
PREVIEW_LENGTH = 80  # A preview has so many characters.
STAGES = 10  # At most so many samples are kept, evenly over the training.
# The assumed time to sample a character, in seconds per parameter, before the first preview.
SECONDS_PER_WEIGHT = 1e-9


class Preview:
    """Samples from the present weights, with the decoder of `sample` and its own random generator.

    Training is not changed by it.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.begun = time.monotonic()
        self.due = 0.0
        self.spent = 0.0
        self.estimate = PREVIEW_LENGTH * SECONDS_PER_WEIGHT * trainer.model.config.parameters
        self.stage = int(trainer.share_done() * STAGES)  # the number of stages behind

    def keep_stage(self, val_loss: float, accuracy: Accuracy | None) -> str | None:
        """Keep a sample in the run's folder and return it, if the training has come to a new tenth
        of its way; None if not, or if it would take too much of the time.

        Of pairs it is some held-out sources and what the model makes of them, a line each, which
        the evaluation has decoded.
        """
        stage = min(int(self.trainer.share_done() * STAGES), STAGES - 1)
        if stage < self.stage or (accuracy is None and self._takes_too_much()):
            return None
        self.stage = stage + 1
        if accuracy is None:
            text = self._timed(random_seed=0)  # the same for all: what differs is what was learned
        else:
            text = "\n".join(map(in_words, accuracy.examples))
        progress = self.trainer.progress
        self.trainer.run.append_sample(Sample(progress.step, progress.epoch, val_loss, text))
        return text

    def lines(self, accuracy: Accuracy | None) -> list[str]:
        """Lines to show after an evaluation; none if the next preview is not due yet.

        They are characters sampled from the start of a line; or of pairs, which the evaluation has
        decoded, a few sources and what the model makes of them.
        """
        if accuracy is None:
            text = self.text()
            return [] if text is None else [text]
        if (now := time.monotonic()) < self.due:
            return []
        self.due = now + MIN_INTERVAL
        return list(map(in_words, accuracy.examples[:PREVIEW_PAIRS]))

    def text(self) -> str | None:
        """Sample characters from the start of a line; None if the next preview is not due yet."""
        now = time.monotonic()
        if now < self.due or self._takes_too_much():
            return None
        return self._timed(random_seed=self.trainer.progress.step)

    def _takes_too_much(self) -> bool:
        return self.spent + self.estimate > MAX_SHARE * (time.monotonic() - self.begun)

    def _timed(self, random_seed: int) -> str:
        begun = time.monotonic()
        self.due = begun + MIN_INTERVAL
        text = self._draw(random_seed)
        self.estimate = time.monotonic() - begun
        self.spent += self.estimate
        return text

    def _draw(self, random_seed: int) -> str:
        vocabulary = self.trainer.dataset.vocabulary
        drawn = generate(
            build_decoder(self.trainer.model.config, self.trainer.updates.evaluated_weights()),
            [vocabulary.line_start],
            SamplingConfig(temperature=0.8),
            random_seed,
        )
        text = vocabulary.decode(np.fromiter(drawn, np.int64, PREVIEW_LENGTH))
        return text.partition("\n")[0] if self.trainer.config.lines else text


def in_words(example: Example) -> str:
    """A source, what the model makes of it, and the target if that is another."""
    right = "" if example.output == example.target else f"   (target: {example.target})"
    return f"{example.source} → {example.output}{right}"
