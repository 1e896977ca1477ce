"""Checkpoints: one safetensors file each, that no crash spoils, read with distrust."""

import itertools
import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as serialize_tensors

from charrnn_cli.checkpoints.format import Array as Array  # part of what a checkpoint is
from charrnn_cli.checkpoints.format import check_tensors, oldest_format, read_header, sealed
from charrnn_cli.checkpoints.records import (
    LARGEST,
    Baselines,
    CorpusInfo,
    Progress,
    checked,
    from_json,
    history_record,
    typed,
)
from charrnn_cli.config import TrainConfig
from charrnn_cli.errors import CheckpointError, UsageError
from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.registry import config_class, stored_fields
from charrnn_cli.settings import check_all
from charrnn_cli.text.vocabulary import REPLACEMENT, Vocabulary

MOST = 2**53 - 1  # of a counted number: a float holds all whole numbers up to it

STATE = "hidden."  # what the names of a model's carried state begin with, in `last`

# what reading a file that is not as it should be can raise
_DAMAGE = (
    AttributeError, KeyError, OverflowError, RecursionError, SafetensorError, TypeError, UsageError,
    ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """All that a checkpoint file holds. `training` has what only a resume needs, or is empty."""

    model: ModelConfig
    train: TrainConfig
    vocabulary: Vocabulary
    corpus: CorpusInfo
    progress: Progress
    weights: Mapping[str, Array]
    training: Mapping[str, Array] = field(default_factory=dict)
    history: tuple[Mapping[str, float], ...] = ()
    torch_version: str = ""
    threads: int = 0
    format: int = 2  # of the file that it was read from
    device: str | None = None  # this and `baselines` are None in files of earlier versions
    baselines: Baselines | None = None

    @property
    def folds(self) -> bool:
        """Whether the model reads characters that it does not know as U+FFFD: with --min-count it
        learned rare ones so."""
        return self.train.min_count > 1 and REPLACEMENT in self.vocabulary

    @property
    def val_loss(self) -> float | None:
        """The held-out loss of these weights in nats per character, if it was measured."""
        last = self.history[-1] if self.history else {}
        return last.get("val_loss") if last.get("step") == self.progress.step else None


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """The file's content; equal checkpoints give equal bytes."""
    model, train = checkpoint.model.to_dict(), checkpoint.train.to_dict()
    header = {
        "format": oldest_format(model, train),
        "model": model,
        "train": train,
        "vocabulary": checkpoint.vocabulary.code_points.tolist(),
        "corpus": vars(checkpoint.corpus),
        "progress": vars(checkpoint.progress),
        "history": list(map(dict, checkpoint.history)),
        "torch": checkpoint.torch_version,
        "threads": checkpoint.threads,
    }
    if checkpoint.device is not None:
        header["device"] = checkpoint.device
    if checkpoint.baselines is not None:
        header["marks"] = vars(checkpoint.baselines)
    tensors = {**checkpoint.weights, **checkpoint.training}
    header = sealed(header, tensors)
    # one key only: the library writes several in random order
    metadata = {"charrnn": json.dumps(header, sort_keys=True, allow_nan=False)}
    return serialize_tensors(tensors, metadata)


def load(path: Path, *, training: bool = False) -> Checkpoint:
    """Read and check a checkpoint; with `training`, one that a run can be resumed from.

    Raises CheckpointError, naming the file, for anything that is not exactly what its own
    configuration says must be there. Nothing in a file is ever executed.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe, for one, would wait to be opened
            raise CheckpointError(f"{path}: is not a file. Give a checkpoint file or a run's name.")
        with open(path, "rb") as file:  # once: a training may replace it meanwhile
            start, header = read_header(path, file)
            checkpoint = _from_header(header)
            shapes = checkpoint.model.parameter_shapes()
            size = os.fstat(file.fileno()).st_size - len(start)
            state_shapes = _state_shapes(checkpoint, size)
            _check_memory(path, size)
            tensors = parse_tensors(start + file.read())
        weights = _take(tensors, shapes)
        state = _take(tensors, state_shapes)
        if tensors:
            raise ValueError(f"unknown tensor {sorted(tensors)[0][:60]!r}")
        check_tensors(header, weights | state)
    except _DAMAGE as error:
        raise CheckpointError(f"{path}: damaged or foreign checkpoint ({error!s:.200}).") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}).") from None
    if training and not state:
        raise CheckpointError(
            f"{path}: holds no training state, so it cannot be resumed. Use --init-from instead."
        )
    return replace(checkpoint, weights=weights, training=state)


def peek(path: Path) -> Checkpoint:
    """A checkpoint without its tensors, whose size alone is checked. Raises CheckpointError."""
    try:
        if not path.is_file():
            raise CheckpointError(f"{path}: is not a file.")
        with open(path, "rb") as file:
            start, header = read_header(path, file)
            checkpoint = _from_header(header)
            _state_shapes(checkpoint, os.fstat(file.fileno()).st_size - len(start))
            return checkpoint
    except _DAMAGE as error:
        raise CheckpointError(f"{path}: damaged or foreign checkpoint ({error!s:.200}).") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}).") from None


def _state_shapes(checkpoint: Checkpoint, size: int) -> dict[str, tuple[int, ...]]:
    """The tensors of training state in a file that has so many bytes of tensors: all or none.

    Raises ValueError if neither fits.
    """
    shapes, state_shapes = checkpoint.model.parameter_shapes(), training_shapes(checkpoint)
    if size == _bytes_of(shapes):
        return {}
    if size != _bytes_of(shapes | state_shapes):
        raise ValueError("its size does not fit its model")
    return state_shapes


def training_shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    """Name and shape of the optimizer's state, the state carried over and the loss scale."""
    model, train = checkpoint.model, checkpoint.train
    shapes = {
        f"optimizer.{moment}.{name}": shape
        for name, shape in model.parameter_shapes().items()
        for moment in moments(model, train, name)
    }
    for name, shape in model.state_shapes(train.batch_size).items():
        shapes[f"{STATE}{name}"] = shape
    if train.precision == "float16":
        shapes["loss_scale"] = (2,)
    return shapes


def moments(model: ModelConfig, train: TrainConfig, name: str) -> tuple[str, ...]:
    """What the optimizer remembers of a parameter, each of the parameter's shape."""
    if train.optimizer == "muon" and name in model.matrices():
        return ("momentum",)
    return ("exp_avg", "exp_avg_sq")


def _from_header(header: dict[str, Any]) -> Checkpoint:
    """The checkpoint without its tensors. Raises one of `_DAMAGE`."""
    checkpoint = Checkpoint(
        model=_model_config(header["model"]),
        train=from_json(TrainConfig, header["train"]),
        vocabulary=Vocabulary(header["vocabulary"]),
        corpus=from_json(CorpusInfo, header["corpus"]),
        progress=from_json(Progress, header["progress"]),
        weights={},
        history=tuple(history_record(record) for record in header["history"]),
        torch_version=typed("torch", header["torch"], str),
        threads=typed("threads", header["threads"], int),
        format=header["format"],
        device=typed("device", header["device"], str) if "device" in header else None,
        baselines=from_json(Baselines, header["marks"]) if "marks" in header else None,
    )
    check_all({"threads": checkpoint.threads or None})
    if len(checkpoint.vocabulary) != checkpoint.model.vocabulary_size:
        raise ValueError("vocabulary and model differ in size")
    _check_numbers(checkpoint)
    return checkpoint


def _model_config(values: Any) -> ModelConfig:
    """A model's configuration from its stored form. Raises one of `_DAMAGE`."""
    architecture = typed("model", values["model"], str)
    sizes = checked(values, stored_fields(architecture))
    return config_class(architecture)(architecture=sizes.pop("model"), **sizes)


def _check_numbers(checkpoint: Checkpoint) -> None:
    """Raise ValueError for numbers that no training comes to."""
    progress, baselines = checkpoint.progress, checkpoint.baselines
    numbers = vars(progress) | {"characters": checkpoint.corpus.characters}
    numbers |= {} if baselines is None else vars(baselines)
    most = {"best_step": progress.step, "optimizer_began": progress.step}
    for name, value in numbers.items():
        limit = most.get(name, MOST if type(value) is int else LARGEST)
        if value is not None and not 0 <= value <= limit:
            raise ValueError(f"{name} is {value!s:.60}")
    steps = [-1, *(record["step"] for record in checkpoint.history), progress.step + 1]
    if any(step >= after for step, after in itertools.pairwise(steps)):
        raise ValueError("the steps of its history do not rise up to its own")


def _check_memory(path: Path, size: int) -> None:
    """Refuse what this machine could not hold, such as a file that is all hole, unread."""
    if not hasattr(os, "sysconf"):
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if 3 * size > memory:  # it is there as bytes and as arrays for a moment
        raise CheckpointError(
            f"{path}: needs {3 * size / 1e9:,.0f} GB of memory; this machine has "
            f"{memory / 1e9:,.0f} GB."
        )


def _bytes_of(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return sum(4 * math.prod(shape) for shape in shapes.values())


def _take(tensors: dict[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Take out the tensors of these names, checking shape, type and that all is finite."""
    taken = {}
    for name, shape in shapes.items():
        if name not in tensors:
            raise ValueError(f"tensor {name} is missing")
        tensor = tensors.pop(name)
        if tensor.shape != shape or tensor.dtype != np.float32:
            raise ValueError(f"{name} is {tensor.dtype} {tensor.shape}, not float32 {shape}")
        if not np.isfinite(tensor).all():
            raise ValueError(f"{name} holds values that are not finite")
        taken[name] = tensor
    return taken
