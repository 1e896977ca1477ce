"""Presets for the transformer encoder-decoder, measured for targets of ten thousand characters
(benchmarks/RESULTS.md). Those for fewer and for more follow from these and are not compared.

`characters` are those of the targets; `batch_size` counts pairs.
"""

from types import MappingProxyType

from charrnn_cli.models.base import Preset


def _preset(
    characters: float,
    num_layers: int,
    hidden_size: int,
    num_heads: int,
    dropout: float,
    batch_size: int,
    learning_rate: float,
    epochs: float,
) -> Preset:
    sizes = {
        "hidden_size": hidden_size,
        "num_layers": num_layers,
        "dropout": dropout,
        "num_heads": num_heads,
    }
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


# characters, layers, units, heads, dropout, batch size, learning rate, epochs
PRESETS = (
    _preset(1e3, 2, 64, 2, 0.3, 8, 3e-3, 60),
    _preset(1e4, 2, 128, 4, 0.3, 16, 3e-3, 45),
    _preset(1e5, 2, 128, 4, 0.2, 16, 3e-3, 15),
    _preset(1e6, 3, 192, 4, 0.1, 32, 2e-3, 8),
    _preset(1e7, 4, 256, 4, 0.1, 64, 1e-3, 2),
    _preset(1e8, 4, 256, 4, 0.0, 64, 1e-3, 0.2),
)


def presets(architecture: str) -> tuple[Preset, ...]:
    """The presets of an architecture."""
    return PRESETS
