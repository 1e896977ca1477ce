"""A plan that learns much in little time, from the size of the text and the time allowed.

The rows won among the neighbours tried (`benchmarks/RESULTS.md`); those above ten million
characters go on from there. The nearest row in order of magnitude is taken; of several for one size
that with the number of epochs nearest to what the time allowed is enough for, or else the first.
What the user sets overrides its part of a row.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from charrnn_cli.config import TrainConfig
from charrnn_cli.models.base import ModelConfig, Preset
from charrnn_cli.models.registry import DEFAULT, check_sizes, make_config, presets
from charrnn_cli.text.corpus import MAX_MEASURED, fit_batch, steps_per_epoch

VAL_FRACTION = 0.1
GRAD_CLIP = 1.0
EVALUATIONS = 50  # at most about so many a run
NEARLY = 0.75  # of a row's epochs: what a run by the clock may end with


@dataclass(frozen=True)
class Plan:
    """What will be trained and how; `notes` says in words what had to be changed."""

    model: ModelConfig
    train: TrainConfig
    notes: tuple[str, ...] = ()


def make_plan(
    train_characters: int,
    held_out_characters: int,
    vocabulary_size: int,
    given: Mapping[str, Any],
    measure: Callable[[ModelConfig, TrainConfig], float] | None = None,
    processes: int = 1,
) -> Plan:
    """A plan for a text of that size. `given` holds what the user set, by setting name. Rows with
    fewer lanes than `processes` are left out, unless none has enough or the batch size is given.

    `measure` tells how many characters a second this machine trains with a model and settings. For
    a run with a time limit it chooses the row and spaces the evaluations; without it some 50,000
    are assumed. Raises UsageError for a value outside its limits.
    """
    minutes, model = given.get("minutes"), str(given.get("model", DEFAULT))
    check_sizes(model, given)

    def sizes(row: Preset) -> ModelConfig:
        return make_config(model, vocabulary_size, row.sizes, given)

    def passes(row: Preset) -> float | None:
        """How many the time allowed is enough for with a row's model, or are asked for."""
        asked: float | None = given.get("epochs")
        if minutes is None or measure is None:
            return asked
        speed = measure(sizes(row), fitted(settings(row)))
        timed = 60 * float(minutes) * speed / train_characters
        return timed if asked is None else min(timed, asked)

    def settings(row: Preset) -> TrainConfig:
        """Those of a row; how often to evaluate is left open."""
        # a smaller model than the row's learns less by heart
        ends = (
            row.ends
            and given.get("hidden_size", row.sizes["hidden_size"]) >= row.sizes["hidden_size"]
        )
        return TrainConfig(
            epochs=given.get("epochs", row.epochs if minutes is None or ends else None),
            minutes=minutes,
            batch_size=given.get("batch_size", row.batch_size),
            seq_length=given.get("seq_length", row.seq_length),
            learning_rate=given.get("learning_rate", row.learning_rate),
            optimizer=given.get("optimizer", row.optimizer),
            weight_decay=given.get("weight_decay", row.weight_decay),
            grad_clip=given.get("grad_clip", GRAD_CLIP),
            val_fraction=given.get("val_fraction", VAL_FRACTION),
            patience=given.get("patience"),
            random_seed=given.get("random_seed", 0),
            eval_every=1,
            min_count=given.get("min_count", 1),
        )

    def fitted(train: TrainConfig) -> TrainConfig:
        batch_size, seq_length = fit_batch(train_characters, train.batch_size, train.seq_length)
        return replace(train, batch_size=batch_size, seq_length=seq_length)

    lanes = 1 if "batch_size" in given else processes
    row = nearest_row(train_characters, passes, model, lanes)
    asked = settings(row)
    train = fitted(asked)
    notes = []
    if train != asked:
        notes.append(
            f"the text is small for batches of {asked.batch_size} x {asked.seq_length} characters: "
            f"taking {train.batch_size} x {train.seq_length}"
        )
    if held_out_characters > MAX_MEASURED:
        notes.append(
            f"held-out loss is measured on the first {MAX_MEASURED:,} of the "
            f"{held_out_characters:,} characters held out"
        )
    per_step = train.batch_size * train.seq_length
    epoch_steps = steps_per_epoch(train_characters, train.batch_size, train.seq_length)
    steps = math.inf if train.epochs is None else planned_steps(train.epochs, epoch_steps)
    if minutes is not None:
        speed = measure(sizes(row), train) if measure is not None else 50_000.0
        characters = 60 * float(minutes) * speed
        if steps * per_step < 0.9 * characters and "epochs" not in given:
            notes.append(
                f"the text is small: after {train.epochs:g} epochs more would be learned by heart, "
                "so the run ends there (--epochs goes on)"
            )
        steps = min(steps, characters / per_step)
    # evaluating a character costs a third of training on it, or half where that is in bfloat16:
    # this keeps it to a tenth of all
    measured = min(held_out_characters, MAX_MEASURED)
    eval_every = max(
        1,
        5 * measured // per_step,
        int(min(epoch_steps, steps) // 10),
        math.ceil(steps / EVALUATIONS),
    )
    # late enough not to cut the slow end of the schedule, where most is learned
    patience = train.patience or max(5, round(0.4 * steps / eval_every))
    train = replace(train, eval_every=eval_every, patience=patience)
    return Plan(sizes(row), train, tuple(notes))


def nearest_row(
    characters: int,
    passes: Callable[[Preset], float | None] = lambda row: None,
    model: str = DEFAULT,
    lanes: int = 1,
) -> Preset:
    """The row nearest to a size on the logarithmic scale; of several for one size and a kind of
    model, with so many lanes at least, that whose epochs are nearest to what `passes` says of it,
    or the first where it says nothing."""

    def by_size(row: Preset) -> float:
        return abs(math.log(row.characters / characters))

    known = presets(model)
    nearest = min(map(by_size, known))
    rows = [row for row in known if by_size(row) == nearest]
    rows = [row for row in rows if row.batch_size >= lanes] or rows  # as are too few lanes
    best, apart = rows[0], math.inf
    for row in sorted(rows, key=lambda row: row.epochs):
        wanted = passes(row)
        if wanted is None:
            break
        if (distance := abs(math.log(row.epochs / max(wanted, 1e-9)))) >= apart:
            break  # rows of more epochs have models as large or larger: they are further off
        best, apart = row, distance
    return best


def enough(characters: int, model: ModelConfig, epochs: float) -> bool:
    """Whether so many passes, or nearly, are all that pay on a text of that size with a model as
    large as planned for it: those of a row that `ends`."""
    row = nearest_row(characters, lambda row: epochs, model.architecture)
    return (
        row.ends and model.hidden_size >= row.sizes["hidden_size"] and epochs >= NEARLY * row.epochs
    )


def planned_steps(epochs: float, epoch_steps: int) -> int:
    """Optimizer steps that so many passes take; at least one."""
    return max(1, round(epochs * epoch_steps))
