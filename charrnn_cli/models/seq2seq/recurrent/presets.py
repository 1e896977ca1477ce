"""Presets for GRU encoder-decoders, measured for targets of ten and a hundred thousand characters
(benchmarks/RESULTS.md). Those for fewer and for more follow from these and are not compared.

`characters` are those of the targets; `batch_size` counts pairs.
"""

from types import MappingProxyType

from charrnn_cli.models.base import Preset


def _preset(
    characters: float,
    num_layers: int,
    hidden_size: int,
    dropout: float,
    batch_size: int,
    learning_rate: float,
    epochs: float,
) -> Preset:
    sizes = {"hidden_size": hidden_size, "num_layers": num_layers, "dropout": dropout}
    return Preset(
        characters,
        MappingProxyType(sizes),
        batch_size,
        32,
        learning_rate,
        epochs,
        "adamw",
        0.01,
        schedule="linear",
        shuffle=True,
        label_smoothing=0.1,
    )


# characters, layers, units, dropout, batch size, learning rate, epochs
PRESETS = (
    _preset(1e3, 2, 128, 0.3, 8, 4e-3, 60),
    _preset(1e4, 2, 256, 0.3, 16, 4e-3, 40),
    _preset(1e5, 2, 256, 0.2, 16, 4e-3, 15),
    _preset(1e6, 2, 384, 0.2, 32, 3e-3, 8),
    _preset(1e7, 2, 512, 0.1, 128, 2e-3, 2),
    _preset(1e8, 2, 512, 0.0, 128, 2e-3, 0.2),
)


def presets(architecture: str) -> tuple[Preset, ...]:
    """The presets of an architecture."""
    return PRESETS
