"""Presets for transformers: the best of the settings measured (benchmarks/RESULTS.md)."""

from dataclasses import replace
from types import MappingProxyType

from charrnn_cli.models.base import Preset
from charrnn_cli.models.transformer.config import KINDS


def _preset(
    characters: float,
    num_layers: int,
    hidden_size: int,
    num_heads: int,
    context: int,
    dropout: float,
    batch_size: int,
    learning_rate: float,
    epochs: float,
    weight_decay: float,
    *,
    ends: bool = False,
) -> Preset:
    sizes = {
        "hidden_size": hidden_size,
        "num_layers": num_layers,
        "dropout": dropout,
        "num_heads": num_heads,
        "context": context,
    }
    return Preset(
        characters,
        MappingProxyType(sizes),
        batch_size,
        context,
        learning_rate,
        epochs,
        "muon",
        weight_decay,
        ends,
        warmup=0.02,
        schedule="linear",
        shuffle=True,
    )


# characters, layers, units, heads, context, dropout, batch size, learning rate, epochs, decay
PRESETS = (
    _preset(1e3, 2, 64, 2, 32, 0.2, 4, 5e-3, 16, 0.1, ends=True),
    _preset(1e4, 2, 64, 2, 64, 0.2, 4, 5e-3, 16, 0.1, ends=True),
    _preset(1e5, 3, 128, 4, 128, 0.2, 4, 5e-3, 8, 0.1, ends=True),
    _preset(1e6, 3, 128, 4, 256, 0.0, 4, 8e-3, 1.7, 0.05),
    _preset(1e7, 4, 192, 4, 256, 0.0, 8, 8e-3, 0.5, 0.01),
    _preset(1e8, 4, 256, 4, 256, 0.0, 8, 8e-3, 0.05, 0.01),
    _preset(1e9, 4, 256, 4, 256, 0.0, 8, 8e-3, 0.005, 0.01),
)
# GPT-2 learns what its positions mean from nothing, which takes long for each of many: in the same
# time it learns more from four times as many windows of a quarter of the length.
SHORTEST, SHORTER = 64, 4


def presets(architecture: str) -> tuple[Preset, ...]:
    """The presets of an architecture."""
    if KINDS[architecture].learned_positions:
        return tuple(map(_with_shorter_windows, PRESETS))
    return PRESETS


def _with_shorter_windows(preset: Preset) -> Preset:
    length = max(min(SHORTEST, preset.seq_length), preset.seq_length // SHORTER)
    return replace(
        preset,
        sizes=MappingProxyType({**preset.sizes, "context": length}),
        batch_size=preset.batch_size * preset.seq_length // length,
        seq_length=length,
    )
