"""A few characters written by a model in training, now and then, at next to no cost."""

import time

import numpy as np

from charrnn_cli.config import SamplingConfig
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.sampling.drawing import generate
from charrnn_cli.training.trainer import Trainer

EVERY = 10.0  # seconds between two, at least
SHARE = 0.005  # of the time, at most
LENGTH = 80  # characters
SECONDS_PER_WEIGHT = 1e-9  # to write one character: a guess until it was measured


class Preview:
    """Writes from the weights as they are. The training's random numbers are not touched: the
    decoder is the one of `sample`, with a generator of its own."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.begun = time.monotonic()
        self.due = 0.0
        self.spent = 0.0
        self.estimate = LENGTH * SECONDS_PER_WEIGHT * trainer.model.config.parameters

    def text(self) -> str | None:
        """Some characters, as at the beginning of a line; None if it is not yet time for them."""
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
