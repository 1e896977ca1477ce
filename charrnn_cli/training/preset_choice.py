"""Which of a model's presets a plan starts from, by the size of the text and of the run."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from charrnn_cli.models.base import Preset
from charrnn_cli.models.registry import DEFAULT, presets

# What a GRU's held-out loss was on four texts of other kinds (benchmarks/RESULTS.md, "Kinds of
# text"), but for a constant of each text: DATA_GAIN / sqrt(millions of characters trained on) minus
# SIZE_GAIN * ln(hidden units), in nats per character, within 0.012.
SIZE_GAIN, DATA_GAIN = 0.152, 0.313
REGULARIZED = 1e6  # presets for so many characters say how much regularisation epochs want
# What presets of AdamW are changed to for lists of at least about so many characters.
MIN_LIST, LIST_RATE, LIST_WEIGHT_DECAY, LIST_DROPOUT = 1e5, 0.03, 0.05, 0.1


def nearest_presets(
    characters: int, architecture: str = DEFAULT, batch_rows: int = 1, *, lines: bool = False
) -> list[Preset]:
    """The presets, or for a list of `lines` their variants, whose size of text is nearest on a
    logarithmic scale; those with at least `batch_rows` batch rows if there are any. The first is
    the default."""
    known = _for_lists(presets(architecture)) if lines else presets(architecture)
    distances = [abs(math.log(preset.characters / characters)) for preset in known]
    nearest = min(distances)
    found = [p for p, distance in zip(known, distances, strict=True) if distance == nearest]
    return [preset for preset in found if preset.batch_size >= batch_rows] or found


def _for_lists(known: Sequence[Preset]) -> list[Preset]:
    """Presets for lists of lines: Muon and less dropout where a running text has AdamW, since an
    item is seen in another batch each epoch. On 32,000 names a minute on one slow thread ended at
    1.963 nats per character in place of 1.998."""
    muon = partial(
        replace,
        optimizer="muon",
        learning_rate=LIST_RATE,
        weight_decay=LIST_WEIGHT_DECAY,
        schedule=next((p.schedule for p in known if p.optimizer == "muon"), "cosine"),
    )
    return [
        muon(preset, sizes={**preset.sizes, "dropout": LIST_DROPOUT})
        if preset.characters >= MIN_LIST and preset.optimizer == "adamw" and not preset.ends
        else preset
        for preset in known
    ]


def nearest_in_characters(
    candidates: Sequence[Preset], characters: int, epochs_of: Callable[[Preset], float]
) -> Preset:
    """The preset that is trained on the number of characters nearest, on a logarithmic scale, to
    what a run with it is trained on: how large a model pays depends on that, and not on how much of
    it is read twice. `epochs_of` says how many epochs of a text of `characters` a run with a preset
    makes. Asks for as few presets as possible: the answer may have to be measured."""
    best, best_distance = candidates[0], math.inf
    for preset in sorted(candidates, key=lambda preset: preset.epochs):
        trained_on = max(epochs_of(preset), 1e-9) * characters
        distance = abs(math.log(preset.epochs * preset.characters / trained_on))
        if distance >= best_distance:
            break  # presets of more epochs have models as large or larger: they are further off
        best, best_distance = preset, distance
    return best


def best_in_time(
    candidates: Sequence[Preset], characters: int, epochs_of: Callable[[Preset], float]
) -> Preset:
    """The preset whose model is expected to learn most in a run with a time limit: a larger model
    learns more from as many characters, but is trained on fewer. `epochs_of` says how many epochs
    of a text of `characters` a run with a preset makes. Epochs beyond those of the preset that
    `ends` count for nothing. Asks for as few presets as possible: the answer may have to be
    measured."""
    most = min((preset.epochs for preset in candidates if preset.ends), default=math.inf)
    by_size = sorted(candidates, key=lambda preset: preset.sizes["hidden_size"])
    best, best_loss = by_size[0], math.inf
    for preset in by_size:
        epochs = min(max(epochs_of(preset), 1e-9), most)
        loss = _expected_loss(preset.sizes["hidden_size"], epochs * characters)
        if loss > best_loss:
            break
        best, best_loss = preset, loss
    return best


def time_decides(candidates: Sequence[Preset]) -> bool:
    """Whether the presets are for texts so large that the time limits what a run learns. The law
    was measured on such texts, with GRUs."""
    return min(preset.characters for preset in candidates) >= REGULARIZED


def _expected_loss(hidden_size: float, trained_on: float) -> float:
    """The loss of a run, but for a constant of the text (Hoffmann et al. 2022 fit larger models in
    this manner)."""
    return DATA_GAIN * math.sqrt(1e6 / trained_on) - SIZE_GAIN * math.log(hidden_size)


def regularized(preset: Preset, known: Sequence[Preset], epochs: float) -> Preset:
    """A preset for a large text with the dropout and the weight decay that so many `epochs` want:
    between those of the presets of `REGULARIZED` characters, which were measured by epochs."""
    curve = sorted(
        (p for p in known if p.characters == REGULARIZED and p.optimizer == preset.optimizer),
        key=lambda preset: preset.epochs,
    )
    if len(curve) < 2 or preset.characters < REGULARIZED:
        return preset
    places = [math.log(p.epochs) for p in curve]

    def between(values: list[float]) -> float:
        return round(float(np.interp(math.log(max(epochs, 1e-9)), places, values)), 3)

    dropout = between([p.sizes["dropout"] for p in curve])
    weight_decay = between([p.weight_decay for p in curve])
    return replace(preset, sizes={**preset.sizes, "dropout": dropout}, weight_decay=weight_decay)
