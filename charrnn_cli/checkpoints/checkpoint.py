"""Checkpoints: reading and checking a safetensors file, and serialising one."""

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
from charrnn_cli.checkpoints.pairs_info import PairsInfo
from charrnn_cli.checkpoints.pairs_info import from_json as pairs_from_json
from charrnn_cli.checkpoints.pairs_info import to_json as pairs_to_json
from charrnn_cli.checkpoints.records import (
    MAX_VALUE,
    AnyBaselines,
    Baselines,
    CorpusInfo,
    PairBaselines,
    Progress,
    checked,
    from_json,
    history_record,
    typed,
)
from charrnn_cli.errors import CheckpointError, UsageError
from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.registry import config_class, stored_fields
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.settings.table import AVERAGED, check_all
from charrnn_cli.text.vocabulary import REPLACEMENT, Vocabulary

# The largest count, such as of steps, that is accepted: floats hold all integers up to it exactly.
MAX_COUNT = 2**53 - 1

STATE = "hidden."  # The tensors of a model's carried state have names with this prefix.

# The exceptions that parsing a damaged or foreign file can raise.
_DAMAGE = (
    AttributeError, KeyError, OverflowError, RecursionError, SafetensorError, TypeError, UsageError,
    ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint file.

    `weights` are by parameter name. `training` holds the tensors that only a resume needs: the
    optimizer's state, the carried state and the loss scale; it is empty in `best`. `history` has a
    record for each evaluation. `threads` is the number of CPU threads, 0 for several processes.
    `format` is that of the file it was read from. `device` and `baselines` are None in files of
    earlier versions. `pairs` is None for a language model; for a model of pairs, `vocabulary` holds
    the characters of the targets. `val_text` identifies a held-out text of the user's own.
    """

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
    format: int = 2
    device: str | None = None
    baselines: AnyBaselines | None = None
    pairs: PairsInfo | None = None
    val_text: CorpusInfo | None = None

    @property
    def reads_replacement(self) -> bool:
        """Whether the model reads unknown characters as U+FFFD, as it learned rare ones with
        --min-count."""
        return self.train.min_count > 1 and REPLACEMENT in self.vocabulary

    @property
    def val_loss(self) -> float | None:
        """The held-out loss of these weights in nats per character; None if it was not measured."""
        last = self.history[-1] if self.history else {}
        return last.get("val_loss") if last.get("step") == self.progress.step else None


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """A checkpoint as the bytes of a file; equal checkpoints give equal bytes."""
    model, train = checkpoint.model.to_dict(), checkpoint.train.to_dict()
    header = {
        "model": model,
        "train": train,
        "vocabulary": checkpoint.vocabulary.code_points.tolist(),
        "corpus": checkpoint.corpus.to_dict(),
        "progress": vars(checkpoint.progress),
        "history": list(map(dict, checkpoint.history)),
        "torch": checkpoint.torch_version,
        "threads": checkpoint.threads,
    }
    header |= {} if checkpoint.device is None else {"device": checkpoint.device}
    header |= {} if checkpoint.baselines is None else {"marks": vars(checkpoint.baselines)}
    header |= {} if checkpoint.pairs is None else {"pairs": pairs_to_json(checkpoint.pairs)}
    header |= {} if checkpoint.val_text is None else {"val_text": checkpoint.val_text.to_dict()}
    header["format"] = oldest_format(header)
    tensors = {**checkpoint.weights, **checkpoint.training}
    # one key only: the library writes several in random order
    metadata = {"charrnn": json.dumps(sealed(header, tensors), sort_keys=True, allow_nan=False)}
    return serialize_tensors(tensors, metadata)


def load(path: Path, *, training: bool = False) -> Checkpoint:
    """Read a checkpoint and check it; with `training`, require the state that a resume needs.

    Raises CheckpointError that names the file, if its content is not exactly what its configuration
    requires. Nothing in the file is executed.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would block
            raise CheckpointError(f"{path}: is not a file. Give a checkpoint file or a run's name.")
        with open(path, "rb") as file:  # opened once: a training run may replace it
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
    """Read a checkpoint without its tensors, of which only the size is checked.

    Raises CheckpointError.
    """
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
    """Name and shape of the training state's tensors in a file with `size` bytes of tensors.

    A file has all of them or none. Raises ValueError if the size fits neither.
    """
    shapes, state_shapes = checkpoint.model.parameter_shapes(), training_shapes(checkpoint)
    if size == _bytes_of(shapes):
        return {}
    if size != _bytes_of(shapes | state_shapes):
        raise ValueError("its size does not fit its model")
    return state_shapes


def training_shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    """Name and shape of the tensors that a resume needs: the optimizer's state, the model's carried
    state and the loss scale."""
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
    """The optimizer's moments of a parameter, each with its shape; before averaging, itself."""
    of_muon = train.optimizer == "muon" and name in model.matrices()
    own = ("unaveraged",) if train.schedule == AVERAGED else ()
    return (*(("momentum",) if of_muon else ("exp_avg", "exp_avg_sq")), *own)


def _from_header(header: dict[str, Any]) -> Checkpoint:
    """The checkpoint of a header, without tensors. Raises one of `_DAMAGE`."""
    vocabulary = Vocabulary(header["vocabulary"])
    pairs = pairs_from_json(header["pairs"], vocabulary) if "pairs" in header else None
    baselines = Baselines if pairs is None else PairBaselines
    checkpoint = Checkpoint(
        model=_model_config(header["model"]),
        train=from_json(TrainConfig, header["train"]),
        vocabulary=vocabulary,
        corpus=CorpusInfo.from_dict(header["corpus"]),
        progress=from_json(Progress, header["progress"]),
        weights={},
        history=tuple(history_record(record) for record in header["history"]),
        torch_version=typed("torch", header["torch"], str),
        threads=typed("threads", header["threads"], int),
        format=header["format"],
        device=typed("device", header["device"], str) if "device" in header else None,
        baselines=from_json(baselines, header["marks"]) if "marks" in header else None,
        pairs=pairs,
        val_text=CorpusInfo.from_dict(header["val_text"]) if "val_text" in header else None,
    )
    check_all({"threads": checkpoint.threads or None})
    _check_vocabularies(checkpoint)
    _check_numbers(checkpoint)
    return checkpoint


def _model_config(values: Any) -> ModelConfig:
    """A model's configuration from its stored form. Raises one of `_DAMAGE`."""
    architecture = typed("model", values["model"], str)
    cls = config_class(architecture)
    sizes = checked({**cls.defaults_when_absent, **values}, stored_fields(architecture))
    return cls(architecture=sizes.pop("model"), **sizes)


def _check_vocabularies(checkpoint: Checkpoint) -> None:
    """Raise ValueError if the vocabularies are not as large as the model needs them."""
    pairs = checkpoint.pairs
    sizes = (len(checkpoint.vocabulary), None) if pairs is None else pairs.vocabulary_sizes
    if sizes != checkpoint.model.vocabulary_sizes:
        raise ValueError("vocabulary and model differ in size")


def _check_numbers(checkpoint: Checkpoint) -> None:
    """Raise ValueError for numbers that training cannot produce."""
    progress, baselines = checkpoint.progress, checkpoint.baselines
    numbers = vars(progress) | {"characters": checkpoint.corpus.characters}
    stored = {} if baselines is None else vars(baselines)
    numbers |= {name: value for name, value in stored.items() if type(value) is not str}
    limits = {"best_step": progress.step, "optimizer_began": progress.step}
    for name, value in numbers.items():
        limit = limits.get(name, MAX_COUNT if type(value) is int else MAX_VALUE)
        if value is not None and not 0 <= value <= limit:
            raise ValueError(f"{name} is {value!s:.60}")
    steps = [-1, *(record["step"] for record in checkpoint.history), progress.step + 1]
    if any(step >= after for step, after in itertools.pairwise(steps)):
        raise ValueError("the steps of its history do not rise up to its own")


def _check_memory(path: Path, size: int) -> None:
    """Raise CheckpointError, before reading, if a file of `size` bytes does not fit in memory.

    A sparse file, for example, can have a size that no machine could hold.
    """
    if not hasattr(os, "sysconf"):
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if 3 * size > memory:  # for a moment the bytes are held twice, and the arrays once
        raise CheckpointError(
            f"{path}: needs {3 * size / 1e9:,.0f} GB of memory; this machine has "
            f"{memory / 1e9:,.0f} GB."
        )


def _bytes_of(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return sum(4 * math.prod(shape) for shape in shapes.values())


def _take(tensors: dict[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Remove the tensors of these names from `tensors` and return them.

    Raises ValueError for a missing one, a wrong shape or type, or values that are not finite.
    """
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
