"""How long a whole command takes, beside importing PyTorch alone.

    python benchmarks/startup.py [CHECKPOINT] [--rounds 11]

CHECKPOINT is the shipped model of the sonnets unless given.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from side_by_side import medians

CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"
SHIPPED = CHECKPOINTS / "sonnets" / "best.safetensors"
DATES = CHECKPOINTS / "dates" / "best.safetensors"


def seconds_of(*command: str) -> float:
    """Seconds from start to end of a process."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", nargs="?", default=str(SHIPPED))
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args()
    checkpoint, rounds = arguments.checkpoint, arguments.rounds
    commands = {
        "import torch": ["-c", "import torch"],
        "charrnn sample --seed H --top-k 5": [
            *("-m", "charrnn_cli", "sample", checkpoint, "--seed", "H", "--top-k", "5"),
        ],
        "charrnn translate dates '3. Mai 1987'": [
            *("-m", "charrnn_cli", "translate", str(DATES), "3. Mai 1987"),
        ],
        "charrnn info": ["-m", "charrnn_cli", "info", checkpoint],
        "charrnn --help": ["-m", "charrnn_cli", "--help"],
    }
    measures: dict[str, Callable[[], float]] = {
        name: lambda words=words: seconds_of(*words) for name, words in commands.items()
    }
    seconds = medians(measures, rounds)
    print(f"{rounds} rounds in turn, medians")
    for name, value in seconds.items():
        print(f"{name:38} {value:6.3f} s   {value / seconds['import torch']:5.2f} of import torch")


if __name__ == "__main__":
    main()
