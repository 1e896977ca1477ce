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
from pathlib import Path

import numpy as np
import torch
from side_by_side import medians

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.models.torch_reader import TorchReader
from charrnn_cli.scoring.dynamic_evaluation import AdaptiveMeter
from charrnn_cli.scoring.surprisal import Meter, NumpyReader, Surprise

ROOT = Path(__file__).parent.parent
ROUNDS = 5
SETTINGS = [
    (segment, rate, decay)
    for segment in (16, 32, 64)
    for rate in (5e-4, 1e-3, 2e-3, 4e-3)
    for decay in (0.0, 1e-3, 3e-3)
]


def main() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    cpu = torch.device("cpu")
    checkpoint = load(ROOT / "checkpoints/sonnets/best.safetensors")
    sonnets = known(checkpoint, (ROOT / "data/sonnets.txt").read_text())

    def speed(meter: Meter, characters: int) -> float:
        begun = time.perf_counter()
        meter.bits(sonnets[:characters])
        return characters / (time.perf_counter() - begun)

    found = medians(
        {
            "one stream, NumPy": lambda: speed(Surprise(NumpyReader(checkpoint, 1)), 20_000),
            "64 lanes, NumPy": lambda: speed(Surprise(NumpyReader(checkpoint)), 90_000),
            "64 lanes, PyTorch": lambda: speed(Surprise(TorchReader(checkpoint, cpu)), 90_000),
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
    static = [np.nanmean(Surprise(NumpyReader(checkpoint)).bits(ids)) for ids in texts.values()]
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
