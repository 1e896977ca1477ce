"""How fast a text is read and encoded, and the memory that takes, beside the tutorial's way.

    python benchmarks/corpus.py [--megabytes 10 100 1000] [--ascii] [--rounds 3]

It makes the texts itself, the same each time, in a temporary folder: words of several scripts, an
eighth of the bytes in characters of more than one byte, or ASCII alone. Each reading has a process
of its own; memory is its peak over what it had with everything imported. The tutorial's way, which
takes many times the file, is left out for texts above 100 MB.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

# The largest text, in megabytes, read in the tutorial's way, which takes twenty times its memory.
LARGEST_PLAIN = 100
ASCII = "the of and to in that it was for with his they be this from have not but what all"
MORE = "café naïve été über größe señor “quoted” it’s – привет мир слово язык 日本 語文 x² 😀"

MEASURE = """
import os, re, sys, time
import numpy as np
from charrnn_cli.text.corpus import read_corpus

def plain(path):
    text = open(path, encoding="utf-8").read()
    index = {character: number for number, character in enumerate(sorted(set(text)))}
    return np.array([index[character] for character in text])

def memory(which):
    return int(re.search(which + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

before = memory("VmRSS")
begun = time.perf_counter()
result = {"charrnn": read_corpus, "plain": plain}[sys.argv[1]](sys.argv[2])
print(time.perf_counter() - begun, memory("VmHWM") - before)
"""


def write_text(path: Path, size: int, words: list[str]) -> None:
    """A text of exactly `size` bytes: some megabytes of random words, again and again."""
    rng = random.Random(1)
    lines = (" ".join(rng.choices(words, k=rng.randint(4, 12))) for _ in range(100_000))
    part = ("\n".join(lines) + "\n").encode()
    with path.open("wb") as file:
        for left in range(size, 0, -len(part)):
            end = part[:left].decode("utf-8", "ignore").encode()  # whole characters only
            file.write(end + b"." * (min(left, len(part)) - len(end)))


def measured(way: str, path: Path, rounds: int) -> tuple[float, float]:
    """The fewest seconds and the most bytes of memory of some rounds."""
    command = [sys.executable, "-c", MEASURE, way, str(path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    results = []
    for _ in range(rounds):
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        results.append([float(word) for word in done.stdout.split()])
    return min(seconds for seconds, _ in results), max(memory for _, memory in results)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--ascii", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    words = (ASCII if arguments.ascii else 6 * f"{ASCII} " + MORE).split()
    print(f"best of {arguments.rounds} readings, one thread; memory over the interpreter's own")
    print("           charrnn                            the tutorial's way                ratio")
    with tempfile.TemporaryDirectory() as folder:
        for megabytes in arguments.megabytes:
            path, size = Path(folder) / "text.txt", megabytes * 10**6
            write_text(path, size, words)
            line, found = f"{megabytes:5,} MB", []
            for way in ("charrnn", "plain"):
                if way == "charrnn" or megabytes <= LARGEST_PLAIN:
                    seconds, memory = measured(way, path, arguments.rounds)
                    found.append(seconds)
                    line += (
                        f"  {seconds:6.2f} s {size / seconds / 1e6:5.0f} MB/s "
                        f"{memory / size:5.2f} x file"
                    )
            print(line + (f"  {found[1] / found[0]:5.1f}" if len(found) == 2 else ""), flush=True)


if __name__ == "__main__":
    main()
