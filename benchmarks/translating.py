"""How many lines a second `charrnn translate` translates, after its start-up.

    python benchmarks/translating.py [CHECKPOINT] [FILE] [--lines 1000] [--beam-sizes 1 5]
                                     [--rounds 5]

CHECKPOINT is the shipped model of dates unless given; the sources are the first columns of FILE's
first lines, of `data/dates.tsv` unless given, and the second columns are what is right. Each time
is that of a whole process that reads a file, and start-up that of one that reads an empty line.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from side_by_side import medians

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "checkpoints" / "dates" / "best.safetensors"
DATES = ROOT / "data" / "dates.tsv"


def seconds_of(checkpoint: str, lines: Path, *words: str) -> float:
    """Seconds from start to end of a process that translates a file."""
    command = [sys.executable, "-m", "charrnn_cli", "translate", checkpoint, "--file", str(lines)]
    begun = time.perf_counter()
    subprocess.run([*command, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def share_right(checkpoint: str, pairs: list[list[str]], lines: Path, *words: str) -> float:
    """The share of pairs whose target is the translation of their source."""
    command = [sys.executable, "-m", "charrnn_cli", "translate", checkpoint, "--file", str(lines)]
    done = subprocess.run([*command, *words], check=True, capture_output=True, text=True)
    found = done.stdout.split("\n")[: len(pairs)]
    right = sum(pair[1:2] == [text] for pair, text in zip(pairs, found, strict=True))
    return right / len(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", nargs="?", default=str(SHIPPED))
    parser.add_argument("file", nargs="?", type=Path, default=DATES)
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--beam-sizes", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    checkpoint = arguments.checkpoint
    read = arguments.file.read_text("utf-8").splitlines()[: arguments.lines]
    pairs = [line.split("\t") for line in read]
    sources = [pair[0] for pair in pairs]
    with tempfile.TemporaryDirectory() as name:
        nothing, one, every = (Path(name) / part for part in ("nothing", "one", "every"))
        nothing.write_text("\n")
        one.write_text(f"{sources[0]}\n", "utf-8")
        every.write_text("".join(f"{source}\n" for source in sources), "utf-8")
        measures: dict[str, Callable[[], float]] = {
            "start-up": lambda: seconds_of(checkpoint, nothing),
            "one line": lambda: seconds_of(checkpoint, one),
        }
        for size in arguments.beam_sizes:
            words = "--beam-size", str(size), "--unknown", "skip"
            measures[f"beam {size}"] = lambda words=words: seconds_of(checkpoint, every, *words)
        seconds = medians(measures, arguments.rounds)
        right = {
            f"beam {size}": share_right(
                checkpoint, pairs, every, "--beam-size", str(size), "--unknown", "skip"
            )
            for size in arguments.beam_sizes
        }
    start = seconds.pop("start-up")
    print(f"{len(sources):,} lines, {arguments.rounds} rounds in turn, medians")
    print(f"start-up {start:6.3f} s   one line {seconds.pop('one line'):6.3f} s")
    for name, value in seconds.items():
        rate = len(sources) / max(1e-3, value - start)
        speed = f"{value:6.3f} s   {rate:7,.0f} lines/s after start-up"
        print(f"{name:8} {speed}   {right[name]:.3f} right")


if __name__ == "__main__":
    main()
