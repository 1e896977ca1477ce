"""Presets for recurrent models: the best of the settings measured (benchmarks/RESULTS.md).

Those above ten million characters were extrapolated.
"""

from dataclasses import replace
from types import MappingProxyType

from charrnn_cli.models.base import Preset
from charrnn_cli.settings.table import AVERAGED


def _preset(
    characters: float,
    hidden_size: int,
    dropout: float,
    batch_size: int,
    learning_rate: float,
    epochs: float,
    optimizer: str,
    weight_decay: float,
    *,
    ends: bool = False,
) -> Preset:
    sizes = {"hidden_size": hidden_size, "num_layers": 1, "dropout": dropout}
    return Preset(
        characters,
        MappingProxyType(sizes),
        batch_size,
        32,
        learning_rate,
        epochs,
        optimizer,
        weight_decay,
        ends,
        schedule=AVERAGED if optimizer == "muon" else "cosine",
    )


def _large(characters: float) -> tuple[Preset, ...]:
    """The presets for a text that is read about once or less: its size makes no difference."""
    return tuple(
        _preset(characters, units, 0.0, rows, rate, read / characters, "muon", 0.01)
        for units, rows, rate, read in (
            (512, 64, 15e-3, 12e6 if characters < 1e8 else 24e6),
            (128, 32, 40e-3, 1e6),
            (256, 32, 40e-3, 2e6),
            (384, 64, 30e-3, 4e6),
            (768, 64, 15e-3, 40e6),
        )
    )


# characters, units, dropout, batch size, learning rate, epochs, optimizer, weight decay
GATED = _preset(1e5, 512, 0.45, 16, 30e-3, 6, "muon", 0.08, ends=True)  # for GRU and LSTM
TANH = _preset(1e5, 256, 0.6, 16, 16e-3, 16, "adamw", 0.01, ends=True)  # for the tanh RNN
PRESETS = (
    _preset(1e3, 64, 0.5, 4, 16e-3, 16, "adamw", 0.01, ends=True),
    _preset(1e4, 128, 0.5, 8, 16e-3, 16, "adamw", 0.01, ends=True),
    GATED,
    TANH,
    _preset(1e5, 256, 0.3, 16, 16e-3, 3, "adamw", 0.01),
    _preset(1e6, 512, 0.2, 64, 30e-3, 6, "muon", 0.08),
    _preset(1e6, 128, 0.0, 32, 40e-3, 0.2, "muon", 0.01),
    _preset(1e6, 256, 0.0, 32, 40e-3, 0.5, "muon", 0.01),
    _preset(1e6, 384, 0.0, 64, 30e-3, 1.5, "muon", 0.03),
    _preset(1e6, 512, 0.0, 64, 30e-3, 3, "muon", 0.05),
    _preset(1e6, 768, 0.35, 64, 25e-3, 10, "muon", 0.1, ends=True),
    *_large(1e7),
    *_large(1e8),
    *_large(1e9),
)

# A tanh RNN takes a GRU's learning rate and dropout times these factors: it overfits less.
TANH_RATE_FACTOR = 0.5
TANH_DROPOUT_FACTOR = 0.25


def presets(architecture: str) -> tuple[Preset, ...]:
    """The presets of an architecture. Averaging was not measured with tanh RNNs."""
    if architecture != "rnn":
        return tuple(preset for preset in PRESETS if preset is not TANH)
    return tuple(
        replace(
            preset,
            schedule="cosine",
            learning_rate=preset.learning_rate * TANH_RATE_FACTOR,
            sizes=MappingProxyType(
                {**preset.sizes, "dropout": preset.sizes["dropout"] * TANH_DROPOUT_FACTOR}
            ),
        )
        for preset in PRESETS
        if preset is not GATED
    )
