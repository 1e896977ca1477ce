"""How fast a text is scored, and what learning as it reads gains at which settings.

    python benchmarks/scoring.py [TEXT ...]

The model is the shipped one. Speed is measured on its own text; the gain on the held-out part of
that, and on the first 20,000 characters of each TEXT, without those that the model does not know.
"""

import os

for library in ("OPENBLAS", "MKL", "VECLIB"):  # as `charrnn score` does
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from side_by_side import medians

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.models.base import Decoder
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.models.torch_decoder import TorchDecoder
from charrnn_cli.models.weights import trained_model
from charrnn_cli.scoring.dynamic_evaluation import AdaptiveMeter
from charrnn_cli.scoring.surprisal import Meter, Surprisal, bits_of

ROOT = Path(__file__).parent.parent
ROUNDS = 5
SETTINGS = [
    (segment, rate, decay)
    for segment in (16, 32, 64)
    for rate in (5e-4, 1e-3, 2e-3, 4e-3)
    for decay in (0.0, 1e-3, 3e-3)
]


class OneStream:
    """Measures a text in one pass, without rows side by side."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder

    def bits(self, ids: np.ndarray) -> np.ndarray:
        """See `Meter`."""
        logits = self.decoder.logits(ids[:-1])
        return np.concatenate([[np.nan], bits_of(logits, ids[1:])])


def main() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    cpu = torch.device("cpu")
    checkpoint = load(ROOT / "checkpoints/sonnets/best.safetensors")
    sonnets = known(checkpoint, (ROOT / "data/sonnets.txt").read_text())

    context = checkpoint.model.context
    by_numpy = partial(build_decoder, checkpoint.model, checkpoint.weights)
    by_pytorch = partial(TorchDecoder, trained_model(checkpoint.model, checkpoint.weights, cpu))

    def speed(meter: Meter, characters: int) -> float:
        begun = time.perf_counter()
        meter.bits(sonnets[:characters])
        return characters / (time.perf_counter() - begun)

    found = medians(
        {
            "one stream, NumPy": lambda: speed(OneStream(by_numpy()), 20_000),
            "64 rows, NumPy": lambda: speed(Surprisal(by_numpy, context), 90_000),
            "64 rows, PyTorch": lambda: speed(Surprisal(by_pytorch, context), 90_000),
            "--adapt": lambda: speed(AdaptiveMeter(checkpoint, cpu), 4_000),
        },
        ROUNDS,
    )
    print(f"characters a second, one thread, medians of {ROUNDS}")
    for name, value in found.items():
        print(f"{name:20}{value:10,.0f}")

    held_out = sonnets[-round(len(sonnets) * checkpoint.train.val_fraction) :]
    texts = {"held-out part": held_out}
    for name in sys.argv[1:]:
        texts[Path(name).name] = known(checkpoint, Path(name).read_text())[:20_000]
    print("\nbits a character", *texts, sep="  ")
    static = [np.nanmean(Surprisal(by_numpy, context).bits(ids)) for ids in texts.values()]
    print("as it is", *(f"{value:.3f}" for value in static), sep="  ")
    for segment, rate, decay in SETTINGS:
        values = [
            np.nanmean(AdaptiveMeter(checkpoint, cpu, rate, decay, segment).bits(ids))
            for ids in texts.values()
        ]
        row = (f"segment {segment}, rate {rate:g}, decay {decay:g}", *map("{:.3f}".format, values))
        print(*row, sep="  ", flush=True)


def known(checkpoint, text: str) -> np.ndarray:
    ids = checkpoint.vocabulary.look_up(text)
    return ids[ids >= 0].astype(np.int64)


if __name__ == "__main__":
    main()
