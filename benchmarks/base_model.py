"""What a short English text gains by starting from the base model that comes with charrnn.

    python benchmarks/base_model.py TEXT [--characters 10000 30000] [--held-out 20000]
                                         [--random-seeds 0 1 2] [--options WORDS]

For each of --characters, `charrnn train` is given nothing but so many of the first characters of
TEXT, and --options of its own: once anew, and once with `--init-from english`. Both are measured on
the --held-out characters that follow, as is a 5-gram model of the same first characters.
"""

import argparse
import json
import shlex
import tempfile
from pathlib import Path
from typing import Any

from program import charrnn


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--characters", type=int, nargs="+", default=[10_000, 30_000])
    parser.add_argument("--held-out", type=int, default=20_000)
    parser.add_argument("--random-seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--options", default="")
    arguments = parser.parse_args()
    text = arguments.text.read_text("utf-8")
    print("characters  random seed  5-gram     anew  parameters  from english  parameters")
    for characters in arguments.characters:
        for seed in arguments.random_seeds:
            words = ["--random-seed", str(seed), *shlex.split(arguments.options)]
            rest = text[characters : characters + arguments.held_out]
            anew = train(text[:characters], rest, words)
            based = train(text[:characters], rest, ["--init-from", "english", *words])
            print(
                f"{characters:10,}  {seed:11}  {anew['marks']['five_gram']:6.4f}   "
                f"{anew['val_loss']:6.4f}  {anew['parameters']:10,}  {based['val_loss']:12.4f}  "
                f"{based['parameters']:10,}",
                flush=True,
            )


def train(text: str, held_out: str, words: list[str]) -> dict[str, Any]:
    """What `charrnn train --json` says at the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "text.txt").write_text(text, "utf-8", newline="")
        (folder / "rest.txt").write_text(held_out, "utf-8", newline="")
        told: dict[str, Any] = json.loads(charrnn(
            folder, "train", "text.txt", "--val-text", "rest.txt", "--quiet", "--json", *words
        ))  # fmt: skip
    return told


if __name__ == "__main__":
    main()
