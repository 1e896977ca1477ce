"""What `charrnn score --with-ngram` gains on texts that a model has not read.

    python benchmarks/ngram_mixture.py TEXT [TEXT ...] [--minutes 1.2] [--random-seed 0]
                                       [--options WORDS]

`charrnn train` is given the first nine tenths of a text, --minutes and --options of its own, and
`charrnn score` the rest: once as it is, and once with --with-ngram, which counts the n-grams of
the rest as it is read. All are in nats per character, and the seconds are those of the scoring.
"""

import argparse
import json
import shlex
import tempfile
import time
from math import log
from pathlib import Path
from typing import Any

from program import charrnn


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("texts", type=Path, nargs="+")
    parser.add_argument("--minutes", default="1.2")
    parser.add_argument("--random-seed", default="0")
    parser.add_argument("--options", default="")
    arguments = parser.parse_args()
    words = ["--minutes", arguments.minutes, "--random-seed", arguments.random_seed]
    words += shlex.split(arguments.options)
    print("text                    scored   model  n-grams  mixture  seconds  with n-grams")
    for path in arguments.texts:
        text = path.read_text("utf-8")
        with tempfile.TemporaryDirectory() as name:
            folder, cut = Path(name), 9 * len(text) // 10
            (folder / "text.txt").write_text(text[:cut], "utf-8", newline="")
            (folder / "rest.txt").write_text(text[cut:], "utf-8", newline="")
            charrnn(folder, "train", "text.txt", "--name", "run", "--quiet", *words)
            _, seconds = score(folder)
            found, longer = score(folder, "--with-ngram")
        mixture = found["with_ngram"]
        print(
            f"{path.name[:20]:20} {len(text) - cut:9,} {found['loss']:7.4f} "
            f"{mixture['ngram_alone'] * log(2):8.4f} {mixture['loss']:8.4f} {seconds:8.1f} "
            f"{longer:13.1f}",
            flush=True,
        )


def score(folder: Path, *words: str) -> tuple[dict[str, Any], float]:
    """What `charrnn score --json` says of the rest, and the seconds of the whole process."""
    begun = time.monotonic()
    told = json.loads(
        charrnn(folder, "score", "rest.txt", "--checkpoint", "run", "--quiet", "--json", *words)
    )
    return told, time.monotonic() - begun


if __name__ == "__main__":
    main()
