"""What a run that is gone on with reaches, beside a new run of as many epochs.

    python benchmarks/going_on.py TEXT [--epochs 0.5] [--times 1.25 1.5 2] [--random-seeds 0 1 2]
                                       [--options WORDS]

A short run of --epochs, with the settings of its plan and --options of `charrnn train`; for each of
--times, a copy of it is gone on with by `--resume` up to so many times the epochs, and a new run
with the short one's settings makes as many from the beginning. Losses are those of the best
checkpoints, on the held-out tenth of the text.
"""

import argparse
import json
import shlex
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from kinds_results import Settings
from program import charrnn

from charrnn_cli.checkpoints.checkpoint import load


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--epochs", type=float, default=0.5)
    parser.add_argument("--times", type=float, nargs="+", default=[1.25, 1.5, 2.0])
    parser.add_argument("--random-seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--options", default="")
    arguments = parser.parse_args()
    text, options = str(arguments.text.resolve()), shlex.split(arguments.options)
    print("random seed   short  times  gone on     new  gone on - new")
    for seed in arguments.random_seeds:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            runs, words = folder / "checkpoints", ["--random-seed", str(seed), *options]
            epochs = str(arguments.epochs)
            short = train(folder, text, "--name", "short", "--epochs", epochs, *words)
            settings = Settings.of(load(runs / "short" / "best.safetensors"))
            for times in arguments.times:
                longer = replace(settings, epochs=times * arguments.epochs)
                shutil.copytree(runs / "short", runs / "longer")
                gone_on = train(folder, text, "--resume", "longer", "--epochs", str(longer.epochs))
                shutil.rmtree(runs / "longer")
                new = train(folder, text, "--name", "new", *words, *longer.words())
                shutil.rmtree(runs / "new")
                print(
                    f"{seed:11} {short:7.4f} {times:6g}  {gone_on:7.4f} {new:7.4f} "
                    f"{gone_on - new:14.4f}",
                    flush=True,
                )


def train(folder: Path, text: str, *words: str) -> float:
    """The best held-out loss of a run that `charrnn train` makes or goes on with."""
    told = json.loads(charrnn(folder, "train", text, *words, "--quiet", "--json"))
    return float(told["val_loss"])


if __name__ == "__main__":
    main()
