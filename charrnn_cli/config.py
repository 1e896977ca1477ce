"""The configurations: settings that belong together, checked against their limits."""

from dataclasses import asdict, dataclass
from typing import Any

from charrnn_cli.errors import UsageError
from charrnn_cli.settings import check_all

# what a checkpoint of format 2 means by leaving these fields of TrainConfig out
MEANT_BY_FORMAT_2 = {"schedule": "cosine", "shuffle": False}


class _Checked:
    """Checks each field that is a setting; None means off."""

    def __post_init__(self) -> None:
        check_all(vars(self))


@dataclass(frozen=True)
class TrainConfig(_Checked):
    """How a model is trained. The run ends at `epochs` or `minutes`, whichever comes first.

    Raises UsageError for a value outside its limits, or if neither end is given.
    """

    epochs: float | None
    minutes: float | None
    batch_size: int
    seq_length: int
    learning_rate: float
    optimizer: str
    grad_clip: float
    val_fraction: float
    patience: int | None
    random_seed: int
    eval_every: int
    precision: str = "float32"
    min_count: int = 1
    warmup: float = 0.05  # short enough to cost nothing, long enough to stay stable
    weight_decay: float = 0.01  # PyTorch's own default for AdamW
    schedule: str = "cosine"  # of the learning rate after its warm-up; see `training.optimizer`
    shuffle: bool = False  # windows in random order, for models that carry no state

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs is None and self.minutes is None:
            raise UsageError("a run needs an end: give --epochs or --minutes.")

    def to_dict(self) -> dict[str, Any]:
        """The fields as a checkpoint stores them: those that format 2 lacks only if they differ
        from what it means."""
        values = asdict(self)
        for name, meant in MEANT_BY_FORMAT_2.items():
            if values[name] == meant:
                del values[name]
        return values


@dataclass(frozen=True)
class SamplingConfig(_Checked):
    """How the next character is chosen; None means off.

    Raises UsageError for a value outside its limits.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
