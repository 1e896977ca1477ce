"""How a run ended, from its losses: whether more time would help or harm."""

from collections.abc import Mapping, Sequence
from typing import Literal

Diagnosis = Literal["improving", "settled", "overfitting", "unclear"]

MIN_EVALUATIONS = 4  # fewer evaluations give no diagnosis
FINAL_SHARE = 1 / 3  # the end of a run is this share of its steps
OVERFIT_NATS = 0.01  # a rise of the held-out loss above this is more than noise, in nats
EXACT_NOISE = 0.01  # a change of the share of exact matches above this is more than noise
# A run still improves if its held-out loss drops by this share of its training loss's drop.
MIN_VAL_TO_TRAIN_DROP = 0.2


def diagnosis(
    history: Sequence[Mapping[str, float]],
    chance: float = 0.0,
    earlier_best: Mapping[str, float] | None = None,
) -> Diagnosis:
    """How a run ended, from the `train_loss` and `val_loss` of its evaluations.

    `earlier_best` is the best evaluation of an earlier course of the run, if that was not beaten.
    `overfitting`: the held-out loss rose from its best or from that one, by more than `chance` in
    nats, while the training loss still dropped.
    `improving`: both losses still dropped. `settled`: neither of these. `unclear`: there are too
    few evaluations to say.
    """
    if len(history) < MIN_EVALUATIONS:
        return "unclear"
    losses = [record["val_loss"] for record in history]
    best = min(range(len(losses)), key=losses.__getitem__)
    bests = [history[best]]
    if earlier_best is not None and "train_loss" in earlier_best:  # a file of others may lack it
        bests.append(earlier_best)
    for record in bests:
        since = (record, history[-1])
        rise = -_drop(since, "val_loss")
        if rise > max(OVERFIT_NATS, chance) and _drop(since, "train_loss") > 0:
            return "overfitting"
    begin = (1 - FINAL_SHARE) * history[-1]["step"]  # by steps: evaluations may be uneven
    count = sum(record["step"] >= begin for record in history)
    end = history[-count - 1 :]  # with the evaluation before, for the loss at its beginning
    train_drop = max(OVERFIT_NATS, _drop(end, "train_loss"))
    if _drop(end, "val_loss") > MIN_VAL_TO_TRAIN_DROP * train_drop:
        return "improving"
    return "settled"


def diagnosis_of_pairs(history: Sequence[Mapping[str, float]]) -> Diagnosis:
    """How a run on pairs ended, from the `exact_matches` of its evaluations.

    The mean of the last third is compared with that of the third before. `improving`: it rose by
    more than `EXACT_NOISE`, and the last evaluation is that close to the best; `overfitting`: it
    fell by more; `settled`: neither of these.
    """
    if len(history) < 2 * MIN_EVALUATIONS:
        return "unclear"
    count = round(FINAL_SHARE * len(history))
    shares = [record["exact_matches"] for record in history]
    rise = (sum(shares[-count:]) - sum(shares[-2 * count : -count])) / count
    if abs(rise) <= EXACT_NOISE:
        return "settled"
    if rise < 0:
        return "overfitting"
    return "improving" if shares[-1] >= max(shares) - EXACT_NOISE else "settled"


def _drop(records: Sequence[Mapping[str, float]], name: str) -> float:
    """By how much a loss dropped over these evaluations."""
    return records[0][name] - records[-1][name]
