"""A few characters written now and then by the model in training, at almost no cost."""

import time

import numpy as np

from charrnn_cli.config import SamplingConfig
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.sampling.drawing import generate
from charrnn_cli.training.trainer import Trainer

EVERY = 10.0  # there are at least this many seconds between two previews
SHARE = 0.005  # previews take at most this share of the time
LENGTH = 80  # characters of a preview
SECONDS_PER_WEIGHT = 1e-9  # time to write one character, per parameter: assumed for the first


class Preview:
    """Writes with the weights as they are now. It does not use the training's random numbers: the
    decoder is that of `sample`, with its own generator."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.begun = time.monotonic()
        self.due = 0.0
        self.spent = 0.0
        self.estimate = LENGTH * SECONDS_PER_WEIGHT * trainer.model.config.parameters

    def text(self) -> str | None:
        """Some characters that begin a line; None if the next preview is not due yet."""
        begun = time.monotonic()
        too_much = self.spent + self.estimate > SHARE * (begun - self.begun)
        if begun < self.due or too_much:
            return None
        text = self._draw()
        self.due = begun + EVERY
        self.estimate = time.monotonic() - begun
        self.spent += self.estimate
        return text

    def _draw(self) -> str:
        model, vocabulary = self.trainer.model, self.trainer.dataset.vocabulary
        weights = {name: p.detach().float().cpu().numpy() for name, p in model.named_parameters()}
        drawn = generate(
            build_decoder(model.config, weights),
            [vocabulary.line_start],
            SamplingConfig(temperature=0.8),
            self.trainer.progress.step,
        )
        return vocabulary.decode(np.fromiter(drawn, np.int64, LENGTH))
