"""Training while other programs keep every core busy: charrnn's own choice of threads beside all.

    python benchmarks/busy.py [TEXT] [--rounds 3] [--epochs 1] [--busy 0 2]

Each round trains twice, once with as many threads as charrnn takes by itself and once with one for
each core, while --busy processes do nothing but count: none, then as many as there are cores,
unless other numbers are given.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from side_by_side import medians

SONNETS = Path(__file__).parent.parent / "data" / "sonnets.txt"


def count() -> None:
    """Keep a core busy."""
    while True:
        pass


def trained(text: Path, epochs: float, *options: str) -> float:
    """Seconds of a whole `charrnn train`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "charrnn_cli", "train", str(text), "--device", "cpu"]
        command += ["--epochs", str(epochs), "--checkpoints", folder, "--quiet", "--json"]
        begun = time.perf_counter()
        done = subprocess.run([*command, *options], stdout=subprocess.PIPE, check=True)
        seconds = time.perf_counter() - begun
        assert json.loads(done.stdout)["reason"] == "complete"
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text", type=Path, nargs="?", default=SONNETS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=1.0)
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--busy", type=int, nargs="+", default=[0, cores])
    arguments = parser.parse_args()
    ways = {
        "its own choice": partial(trained, arguments.text, arguments.epochs),
        "all threads": partial(trained, arguments.text, arguments.epochs, "--threads", str(cores)),
    }
    for busy in arguments.busy:
        others = [multiprocessing.Process(target=count, daemon=True) for _ in range(busy)]
        for other in others:
            other.start()
        try:
            seconds = medians(ways, arguments.rounds)
        finally:
            for other in others:
                other.kill()
        ratio = seconds["all threads"] / seconds["its own choice"]
        each = ", ".join(f"{way} {taken:.1f} s" for way, taken in seconds.items())
        print(f"{busy} busy programs on {cores} cores: {each}, ratio {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
