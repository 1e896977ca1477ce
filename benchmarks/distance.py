"""Whether a transformer keeps its speed and its quality far beyond its context.

    python benchmarks/distance.py TEXT [--model llama] [--minutes 1.4] [--characters 50000]
                                       [--distance 5000]

A model is trained for --minutes. The held-out tenth is read from many places on, and the same 1,000
characters are measured twice: as the first that a stream reads, and as those after --distance
others. Then the speed of two streams in turn: one has just begun, the other has written
--characters.
"""

import os

for library in ("OPENBLAS", "MKL", "VECLIB"):  # as `charrnn sample` does
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from side_by_side import medians

from charrnn_cli.checkpoints.checkpoint import Checkpoint, load
from charrnn_cli.models.registry import build_decoder
from charrnn_cli.sampling.drawing import generate
from charrnn_cli.scoring.surprisal import bits_of
from charrnn_cli.settings.configs import SamplingConfig

BEGIN = 500  # The first stream's speed is measured from this character on.
SPAN = 1000  # Characters in each measurement.
MOST_STREAMS = 32
ROUNDS = 9


def trained(text: Path, model: str, minutes: float) -> Checkpoint:
    """The best checkpoint of a training."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "charrnn_cli", "train", str(text), "--model", model, "--name", "run"]
        command += ["--minutes", str(minutes), "--checkpoints", folder]
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        return load(Path(folder) / "run" / "best.safetensors")


def bits_per_character(checkpoint: Checkpoint, ids: Any, distance: int) -> float:
    """Of the last characters of ids (T, B), given `distance` characters before them."""
    decoder = build_decoder(checkpoint.model, checkpoint.weights, ids.shape[1])
    own = ids[-SPAN - distance - 1 :]
    logits = decoder.logits(own[:-1])[-SPAN:]
    return float(bits_of(logits, own[-SPAN:]).mean())


def speed(steps: Iterator[Any]) -> float:
    """Characters a second over the next `SPAN`."""
    begun = time.perf_counter()
    for _ in itertools.islice(steps, SPAN):
        pass
    return SPAN / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--model", default="llama")
    parser.add_argument("--minutes", type=float, default=1.4)
    parser.add_argument("--characters", type=int, default=50_000)
    parser.add_argument("--distance", type=int, default=5000)
    arguments = parser.parse_args()
    checkpoint = trained(arguments.text, arguments.model, arguments.minutes)

    text = arguments.text.read_text("utf-8")
    held_out = checkpoint.vocabulary.encode(text[len(text) * 9 // 10 :])
    length = SPAN + arguments.distance + 1
    starts = np.arange(0, len(held_out) - length, SPAN)[:MOST_STREAMS]
    ids = held_out[starts + np.arange(length)[:, None]]  # (T, B)
    print(f"{len(starts)} places of the held-out tenth, bits a character of the same characters")
    for distance in (0, arguments.distance):
        bits = bits_per_character(checkpoint, ids, distance)
        print(f"characters {distance:6,} to {distance + SPAN:6,}: {bits:.4f}")

    measures: dict[str, Callable[[], float]] = {}
    for done in (BEGIN, arguments.characters):
        decoder = build_decoder(checkpoint.model, checkpoint.weights)
        steps = generate(decoder, [0], SamplingConfig(), 0)
        for _ in itertools.islice(steps, done):
            pass
        measures[f"{done:6,}"] = lambda steps=steps: speed(steps)
    print(f"{ROUNDS} rounds in turn, medians")
    for name, value in medians(measures, ROUNDS).items():
        print(f"from character {name} on: {value:,.0f} characters a second")


if __name__ == "__main__":
    main()
