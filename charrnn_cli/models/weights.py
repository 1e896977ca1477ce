"""PyTorch models with initial weights, a checkpoint's, or those of a model of another text."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.decoder import Array
from charrnn_cli.models.device import memory_limit
from charrnn_cli.models.module import Model
from charrnn_cli.models.registry import build_model
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.text.vocabulary import Vocabulary


def new_model(config: ModelConfig, train: TrainConfig, device: torch.device) -> Model:
    """A new model, whose initial weights are determined by the random seed.

    Raises MemoryLimitError.
    """
    torch.manual_seed(train.random_seed)
    with memory_limit(train):
        return build_model(config).to(device)


def trained_model(config: ModelConfig, weights: Mapping[str, Array], device: torch.device) -> Model:
    """A model with a checkpoint's weights, in evaluation mode."""
    model = build_model(config)
    load_weights(model, weights)
    return model.to(device).eval()


def load_weights(model: Model, weights: Mapping[str, Array]) -> None:
    """Copy a checkpoint's weights into a model of the same configuration."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.tensor(weights[name]))


def load_known_weights(
    model: Model,
    vocabulary: Vocabulary,
    source_weights: Mapping[str, Array],
    source_vocabulary: Vocabulary,
) -> tuple[int, int]:
    """Initialise `model` from the weights of a model with another vocabulary.

    Entries of characters that both vocabularies contain are copied; entries of new characters keep
    their initial values. Weights without a vocabulary axis are copied whole. Returns the numbers of
    known and of new characters.
    """
    known = "".join(c for c in vocabulary.characters if c in source_vocabulary)
    ids = vocabulary.encode(known), source_vocabulary.encode(known)
    axes = model.config.vocabulary_axes().items()
    copy_known_weights(model, source_weights, [Shared(n, axis, *ids) for n, axis in axes])
    return len(known), len(vocabulary) - len(known)


class Shared(NamedTuple):
    """The entries of a parameter, along an axis, that two models have in common: `ours` (K,) in the
    new model are `theirs` (K,) in the other."""

    name: str
    axis: int
    ours: npt.NDArray[Any]
    theirs: npt.NDArray[Any]


def copy_known_weights(
    model: Model, source_weights: Mapping[str, Array], shared: Iterable[Shared]
) -> None:
    """Copy weights into `model`: of the parameters named in `shared` the entries that are shared,
    all others whole."""
    tables = {entries.name: entries for entries in shared}
    merged = {name: p.detach().cpu().numpy().copy() for name, p in model.named_parameters()}
    for name, values in source_weights.items():
        if name in tables:
            _, axis, ours, theirs = tables[name]
            np.moveaxis(merged[name], axis, 0)[ours] = np.moveaxis(values, axis, 0)[theirs]
        else:  # of a table of positions, as many as the new model has
            merged[name] = values[tuple(map(slice, merged[name].shape))]
    load_weights(model, merged)
