"""Which evaluation of a run is its best."""

from collections.abc import Mapping, Sequence

from charrnn_cli.checkpoints.pairs_info import PairsInfo
from charrnn_cli.checkpoints.records import AnyBaselines, Baselines, Progress
from charrnn_cli.training.events import Accuracy, Evaluated

# A held-out loss above the unigram baseline by more than this chooses no best and stops no run.
UNIGRAM_MARGIN = 0.02

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
    pairs: PairsInfo | None = None,
    baselines: AnyBaselines | None = None,
) -> bool:
    """Whether an evaluation is better than all before.

    It is by its loss; or of `pairs` whose `best_by` is exact, by its exact matches and, where they
    are equal, by its loss. As long as no held-out loss of a text was under the unigram baseline,
    losses say nothing of what was learned: the newest weights are the best then.
    """
    so_far, best = progress.best_val_loss, best_record(progress, history)
    if so_far is None:
        return True
    if pairs is not None and pairs.best_by == "exact" and accuracy is not None and best is not None:
        return (-accuracy.exact_matches, val_loss) < (-best["exact_matches"], so_far)
    if isinstance(baselines, Baselines) and so_far > baselines.unigram + UNIGRAM_MARGIN:
        return True
    return val_loss < so_far


def beats(
    evaluation: Evaluated,
    other: Record | None,
    pairs: PairsInfo | None = None,
    baselines: AnyBaselines | None = None,
) -> bool:
    """Whether an evaluation is better than that of a `best` from another course of the run, or is
    that very one made again; True if there is no other."""
    if other is None or evaluation.remembered() == other:
        return True
    so_far = Progress(best_val_loss=other["val_loss"], best_step=int(other["step"]))
    return is_best(evaluation.val_loss, evaluation.accuracy, so_far, (other,), pairs, baselines)
