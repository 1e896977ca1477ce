from charrnn_cli.models.base import Preset

SIZES = {"hidden_size": 16, "num_layers": 1, "dropout": 0.0}


def presets(architecture):
    return (Preset(1e4, SIZES, 4, 16, learning_rate=0.03, epochs=3, optimizer="adamw",
                   weight_decay=0.01),)  # fmt: skip
