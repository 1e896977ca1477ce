"""Small things that several tests build: checkpoints and run folders, made with NumPy alone."""

import os
from pathlib import Path

import numpy as np
from hypothesis import settings

from charrnn_cli.checkpoint import (
    Checkpoint,
    CorpusInfo,
    Progress,
    to_bytes,
    training_shapes,
)
from charrnn_cli.config import ModelConfig, TrainConfig
from charrnn_cli.runs import Run
from charrnn_cli.vocabulary import Vocabulary

fuzz = settings(max_examples=50, deadline=None, derandomize=True)


def make_train_config(**changes) -> TrainConfig:
    """A valid training configuration; `changes` replaces some of its fields."""
    values = {
        "epochs": 1.0,
        "minutes": None,
        "batch_size": 2,
        "seq_length": 3,
        "learning_rate": 0.01,
        "grad_clip": 1.0,
        "val_fraction": 0.1,
        "patience": None,
        "random_seed": 0,
        "eval_every": 1,
    }
    return TrainConfig(**(values | changes))


def make_checkpoint(
    model: str = "gru",
    hidden_size: int = 4,
    num_layers: int = 2,
    vocabulary: str = "ab\n",
    training: bool = False,
    seed: int = 0,
) -> Checkpoint:
    """A tiny checkpoint with random weights, one evaluation old; same arguments, same values.

    With `training` it holds what a run is resumed from: optimizer moments and hidden state.
    """
    rng = np.random.default_rng(seed)
    characters = Vocabulary.of(vocabulary)
    config = ModelConfig(model, len(characters), hidden_size, num_layers, 0.0)
    checkpoint = Checkpoint(
        model=config,
        train=make_train_config(),
        vocabulary=characters,
        corpus=CorpusInfo("tiny.txt", "0" * 64, 100, "tiny.txt" if training else None),
        progress=Progress(step=5, epoch=0.5, loss_sum=0.25, best_val_loss=1.0, best_step=5),
        weights={name: _random(rng, shape) for name, shape in config.tensor_shapes().items()},
        history=({"step": 5, "epoch": 0.5, "train_loss": 1.5, "val_loss": 1.0},),
        torch_version="2.13.0",
        threads=1,
    )
    if not training:
        return checkpoint
    state = {name: _random(rng, shape) for name, shape in training_shapes(checkpoint).items()}
    for name, values in state.items():
        if ".exp_avg_sq." in name:  # mean squares are never negative
            np.abs(values, out=values)
    return Checkpoint(**(vars(checkpoint) | {"training": state}))


def plain(checkpoint: Checkpoint) -> dict:
    """All of a checkpoint as plain values, which `==` can compare."""
    arrays = {**checkpoint.weights, **checkpoint.training}
    return vars(checkpoint) | {
        "vocabulary": checkpoint.vocabulary.characters,
        "weights": {name: arrays[name].tolist() for name in checkpoint.weights},
        "training": {name: arrays[name].tolist() for name in checkpoint.training},
    }


def save_checkpoint(path: Path, checkpoint: Checkpoint | None = None) -> Path:
    """Write a checkpoint, a tiny one unless given, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_bytes(checkpoint or make_checkpoint()))
    return path


def make_run(checkpoints: Path, name: str, written: float = 1_000_000_000.0) -> Run:
    """A run folder that holds a tiny `best` and `last`, last written at second `written`."""
    run = Run(checkpoints / name)
    save_checkpoint(run.best)
    save_checkpoint(run.last, make_checkpoint(training=True))
    for path in (run.best, run.last):
        os.utime(path, (written, written))
    return run


def _random(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(0, 0.5, shape).astype(np.float32)
