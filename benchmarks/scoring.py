"""How fast a text is scored, and what dynamic evaluation gains at which settings.

    python benchmarks/scoring.py [TEXT ...] [--rounds 5] [--characters 20000]
                                 [--segments 16 ...] [--rates 0.001 ...] [--decays 0 ...]

The model is the shipped one. Speed is measured on its own text: --characters for one stream, more
for batch rows, less for dynamic evaluation. The gain is measured on the held-out part of that text
and on each TEXT, at most --characters of either, without those that the model does not know.
"""

import argparse
import os

for library in ("OPENBLAS", "MKL", "VECLIB"):  # as `charrnn score` does
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import itertools
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from side_by_side import medians

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.models.decoder import Decoder
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.models.torch_decoder import TorchDecoder
from charrnn_cli.models.weights import trained_model
from charrnn_cli.scoring.dynamic_evaluation import AdaptiveMeter
from charrnn_cli.scoring.surprisal import Meter, Surprisal, bits_of

ROOT = Path(__file__).parent.parent


class OneStream:
    """Measures a text in one pass, without rows side by side."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder

    def bits(self, ids: np.ndarray) -> np.ndarray:
        """See `Meter`."""
        logits = self.decoder.logits(ids[:-1])
        return np.concatenate([[np.nan], bits_of(logits, ids[1:])])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("texts", type=Path, nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--characters", type=int, default=20_000)
    parser.add_argument("--segments", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--rates", type=float, nargs="+", default=[5e-4, 1e-3, 2e-3, 4e-3])
    parser.add_argument("--decays", type=float, nargs="+", default=[0.0, 1e-3, 3e-3])
    arguments = parser.parse_args()
    characters = arguments.characters
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    cpu = torch.device("cpu")
    checkpoint = load(ROOT / "checkpoints/sonnets/best.safetensors")
    sonnets = known(checkpoint, (ROOT / "data/sonnets.txt").read_text("utf-8"))

    context = checkpoint.model.context
    by_numpy = partial(build_decoder, checkpoint.model, checkpoint.weights)
    by_pytorch = partial(TorchDecoder, trained_model(checkpoint.model, checkpoint.weights, cpu))

    def speed(meter: Meter, characters: int) -> float:
        begun = time.perf_counter()
        meter.bits(sonnets[:characters])
        return characters / (time.perf_counter() - begun)

    many, few = 9 * characters // 2, characters // 5
    found = medians(
        {
            "one stream, NumPy": lambda: speed(OneStream(by_numpy()), characters),
            "64 rows, NumPy": lambda: speed(Surprisal(by_numpy, context), many),
            "64 rows, PyTorch": lambda: speed(Surprisal(by_pytorch, context), many),
            "--adapt": lambda: speed(AdaptiveMeter(checkpoint, cpu), few),
        },
        arguments.rounds,
    )
    print(f"characters a second, one thread, medians of {arguments.rounds}")
    for name, value in found.items():
        print(f"{name:20}{value:10,.0f}")

    held_out = sonnets[-round(len(sonnets) * checkpoint.train.val_fraction) :]
    texts = {"held-out part": held_out[:characters]}
    for path in arguments.texts:
        texts[path.name] = known(checkpoint, path.read_text("utf-8"))[:characters]
    print("\nbits a character", *texts, sep="  ")
    static = [np.nanmean(Surprisal(by_numpy, context).bits(ids)) for ids in texts.values()]
    print("as it is", *(f"{value:.3f}" for value in static), sep="  ")
    settings = itertools.product(arguments.segments, arguments.rates, arguments.decays)
    for segment, rate, decay in settings:
        values = [
            np.nanmean(AdaptiveMeter(checkpoint, cpu, rate, decay, segment).bits(ids))
            for ids in texts.values()
        ]
        row = (f"segment {segment}, rate {rate:g}, decay {decay:g}", *map("{:.3f}".format, values))
        print(*row, sep="  ", flush=True)


def known(checkpoint: Checkpoint, text: str) -> np.ndarray:
    """The ids of those characters of a text that are in the vocabulary."""
    ids = checkpoint.vocabulary.look_up(text)
    return ids[ids >= 0].astype(np.int64)


if __name__ == "__main__":
    main()
