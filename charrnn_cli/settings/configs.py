"""The configurations: groups of settings, each checked against its limits."""

from dataclasses import asdict, dataclass
from typing import Any

from charrnn_cli.errors import UsageError
from charrnn_cli.settings.table import check_all

# The values of fields of TrainConfig that a checkpoint of format 2 leaves out.
MEANT_BY_FORMAT_2 = {"schedule": "cosine", "shuffle": False, "label_smoothing": 0.0}
# The values of fields of TrainConfig that checkpoints of format 3 leave out, too.
MEANT_BY_FORMAT_3 = {"lines": False, "hold_out": "end", "normalize": "none"}


class _Checked:
    """Checks each field that is a setting; None is always allowed and means off."""

    def __post_init__(self) -> None:
        check_all(vars(self))


@dataclass(frozen=True)
class TrainConfig(_Checked):
    """How a model is trained. The run ends at `epochs` or `minutes`, whichever comes first.

    Raises UsageError for a value outside its limits, or if both `epochs` and `minutes` are None.
    """

    epochs: float | None
    """Passes over the training part of the text."""
    minutes: float | None
    """Time limit of the run in minutes."""
    batch_size: int
    """Batch rows: windows that are read in parallel in one step."""
    seq_length: int
    """Length of a window in characters; gradients do not reach further back."""
    learning_rate: float
    """Highest learning rate, reached after the warm-up."""
    optimizer: str
    """`muon` (with AdamW for all but matrices) or `adamw`."""
    grad_clip: float
    """Highest norm of the gradients of all parameters together."""
    val_fraction: float
    """Fraction of the text that is held out; see `hold_out`."""
    patience: int | None
    """Evaluations without a new best held-out loss after which the run ends."""
    random_seed: int
    """Seed of the initial weights, of dropout and of the order of the text."""
    eval_every: int
    """Steps between two evaluations."""
    precision: str = "float32"
    """Precision of matrix products: `float32`, `bfloat16` or `float16`."""
    min_count: int = 1
    """Characters that occur fewer times in the text are read as U+FFFD."""
    warmup: float = 0.05  # short enough to cost nothing, long enough to stay stable
    """Fraction of the run in which the learning rate rises linearly."""
    weight_decay: float = 0.01  # PyTorch's default for AdamW
    """Decoupled weight decay: the learning rate times this is the fraction lost per step."""
    schedule: str = "cosine"
    """How the learning rate falls: `cosine`, `linear` or `averaged`, see `training.optimizer`. With
    `averaged`, an average of the weights is evaluated and stored, see `training.averaging`."""
    shuffle: bool = False
    """Whether windows are read in random order, for models that carry no state."""
    lines: bool = False
    """Whether each line of the text is an item of its own."""
    hold_out: str = "end"
    """What is held out: the `end` of the text, or of each of its documents; whole `documents`;
    `blocks` spread over the text; or a `text` of the user's own. Of lines, items are drawn."""
    label_smoothing: float = 0.0
    """Probability that the loss of training spreads evenly over all characters."""
    normalize: str = "none"
    """Unicode's normal form in which texts are read, `NFC` or `NFD`; `none`: as they are."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs is None and self.minutes is None:
            raise UsageError("a run needs an end: give --epochs or --minutes.")

    def to_dict(self) -> dict[str, Any]:
        """The fields as a checkpoint stores them.

        Fields that earlier formats leave out are stored only if they differ from what those mean.
        """
        values = asdict(self)
        for name, meant in (MEANT_BY_FORMAT_2 | MEANT_BY_FORMAT_3).items():
            if values[name] == meant:
                del values[name]
        return values


@dataclass(frozen=True)
class SamplingConfig(_Checked):
    """How the next character is drawn; None means off.

    Raises UsageError for a value outside its limits.
    """

    temperature: float = 1.0
    """Logits are divided by it; 0 always takes the most likely character."""
    top_k: int | None = None
    """Only so many of the most likely characters are drawn from."""
    top_p: float | None = None
    """Only the most likely characters that together have this probability are drawn from."""
    min_p: float | None = None
    """Only characters with at least this fraction of the highest probability are drawn from."""
