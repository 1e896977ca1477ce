"""The speed measured before a training."""

import math

import torch
from factories import ask_to_train

from charrnn_cli.speed import measure_speed
from charrnn_cli.start import open_training


def test_measuring_the_speed_leaves_the_model_as_it_was(rain, tmp_path):
    with open_training(ask_to_train(rain, tmp_path)) as training:
        trainer = training.trainer
        before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
        assert 0 < measure_speed(trainer.model, trainer.config, trainer.train_ids) < math.inf
        for parameter, was in zip(trainer.model.parameters(), before, strict=True):
            assert torch.equal(parameter, was)
            assert parameter.grad is None
