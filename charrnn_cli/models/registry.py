"""The architectures, and the package that implements each.

A new family is a package beside this file, and a line here for each of its architectures. Its
modules are imported on first use: building a configuration or a decoder never imports PyTorch.
"""

import importlib
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple

from charrnn_cli.errors import UsageError
from charrnn_cli.models.base import ModelConfig, Preset
from charrnn_cli.settings.configs import TrainConfig

if TYPE_CHECKING:
    from charrnn_cli.models.decoder import Array, Decoder
    from charrnn_cli.models.module import Model
    from charrnn_cli.models.seq2seq.decoder import PairDecoder

DEFAULT = "gru"
DEFAULT_FOR_PAIRS = "attention"


class Family(NamedTuple):
    """A package with the modules `config`, `model`, `decoder` and `presets`.

    Its classes are named `{prefix}Config`, `{prefix}Model` and `{prefix}Decoder`.
    """

    package: str
    prefix: str
    pairs: bool = False
    """Whether it turns a source into a target, with a configuration that is a `PairConfig`."""

    def part(self, module: str, name: str) -> Any:
        """A class or function of one of the package's modules."""
        return getattr(importlib.import_module(f"{self.package}.{module}"), name)


RECURRENT = Family("charrnn_cli.models.recurrent", "Recurrent")
TRANSFORMER = Family("charrnn_cli.models.transformer", "Transformer")
SEQ2SEQ = Family("charrnn_cli.models.seq2seq.recurrent", "Seq2Seq", pairs=True)
SEQ2SEQ_TRANSFORMER = Family(
    "charrnn_cli.models.seq2seq.transformer", "Seq2SeqTransformer", pairs=True
)

ARCHITECTURES: dict[str, Family] = {
    "gru": RECURRENT,
    "lstm": RECURRENT,
    "rnn": RECURRENT,
    "gpt2": TRANSFORMER,
    "llama": TRANSFORMER,
    "seq2seq": SEQ2SEQ,
    "attention": SEQ2SEQ,
    "transformer": SEQ2SEQ_TRANSFORMER,
}


def family_of(architecture: str) -> Family:
    """The family of an architecture. Raises UsageError that lists all, for an unknown one."""
    if architecture not in ARCHITECTURES:
        raise UsageError(f"--model {architecture}: must be one of {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[architecture]


def config_class(architecture: str) -> type[ModelConfig]:
    """The configuration class of an architecture. Raises UsageError for an unknown one."""
    family = family_of(architecture)
    found: type[ModelConfig] = family.part("config", f"{family.prefix}Config")
    return found


def make_config(
    architecture: str,
    vocabulary_size: int,
    sizes: Mapping[str, Any],
    given: Mapping[str, Any],
    source_vocabulary_size: int | None = None,
) -> ModelConfig:
    """A configuration with these `sizes`, or the values that the user has `given` instead.

    `source_vocabulary_size` is for models of pairs. Raises UsageError for a value outside its
    limits, and for a model of pairs where there are none, or the reverse.
    """
    family, cls = family_of(architecture), config_class(architecture)
    chosen = cls.choose(sizes, given)
    if family.pairs != (source_vocabulary_size is not None):
        raise UsageError(
            f"--model {architecture}: learns from pairs, a source and a target a line. Add --pairs."
            if family.pairs
            else f"--model {architecture}: does not learn from pairs. Leave out --pairs."
        )
    if source_vocabulary_size is not None:
        chosen["source_vocabulary_size"] = source_vocabulary_size
    return cls(architecture, vocabulary_size, **chosen)


def stored_fields(architecture: str) -> dict[str, Any]:
    """Name and type of each field that a checkpoint stores of an architecture's configuration.

    The names are those of `ModelConfig.to_dict`.
    """
    kinds = {f.name: f.type for f in fields(config_class(architecture))}
    return {"model": kinds.pop("architecture"), **kinds}


def build_model(config: ModelConfig) -> "Model":
    """A PyTorch model with initial weights drawn from PyTorch's random generator."""
    family = family_of(config.architecture)
    model: Model = family.part("model", f"{family.prefix}Model")(config)
    return model


def build_decoder(
    config: ModelConfig, weights: "Mapping[str, Array]", streams: int | None = None
) -> "Decoder":
    """A decoder in NumPy for a number of streams; None is one stream without a batch axis."""
    family = family_of(config.architecture)
    decoder: Decoder = family.part("decoder", f"{family.prefix}Decoder")(config, weights, streams)
    return decoder


def build_pair_decoder(config: ModelConfig, weights: "Mapping[str, Array]") -> "PairDecoder":
    """A decoder in NumPy of a model of pairs."""
    family = family_of(config.architecture)
    assert family.pairs, f"{config.architecture} is no model of pairs"
    decoder: PairDecoder = family.part("decoder", f"{family.prefix}Decoder")(config, weights)
    return decoder


def presets(architecture: str) -> tuple[Preset, ...]:
    """An architecture's presets, by rising size of text."""
    found: tuple[Preset, ...] = family_of(architecture).part("presets", "presets")(architecture)
    return found


def untrained_weights(config: ModelConfig) -> "dict[str, Array]":
    """Initial weights, made without PyTorch, for a model that has hidden `units` or
    `attention_heads`."""
    make = family_of(config.architecture).part("decoder", "untrained_weights")
    weights: dict[str, Array] = make(config)
    return weights


def check_sizes(architecture: str, given: Mapping[str, Any]) -> None:
    """Raise UsageError if a setting in `given` is a size that the architecture does not have."""
    own = set(config_class(architecture).sizes())
    training = {f.name for f in fields(TrainConfig)}
    for name in given:
        if name not in own and name not in training and name != "model":
            option = "--" + name.replace("_", "-")
            raise UsageError(f"{option}: a model of kind {architecture} has none. Leave it out.")
