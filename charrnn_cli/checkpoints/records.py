"""The records of a training run in a checkpoint, and how they are read from their stored form."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from charrnn_cli.checkpoints.format import SEVERAL_FILES
from charrnn_cli.text.dataset import Identified

# The largest measured number, such as a loss, that is accepted: float32 numbers are below it.
MAX_VALUE = 1e39


@dataclass(frozen=True)
class CorpusInfo:
    """Identifies the text that a model was trained on.

    `sha256` is the checksum of the bytes as read, and `characters` the length of the text. `path`
    is stored only in `last`, for --resume. A text of several files has their checksums in
    `file_sha256s`, and in `last` its `sources`, absolute paths of files and folders, with the
    `glob` of the names that are read in folders.
    """

    name: str
    sha256: str
    characters: int
    path: str | None = None
    sources: tuple[str, ...] = ()
    glob: str | None = None
    file_sha256s: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The fields as a checkpoint stores them: those of several files only if there are."""
        values = asdict(self)
        return {name: value for name, value in values.items() if value or name not in SEVERAL_FILES}

    @classmethod
    def of(cls, text: Identified, *, private: bool) -> "CorpusInfo":
        """What identifies a text. Only a `private` record holds paths: others are shared."""
        reading = text.reading
        return cls(
            name=Path(text.name).name,
            sha256=text.sha256,
            characters=len(text),
            path=text.path if private else None,
            sources=reading.sources if private else (),
            glob=reading.glob if private else None,
            file_sha256s=reading.file_sha256s,
        )

    @classmethod
    def from_dict(cls, values: Any) -> "CorpusInfo":
        """The record that was stored. Raises ValueError."""
        lacking = {name: cls.__dict__[name] for name in SEVERAL_FILES - set(values)}
        return cls(**checked(lacking | values, {f.name: f.type for f in fields(cls)}))


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    `step` is the number of optimizer steps, `epoch` the number of passes over the text. `loss_sum`
    is the sum of the steps' losses since the last evaluation, in nats per character, as is
    `best_val_loss`. `since_best` counts evaluations since the best one. `seconds` is the time spent
    on the run; it is stored only for runs with a time limit, so that other equal runs give equal
    bytes. `optimizer_began` is the step at which the optimizer's moments were zero: 0, or the step
    of `best` for a run that was resumed from it, since `best` holds no moments.
    """

    step: int = 0
    epoch: float = 0.0
    loss_sum: float = 0.0
    best_val_loss: float | None = None
    best_step: int = 0
    since_best: int = 0
    seconds: float | None = None
    finished: bool = False
    optimizer_began: int = 0


@dataclass(frozen=True)
class Baselines:
    """Held-out losses of three simple models, in nats per character, on the same characters as the
    network's held-out loss.

    `uniform` gives all characters of the vocabulary the same probability. `unigram` uses character
    frequencies with add-one smoothing. `five_gram` predicts from the last four characters, with
    interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999). The last two were estimated
    on the last `counted` training characters. Raises ValueError for values that no text can give.
    """

    uniform: float
    unigram: float
    five_gram: float
    counted: int

    def __post_init__(self) -> None:
        if min(self.uniform, self.unigram, self.five_gram) <= 0 or self.counted < 1:
            raise ValueError("baselines must be above 0")


@dataclass(frozen=True)
class PairBaselines:
    """What a model of pairs is measured by: the share of the held-out targets that two rules get
    right, among the pairs whose exact matches are counted.

    `copy` writes the source itself, `most_frequent` the training part's most frequent target, which
    is `target`. Raises ValueError for values that no pairs can give.
    """

    copy: float
    most_frequent: float
    target: str

    def __post_init__(self) -> None:
        if not (0 <= self.copy <= 1 and 0 <= self.most_frequent <= 1):
            raise ValueError("baselines of pairs must be shares")


AnyBaselines = Baselines | PairBaselines
"""Of a text, or of pairs."""


def typed(name: str, value: Any, kind: Any) -> Any:
    """The value, with its type checked against the annotation `kind`.

    An int is accepted and converted where a float is expected. Raises ValueError for another type,
    or a float that is not finite.
    """
    if kind == tuple[str, ...]:
        if not isinstance(value, (list, tuple)) or any(type(item) is not str for item in value):
            raise ValueError(f"{name} is {str(value)[:60]!r}")
        return tuple(value)
    kinds = getattr(kind, "__args__", (kind,))
    if type(value) is int and int not in kinds and float in kinds:
        value = float(value)
    if type(value) not in kinds or (isinstance(value, float) and not np.isfinite(value)):
        raise ValueError(f"{name} is {str(value)[:60]!r}")
    return value


def from_json(cls: type, values: Any) -> Any:
    """Build an instance of a dataclass, whose fields must be exactly `values`, with their types.

    Raises ValueError.
    """
    return cls(**checked(values, {f.name: f.type for f in fields(cls)}))


def checked(values: Any, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The values, checked to have exactly the names and types of `kinds`. Raises ValueError."""
    if set(values) != set(kinds):
        raise ValueError(f"must have exactly the fields {', '.join(kinds)}")
    return {name: typed(name, values[name], kind) for name, kind in kinds.items()}


def history_record(record: Any) -> dict[str, float]:
    """One evaluation of a run's history, checked. Raises ValueError for impossible numbers."""
    if not record.keys() >= {"step", "train_loss", "val_loss"}:
        raise ValueError("a record of the history lacks its step or losses")
    values = {name: typed(name, value, float) for name, value in record.items() if name != "step"}
    for name, value in values.items():
        if not (0 if name.endswith("_loss") else -MAX_VALUE) <= value <= MAX_VALUE:
            raise ValueError(f"{name} is {value}")
    return {"step": typed("step", record["step"], int), **values}
