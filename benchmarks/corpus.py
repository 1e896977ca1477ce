"""How fast a text or a file of pairs is read and encoded, and the memory that takes, beside the
tutorial's way of reading a text.

    python benchmarks/corpus.py [--megabytes 10 100 1000] [--kinds text pairs] [--ascii]
                                [--rounds 3]

It makes the texts itself, the same each time, in a temporary folder: words of several scripts, an
eighth of the bytes in characters of more than one byte, or ASCII alone. Pairs are of one or two
such words, and the same spelled out. Each reading has a process of its own; memory is its peak over
what it had with everything imported. The tutorial's way, which takes many times the file, is left
out for texts above 100 MB.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

# The largest text, in megabytes, read in the tutorial's way, which takes twenty times its memory.
LARGEST_PLAIN = 100
ASCII = "the of and to in that it was for with his they be this from have not but what all"
MORE = "café naïve été über größe señor “quoted” it’s – привет мир слово язык 日本 語文 x² 😀"

MEASURE = """
import os, re, sys, time
import numpy as np
from charrnn_cli.text.corpus import read_corpus
from charrnn_cli.text.pair_file import read_pairs
from charrnn_cli.text.pair_format import PairFormat

def pairs(path):
    return read_pairs(path, PairFormat())

def plain(path):
    text = open(path, encoding="utf-8").read()
    index = {character: number for number, character in enumerate(sorted(set(text)))}
    return np.array([index[character] for character in text])

def memory(which):
    return int(re.search(which + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

before = memory("VmRSS")
begun = time.perf_counter()
result = {"text": read_corpus, "pairs": pairs, "plain": plain}[sys.argv[1]](sys.argv[2])
print(time.perf_counter() - begun, memory("VmHWM") - before)
"""


def text_lines(words: list[str], rng: random.Random) -> Iterator[str]:
    """Lines of a text: random words."""
    for _ in range(100_000):
        yield " ".join(rng.choices(words, k=rng.randint(4, 12)))


def pair_lines(words: list[str], rng: random.Random) -> Iterator[str]:
    """Lines of a source, a tab and a target, which is the source with spaces between its
    characters."""
    for _ in range(100_000):
        source = "".join(rng.choices(words, k=rng.randint(1, 2)))
        yield f"{source}\t{' '.join(source)}"


LINES = {"text": text_lines, "pairs": pair_lines}


def write_file(path: Path, size: int, kind: str, words: list[str]) -> None:
    """A file of about `size` bytes, at most a line more: the same megabytes of random lines again
    and again."""
    lines = list(LINES[kind](words, random.Random(1)))
    part = ("\n".join(lines) + "\n").encode()
    with path.open("wb") as file:
        for left in range(size, 0, -len(part)):
            file.write(part if left >= len(part) else part[: part.index(b"\n", left - 1) + 1])


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
    parser.add_argument("--kinds", nargs="+", choices=list(LINES), default=list(LINES))
    parser.add_argument("--ascii", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    words = (ASCII if arguments.ascii else 6 * f"{ASCII} " + MORE).split()
    print(f"best of {arguments.rounds} readings, one thread; memory over the interpreter's own")
    with tempfile.TemporaryDirectory() as folder:
        for kind in arguments.kinds:
            others = "  the tutorial's way                ratio" if kind == "text" else ""
            print(f"{kind:8}   charrnn                          {others}".rstrip())
            for megabytes in arguments.megabytes:
                path = Path(folder) / "file.txt"
                write_file(path, megabytes * 10**6, kind, words)
                size = path.stat().st_size
                ways = [kind, "plain"] if others and megabytes <= LARGEST_PLAIN else [kind]
                line, found = f"{megabytes:5,} MB", []
                for way in ways:
                    seconds, memory = measured(way, path, arguments.rounds)
                    found.append(seconds)
                    line += (
                        f"  {seconds:6.2f} s {size / seconds / 1e6:5.0f} MB/s "
                        f"{memory / size:5.2f} x file"
                    )
                line += f"  {found[1] / found[0]:5.1f}" if len(found) == 2 else ""
                print(line, flush=True)


if __name__ == "__main__":
    main()
