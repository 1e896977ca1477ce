"""What a checkpoint remembers of a training besides the weights, each built from its stored
form."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

LARGEST = 1e39  # of a measured number: single precision, in which a model is trained, ends below it


@dataclass(frozen=True)
class CorpusInfo:
    """What a checkpoint remembers of its text; `path` is kept only in `last`, for --resume."""

    name: str
    sha256: str
    characters: int
    path: str | None = None


@dataclass(frozen=True)
class Progress:
    """How far a run is. `loss_sum` adds up the steps' losses since the last evaluation.

    `seconds` is kept for runs with a time limit only: without it equal runs give equal bytes.
    `optimizer_began` is the step at which its moments were zero: 0, but for a run taken up from
    `best`, which has none.
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
    """Losses of models that are no network, in nats per character on the characters that the
    model's held-out loss is of.

    `uniform` knows the size of the vocabulary alone, `unigram` how frequent each character is
    (add-one smoothing), `five_gram` what follows each four characters: interpolated, with modified
    Kneser-Ney smoothing (Chen and Goodman 1999). The last two were counted on the last `counted`
    training characters. Raises ValueError for what no text can give.
    """

    uniform: float
    unigram: float
    five_gram: float
    counted: int

    def __post_init__(self) -> None:
        if min(self.uniform, self.unigram, self.five_gram) <= 0 or self.counted < 1:
            raise ValueError("baselines must be above 0")


def typed(name: str, value: Any, kind: Any) -> Any:
    """The value, if its type is what the annotation `kind` says; JSON's 1 is a float as well."""
    kinds = getattr(kind, "__args__", (kind,))
    if type(value) is int and int not in kinds and float in kinds:
        value = float(value)
    if type(value) not in kinds or (isinstance(value, float) and not np.isfinite(value)):
        raise ValueError(f"{name} is {str(value)[:60]!r}")
    return value


def from_json(cls: type, values: Any) -> Any:
    """Build a configuration whose fields are exactly `values`, each of the right type."""
    return cls(**checked(values, {f.name: f.type for f in fields(cls)}))


def checked(values: Any, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The values, if they are exactly those of `kinds`, each of the right type. Raises
    ValueError."""
    if set(values) != set(kinds):
        raise ValueError(f"must have exactly the fields {', '.join(kinds)}")
    return {name: typed(name, values[name], kind) for name, kind in kinds.items()}


def history_record(record: Any) -> dict[str, float]:
    """One evaluation of a run's history. Raises ValueError for numbers that none comes to."""
    if not record.keys() >= {"step", "train_loss", "val_loss"}:
        raise ValueError("a record of the history lacks its step or losses")
    values = {name: typed(name, value, float) for name, value in record.items() if name != "step"}
    for name, value in values.items():
        if not (0 if name.endswith("_loss") else -LARGEST) <= value <= LARGEST:
            raise ValueError(f"{name} is {value}")
    return {"step": typed("step", record["step"], int), **values}
