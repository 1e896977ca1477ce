"""Which evaluation of a run is its best, and what it was measured on."""

from collections.abc import Mapping, Sequence

from charrnn_cli.checkpoints.pairs_info import PairsInfo
from charrnn_cli.checkpoints.records import CorpusInfo, Progress
from charrnn_cli.text.dataset import Dataset
from charrnn_cli.text.pairs import Pairs
from charrnn_cli.training.events import Accuracy

Record = Mapping[str, float]


def best_record(progress: Progress, history: Sequence[Record]) -> Record | None:
    """The best evaluation so far, as the history has it; None if there is none."""
    if progress.best_val_loss is None:
        return None
    return next((record for record in history if record["step"] == progress.best_step), None)


def is_best(
    val_loss: float,
    accuracy: Accuracy | None,
    progress: Progress,
    history: Sequence[Record],
    pairs: PairsInfo | None,
) -> bool:
    """Whether an evaluation is better than all before.

    It is by its loss; or of `pairs` whose `best_by` is exact, by its exact matches and, where they
    are equal, by its loss.
    """
    best = best_record(progress, history)
    if best is None or progress.best_val_loss is None:
        return progress.best_val_loss is None or val_loss < progress.best_val_loss
    if accuracy is None or pairs is None or pairs.best_by == "loss":
        return val_loss < progress.best_val_loss
    return (-accuracy.exact_matches, val_loss) < (-best["exact_matches"], progress.best_val_loss)


def val_text_info(dataset: Dataset, *, with_path: bool) -> CorpusInfo | None:
    """The file of --val-text as a checkpoint stores it; None without one."""
    if not isinstance(dataset, Pairs) or dataset.val_text is None:
        return None
    name, sha256, characters, path = dataset.val_text
    return CorpusInfo(name, sha256, characters, path if with_path else None)
