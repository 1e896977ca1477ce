"""What became of a run, from its losses: whether more time would help, or harm."""

from collections.abc import Mapping, Sequence
from typing import Literal

Verdict = Literal["improving", "settled", "overfitting", "unclear"]

FEWEST = 4  # evaluations that tell anything
LAST = 1 / 3  # of the run: where its end shows
WORSE = 0.01  # nats: a rise beyond the noise of one measurement
FOLLOWS = 0.2  # of what the training loss falls by: what the held-out loss must fall to go on


def verdict(history: Sequence[Mapping[str, float]]) -> Verdict:
    """How the run ended, from its evaluations' `train_loss` and `val_loss`.

    `overfitting`: the held-out loss rose from its best while the training loss fell on.
    `improving`: the held-out loss still followed the training loss down. `settled`: neither.
    `unclear`: there are too few evaluations to tell.
    """
    if len(history) < FEWEST:
        return "unclear"
    losses = [record["val_loss"] for record in history]
    best = min(range(len(losses)), key=losses.__getitem__)
    if losses[-1] > losses[best] + WORSE and _fall(history[best:], "train_loss") > 0:
        return "overfitting"
    begin = (1 - LAST) * history[-1]["step"]  # evaluations may lie unevenly
    count = sum(record["step"] >= begin for record in history)
    end = history[-count - 1 :]  # and the one before, for the loss that they began with
    if _fall(end, "val_loss") > FOLLOWS * max(WORSE, _fall(end, "train_loss")):
        return "improving"
    return "settled"


def _fall(records: Sequence[Mapping[str, float]], name: str) -> float:
    """How far a loss fell over these evaluations."""
    return records[0][name] - records[-1][name]
