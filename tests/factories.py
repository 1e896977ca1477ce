"""Small things that several tests build: texts, checkpoints, run folders, trainings, samples.

PyTorch is imported only where a training begins: the rest is made with NumPy alone.
"""

import dataclasses
import json
import math
import os
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from hypothesis import settings

from charrnn_cli.checkpoints.checkpoint import Checkpoint, to_bytes, training_shapes
from charrnn_cli.checkpoints.records import CorpusInfo, Progress
from charrnn_cli.checkpoints.runs import Run
from charrnn_cli.models.recurrent.config import RecurrentConfig
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.models.transformer.config import TransformerConfig
from charrnn_cli.sampling.samples import SampleRequest, Samples, open_samples
from charrnn_cli.scoring.surprisal import Surprisal
from charrnn_cli.settings.configs import SamplingConfig, TrainConfig
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.vocabulary import Vocabulary

SONNETS = Path(__file__).parent.parent / "data" / "sonnets.txt"
NOISE = "".join(random.Random(1).choices("abcdefgh", k=600))  # nothing in it to learn
SMALL = ["--epochs", "2", "--hidden-size", "16", "--device", "cpu"]  # a training of a second


def fuzzed(examples: int) -> settings:
    """Settings of hypothesis for a test with so many examples, or a fifth of them in `make quick`,
    whose profile has a fifth of the default."""
    share = settings().max_examples / 100
    return settings(max_examples=max(1, round(share * examples)), deadline=None, derandomize=True)


def fuzz(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test on 50 examples, always the same."""
    return fuzzed(50)(test)


# texts


def words(count: int, seed: int = 0) -> str:
    """A text that is easy to learn something of: words of one line in random order."""
    some = ["the", "rain", "in", "spain", "falls", "mainly"]
    return " ".join(random.Random(seed).choices(some, k=count))


def corpus_of(text: str) -> Corpus:
    """A text as if it had been read from a file."""
    vocabulary = Vocabulary.of(text)
    return Corpus("a.txt", vocabulary.encode(text), vocabulary, "")


def corpus_of_ids(ids) -> Corpus:
    """A text of these ids, of a vocabulary that has all of them."""
    vocabulary = Vocabulary(range(100, 100 + max(2, int(np.max(ids)) + 1)))
    return Corpus("a.txt", np.asarray(ids), vocabulary, "")


# checkpoints


def make_train_config(**changes) -> TrainConfig:
    """A valid training configuration; `changes` replaces some of its fields."""
    values = {
        "epochs": 1.0,
        "minutes": None,
        "batch_size": 2,
        "seq_length": 3,
        "learning_rate": 0.01,
        "optimizer": "muon",
        "grad_clip": 1.0,
        "val_fraction": 0.1,
        "patience": None,
        "random_seed": 0,
        "eval_every": 1,
    }
    return TrainConfig(**(values | changes))


def make_checkpoint(
    architecture: str = "gru",
    hidden_size: int = 4,
    num_layers: int = 2,
    vocabulary: str = "ab\n",
    training: bool = False,
    seed: int = 0,
) -> Checkpoint:
    """A tiny checkpoint with random weights, one evaluation old; same arguments, same values.

    With `training` it holds what a run is resumed from: optimizer moments and hidden state. A
    transformer has two heads in each layer, and a context of 16 characters.
    """
    rng = np.random.default_rng(seed)
    characters = Vocabulary.of(vocabulary)
    sizes = len(characters), hidden_size, num_layers, 0.0
    config = (
        RecurrentConfig(architecture, *sizes)
        if architecture in ("gru", "lstm", "rnn")
        else TransformerConfig(architecture, *sizes, num_heads=2, context=16)
    )
    checkpoint = Checkpoint(
        model=config,
        train=make_train_config(),
        vocabulary=characters,
        corpus=CorpusInfo("tiny.txt", "0" * 64, 100, "tiny.txt" if training else None),
        progress=Progress(step=5, epoch=0.5, loss_sum=0.25, best_val_loss=1.0, best_step=5),
        weights={name: _random(rng, shape) for name, shape in config.parameter_shapes().items()},
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


def surprisal_of(checkpoint: Checkpoint) -> Surprisal:
    """What measures a text under a checkpoint's model, as `score` does."""
    model = checkpoint.model
    return Surprisal(partial(build_decoder, model, checkpoint.weights), model.context)


def later(**changes) -> Checkpoint:
    """A checkpoint to resume from, saved after step 8; the last evaluation was at step 5."""
    checkpoint = make_checkpoint(training=True)
    progress = {"step": 8, "epoch": 0.8} | changes
    return dataclasses.replace(
        checkpoint, progress=dataclasses.replace(checkpoint.progress, **progress)
    )


def plain(checkpoint: Checkpoint) -> dict:
    """All that a checkpoint says as plain values, which `==` can compare; not the file's format."""
    arrays = {**checkpoint.weights, **checkpoint.training}
    said = {name: value for name, value in vars(checkpoint).items() if name != "format"}
    return said | {
        "vocabulary": checkpoint.vocabulary.characters,
        "weights": {name: arrays[name].tolist() for name in checkpoint.weights},
        "training": {name: arrays[name].tolist() for name in checkpoint.training},
    }


def save_checkpoint(path: Path, checkpoint: Checkpoint | None = None) -> Path:
    """Write a checkpoint, a tiny one unless given, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_bytes(checkpoint or make_checkpoint()))
    return path


def save_cycle(folder: Path, cycle: str, **changes) -> None:
    """A run whose model writes the next character of `cycle` after each, for ever.

    Each unit of its layer stands for one character read last: input and output are a permutation.
    """
    size = len(cycle)
    checkpoint = make_checkpoint("rnn", hidden_size=size, num_layers=1, vocabulary=cycle)
    weights = {name: np.zeros_like(values) for name, values in checkpoint.weights.items()}
    ids = checkpoint.vocabulary.encode(cycle)
    weights["layers.0.weight_ih"][np.arange(size), ids] = 10
    weights["head.weight"][np.roll(ids, -1), np.arange(size)] = 50
    checkpoint = dataclasses.replace(checkpoint, weights=weights, **changes)
    save_checkpoint(folder / "cycle" / "best.safetensors", checkpoint)


def _random(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(0, 0.5, shape).astype(np.float32)


TINY = make_checkpoint("rnn", hidden_size=2, num_layers=1)


# runs and trainings


def make_run(checkpoints: Path, name: str, written: float = 1_000_000_000.0) -> Run:
    """A run folder that holds a tiny `best` and `last`, last written at second `written`."""
    run = Run(checkpoints / name)
    save_checkpoint(run.best)
    save_checkpoint(run.last, make_checkpoint(training=True))
    for path in (run.best, run.last):
        os.utime(path, (written, written))
    return run


def files(run: Run) -> dict[str, bytes]:
    """The bytes of a run's checkpoints."""
    paths = (run.best, run.last, run.middle)
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def metrics_of(run: Run) -> list[dict]:
    """The records in a run's `metrics.jsonl`."""
    return [json.loads(line) for line in run.metrics.read_text().splitlines()]


def of_kind(model: str) -> dict:
    """The wishes for a small training of a model of this kind."""
    if model in ("gpt2", "llama"):
        return {"model": model, "num_heads": 2, "context": 16, "seq_length": None}
    return {"model": model}


def ask_to_train(text: Path | None, folder: Path, **wishes):
    """A request for a small run into `folder`; settings and the request's fields by name."""
    from charrnn_cli.training.request import Request

    fields = set(Request.__dataclass_fields__)
    given = {name: value for name, value in wishes.items() if name not in fields}
    if "resume" not in wishes:
        sizes = {"hidden_size": 12, "num_layers": 2, "batch_size": 4, "seq_length": 16}
        given = sizes | {"epochs": 1.5} | given
    return Request(
        sources=() if text is None else (str(text),),
        given={name: value for name, value in given.items() if value is not None},
        checkpoints=folder,
        started=time.monotonic(),
        **({"device": "cpu"} | {name: wishes[name] for name in wishes if name in fields}),
    )


def train(text: Path | None, folder: Path, stop_at: float = math.inf, **wishes):
    """Train to the end, or to step `stop_at`; return the events and the trainer."""
    from charrnn_cli.training.setup import open_training

    with open_training(ask_to_train(text, folder, **wishes)) as training:
        trainer = training.trainer
        events = list(trainer.steps(lambda: trainer.progress.step >= stop_at))
    return events, trainer


# samples and commands


def logits_of(*chances: float) -> np.ndarray:
    """Logits of a model that gives the characters these chances."""
    return np.log(np.array(chances)).astype(np.float32)


def ask_to_write(folder: Path, **wishes) -> Samples:
    """The samples of a run in `folder`; the request's fields by name."""
    request = SampleRequest(None, folder, SamplingConfig(), random_seed=0, length=20)
    return open_samples(dataclasses.replace(request, **wishes))


def texts(samples: Samples) -> list[str]:
    """The samples whole, in their order."""
    whole = [""] * samples.request.num_samples
    for index, piece in samples.draw():
        whole[index] += piece
    return whole


def one_line_error(result, code: int) -> str:
    """Check that a command failed as DESIGN says: one line on stderr, nothing on stdout."""
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("random seed")]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]


# losses


def history(*losses, rate=0.1):
    """Records of evaluations at steps 10, 20, …, each with its training and held-out loss."""
    return [
        {"step": 10 * n, "train_loss": train, "val_loss": held_out, "learning_rate": rate}
        for n, (train, held_out) in enumerate(losses, start=1)
    ]
