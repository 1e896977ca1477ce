"""A plan that learns much in little time, from the size of the text and the time allowed.

A plan starts from a preset (`models/*/presets.py`): the one for texts of the nearest order of
magnitude; of several for that size, the one trained on the number of characters nearest to what the
time allowed is enough for. How often a text is read decides how much a model is regularised. What
the user sets replaces that part of the preset.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from charrnn_cli.errors import UsageError
from charrnn_cli.models.base import ModelConfig, Preset
from charrnn_cli.models.registry import DEFAULT, check_sizes, make_config, presets
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.settings.table import AVERAGED, SETTINGS
from charrnn_cli.text.corpus import MAX_MEASURED
from charrnn_cli.text.dataset import Dataset
from charrnn_cli.training.preset_choice import (
    best_in_time,
    nearest_in_characters,
    nearest_presets,
    regularized,
    time_decides,
)

# settings that every plan takes from the table, if the user does not set them
BY_DEFAULT = ("grad_clip", "val_fraction", "random_seed", "min_count", "normalize")
EVALUATIONS = 50  # a run is evaluated at most about this many times
MIN_PATIENCE = 5  # the shortest default patience, in evaluations
PATIENCE_SHARE = 0.4  # default patience as a share of a run: spares the schedule's slow, useful end
ASSUMED_SPEED = 50_000.0  # characters per second of training, where the speed is not measured
# The learning rate of a plan for AdamW times this is that of a model that starts from weights. With
# the base model on 10 kB of verse, times 1, 1/4, 1/8 and 1/16: 2.070, 1.819, 1.691 and 1.617 nats.
INIT_RATE = 1 / 16
# A shorter text than that gives too few steps for so low a rate: on a thousand characters of a
# licence, the rate times 1/16, 1/4, 1/2 and 1 gave 11.18, 8.27, 6.24 and 4.85 nats.
MEASURED_LENGTH = 10_000
MOST_FROM_WEIGHTS = 50_000  # The longest text, in characters, that has a lower rate.
MIN_SHARE_OF_EPOCHS = 0.75  # a timed run that gets this far through its epochs counts as complete
# At this share of a run its state is kept for a longer resume: the learning rate is still above
# half of its highest.
MIDDLE = 0.5

Measure = Callable[[ModelConfig, TrainConfig], float]
"""Measures how many characters per second this machine trains with a model and its settings."""


@dataclass(frozen=True)
class Plan:
    """What will be trained and how; `notes` says in words what had to be changed."""

    model: ModelConfig
    train: TrainConfig
    notes: tuple[str, ...] = ()


def make_plan(
    train_part: Dataset,
    held_out_part: Dataset,
    given: Mapping[str, Any],
    measure: Measure | None = None,
    processes: int = 1,
) -> Plan:
    """A plan for a text, from its two parts. `given` holds what the user set, by setting name.

    For a run with a time limit `measure` decides between presets and spaces the evaluations.
    Presets with fewer batch rows than `processes` are left out, unless no preset has enough or the
    batch size is given. Raises UsageError for a value outside its limits.
    """
    check_sizes(_architecture(given), given)
    preset = choose_preset(train_part, given, measure, processes)
    model, wanted = apply_given(preset, train_part.vocabulary_sizes, given)
    train = train_part.fitted(wanted, given)
    model = model.fitting(train.seq_length)
    notes = _size_notes(wanted, train, held_out_part)

    per_step = train_part.predictions_per_step(train)
    epoch_steps = train_part.steps_per_epoch(train)
    steps = math.inf if train.epochs is None else planned_steps(train.epochs, epoch_steps)
    if train.minutes is not None:
        speed = ASSUMED_SPEED if measure is None else measure(model, train)
        characters = characters_in(train.minutes, speed)
        if steps * per_step < 0.9 * characters and "epochs" not in given:
            notes += (
                f"the text is small: after {train.epochs:g} epochs more would be learned by heart, "
                "so the run ends there (--epochs goes on)",
            )
        steps = min(steps, characters / per_step)
    # Evaluating a character takes a third of the time of training on it, or half in bfloat16:
    # this keeps all evaluations within a tenth of the run.
    evaluation_steps = int(5 * held_out_part.evaluation_size(model.context) // per_step)
    train = space_evaluations(train, steps, epoch_steps, evaluation_steps)
    return Plan(model, train, notes)


def choose_preset(
    train_part: Dataset, given: Mapping[str, Any], measure: Measure | None, processes: int
) -> Preset:
    """The preset to start from: for this size of text, and for the epochs that the user asks for or
    the time allows."""
    batch_rows = 1 if "batch_size" in given else processes
    lines = bool(given.get("lines"))
    candidates = nearest_presets(len(train_part), _architecture(given), batch_rows, lines=lines)
    timed = given.get("minutes") is not None and measure is not None
    if not timed and given.get("epochs") is None:
        return candidates[0]

    def epochs_of(preset: Preset) -> float:
        if measure is not None and timed:
            return _epochs_in_time(train_part, given, measure, preset)
        return float(given["epochs"])

    by_clock = timed and not given.keys() & {"epochs", "hidden_size"}
    choose = best_in_time if by_clock and time_decides(candidates) else nearest_in_characters
    preset = choose(candidates, len(train_part), epochs_of)
    return regularized(preset, presets(_architecture(given)), epochs_of(preset))


def _epochs_in_time(
    train_part: Dataset, given: Mapping[str, Any], measure: Measure, preset: Preset
) -> float:
    """How many epochs a run with a preset makes in the minutes that are given, and at most those
    asked for."""
    model, train = apply_given(preset, train_part.vocabulary_sizes, given)
    speed = measure(model, train_part.fitted(train, given))
    epochs = characters_in(given["minutes"], speed) / len(train_part)
    return min(epochs, float(given.get("epochs", math.inf)))


def apply_given(
    preset: Preset, vocabulary_sizes: tuple[int, int | None], given: Mapping[str, Any]
) -> tuple[ModelConfig, TrainConfig]:
    """A preset's configurations, with what the user set in place of its own settings. How often to
    evaluate is not decided yet. `vocabulary_sizes` are those of `Dataset`. Raises UsageError for a
    value outside its limits."""
    vocabulary_size, source_size = vocabulary_sizes
    model = make_config(_architecture(given), vocabulary_size, preset.sizes, given, source_size)
    minutes = given.get("minutes")
    # A model smaller than the preset's memorises less, and may train on to the end of its time.
    ends = preset.ends and model.hidden_size >= preset.sizes["hidden_size"]
    settings = {
        "epochs": preset.epochs if minutes is None or ends else None,
        "minutes": None,
        "batch_size": preset.batch_size,
        "seq_length": preset.seq_length,
        "learning_rate": preset.learning_rate,
        "optimizer": preset.optimizer,
        "weight_decay": preset.weight_decay,
        "warmup": preset.warmup,
        "schedule": preset.schedule,
        "shuffle": preset.shuffle,
        "label_smoothing": preset.label_smoothing,
        "patience": None,
        "lines": False,
        "hold_out": "end",
        **{name: SETTINGS[name].planned for name in BY_DEFAULT},
    }
    chosen = {name: given.get(name, value) for name, value in settings.items()}
    if chosen["schedule"] == AVERAGED and chosen["optimizer"] != preset.optimizer:
        chosen["schedule"] = "cosine"  # averaging was measured with the preset's optimizer
    if source_size is not None and "seq_length" in given:
        raise UsageError(
            f"--seq-length {given['seq_length']}: pairs are read whole. Use --max-length to cut "
            "long ones."
        )
    if model.context is not None:
        if "seq_length" in given:
            raise UsageError(
                f"--seq-length {given['seq_length']}: a model of kind {model.architecture} is "
                "trained on windows of its context. Use --context instead."
            )
        chosen["seq_length"] = model.context
    return model, TrainConfig(eval_every=1, **chosen)


def plan_from_weights(plan: Plan, dataset: Dataset) -> Plan:
    """A plan for a model that starts from another one's weights: on a small text a lower learning
    rate, since that of a new model would undo what the other one has learned."""
    train = plan.train
    of_pairs = dataset.vocabulary_sizes[1] is not None
    if train.optimizer != "adamw" or of_pairs or len(dataset) > MOST_FROM_WEIGHTS:
        return plan
    factor = min(1.0, INIT_RATE * max(1.0, MEASURED_LENGTH / len(dataset)))
    return replace(plan, train=replace(train, learning_rate=factor * train.learning_rate))


def space_evaluations(
    train: TrainConfig, steps: float, epoch_steps: int, least: int
) -> TrainConfig:
    """The settings with the steps between evaluations, at `least` so many, and the patience, for a
    run of about `steps` steps."""
    eval_every = max(
        1,
        least,
        int(min(epoch_steps, steps) // 10),
        math.ceil(steps / EVALUATIONS),
    )
    patience = train.patience or max(MIN_PATIENCE, round(PATIENCE_SHARE * steps / eval_every))
    return replace(train, eval_every=eval_every, patience=patience)


def trained_enough(characters: int, model: ModelConfig, epochs: float) -> bool:
    """Whether more epochs would only make a model memorise its text: it is as large as the preset
    for that size of text, the preset `ends`, and nearly all its epochs are done."""
    candidates = nearest_presets(characters, model.architecture)
    preset = nearest_in_characters(candidates, characters, lambda preset: epochs)
    large = model.hidden_size >= preset.sizes["hidden_size"]
    return preset.ends and large and epochs >= MIN_SHARE_OF_EPOCHS * preset.epochs


def planned_steps(epochs: float, epoch_steps: int) -> int:
    """How many optimizer steps so many epochs take; at least one."""
    return max(1, round(epochs * epoch_steps))


def share_of_time(train: TrainConfig, seconds: float) -> float:
    """The fraction of a run's time limit that so many seconds are; 0 without a limit."""
    return 0.0 if train.minutes is None else seconds / (60 * train.minutes)


def characters_in(minutes: float, speed: float) -> float:
    """How many characters are trained on in so many minutes at `speed` characters per second."""
    return 60 * float(minutes) * speed


def _architecture(given: Mapping[str, Any]) -> str:
    return str(given.get("model", DEFAULT))


def _size_notes(wanted: TrainConfig, train: TrainConfig, held_out: Dataset) -> tuple[str, ...]:
    """What the size of the text changed."""
    notes = []
    of_pairs = held_out.vocabulary_sizes[1] is not None
    if of_pairs and train.batch_size < wanted.batch_size:
        notes.append(
            f"the pairs are few for batches of {wanted.batch_size}: taking {train.batch_size}"
        )
    elif train != wanted and not of_pairs and not train.lines:
        notes.append(
            f"the text is small for batches of {wanted.batch_size} x {wanted.seq_length} "
            f"characters: taking {train.batch_size} x {train.seq_length}"
        )
    if len(held_out) > MAX_MEASURED:
        notes.append(
            f"held-out loss is measured on {MAX_MEASURED:,} of the {len(held_out):,} "
            "characters held out"
        )
    return tuple(notes)
