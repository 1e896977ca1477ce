"""How much of the test parts models of pairs get right after a fixed time of training.

    python benchmarks/pairs.py FOLDER [--tasks ice fre tur eng-nld] [--model attention]
                                      [--minutes 1] [--random-seeds 0 1 2] [--yoyodyne PYTHON]
                                      [--options WORDS]

FOLDER holds TASK_train.tsv, TASK_dev.tsv and TASK_test.tsv of each task: ice and fre (SIGMORPHON
2021: spelling to phones), tur (UniMorph: inflection, the features in the third column) and eng-nld
(Tatoeba: translation); other tasks of that form can be named, too. charrnn runs as a user runs it,
in a process of its own, with nothing but --pairs, --val-text, the columns and the minutes: start-up
and evaluations are inside its time. Unless --minutes is given it is that of the task. Then the best
checkpoint scores the test part; chrF needs sacrebleu. --options are words for `charrnn train`.

--yoyodyne names the Python of a virtual environment with yoyodyne 0.5.27, whose attention LSTM is
trained beside on the same parts for the same time, one run a seed, at the settings of its test
suite. Where pip does not come to an end with its dependencies, install them with --no-deps by name:
those of its metadata, and of these wandb's, which its import asks for (opentelemetry, xxhash).
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from program import charrnn

from charrnn_cli.errors import CharRNNError


@dataclass(frozen=True)
class Task:
    """Minutes of training, and the options that say where things are in a line."""

    minutes: float
    columns: tuple[str, ...] = ()


TASKS = {
    "ice": Task(1.0),
    "fre": Task(4.0),
    "tur": Task(3.0, ("--feature-columns", "3")),
    "eng-nld": Task(10.0),
}
# The configuration of yoyodyne's attention LSTM, after its own examples.
YOYODYNE = """
trainer: {{max_epochs: 1000000, max_time: "00:00:{minutes:02.0f}:{seconds:02.0f}",
  enable_progress_bar: false, logger: false, default_root_dir: {folder}}}
seed_everything: {seed}
model: {{class_path: yoyodyne.models.SoftAttentionLSTMModel, init_args: {{
  source_encoder: {{class_path: yoyodyne.models.modules.LSTMEncoder}}}}}}
data: {{train: {train}, val: {dev}, predict: {test}, model_dir: {folder}, batch_size: 32}}
"""


def measure(task: str, part: dict[str, str], words: Sequence[str]) -> dict[str, float | None]:
    """Train on a task and score its test part: exact matches, error rate, chrF, seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder, columns = Path(name), TASKS.get(task, Task(1.0)).columns
        begun = time.monotonic()
        charrnn(
            folder, "train", part["train"], "--pairs", "--val-text", part["dev"], "--name", "it",
            "--quiet", *columns, *words,
        )  # fmt: skip
        seconds = time.monotonic() - begun
        found = json.loads(charrnn(folder, "score", part["test"], "--checkpoint", "it", "--json"))
    wanted = ("exact_matches", "character_error_rate", "chrf")
    return {name: found[name] for name in wanted} | {"seconds": seconds}


def row(task: str, model: str, seed: object, found: dict[str, float | None]) -> str:
    """One result as a line of the table."""
    chrf = "-" if found["chrf"] is None else f"{found['chrf']:.1f}"
    return (
        f"{task:8} {model:12} {seed!s:>6} {found['exact_matches']:>7.3f} "
        f"{found['character_error_rate']:>8.4f} {chrf:>6} {found['seconds']:>6.0f} s"
    )


def median_of(results: Sequence[dict[str, float | None]]) -> dict[str, float | None]:
    """The median of each figure over the seeds; None for one that was not measured."""
    columns = {name: [result[name] for result in results] for name in results[0]}
    return {
        name: None if None in values else statistics.median(v for v in values if v is not None)
        for name, values in columns.items()
    }


def yoyodyne(python: str, part: dict[str, str], seed: int, minutes: float) -> float:
    """The share of the test part that yoyodyne's attention LSTM gets right."""
    tool = str(Path(python).parent / "yoyodyne")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole, rest = divmod(minutes, 1)
        paths = {key: _two_columns(path, folder / f"{key}.tsv") for key, path in part.items()}
        config = folder / "config.yaml"
        config.write_text(
            YOYODYNE.format(seed=seed, minutes=whole, seconds=60 * rest, folder=folder, **paths)
        )
        environment = os.environ | {"PYTHONPATH": ""}
        for command in ("fit", "predict"):
            words = [tool, command, "--config", str(config)]
            if command == "predict":
                last = max(folder.rglob("*.ckpt"), key=os.path.getmtime)
                words += ["--ckpt_path", str(last), "--prediction.path", str(folder / "out.txt")]
            subprocess.run(words, check=True, env=environment, stdout=sys.stderr)
        outputs = (folder / "out.txt").read_text("utf-8").splitlines()
        targets = [
            line.split("\t")[1] for line in Path(part["test"]).read_text("utf-8").splitlines()
        ]
    return sum(map(str.__eq__, outputs, targets)) / len(targets)


def _two_columns(path: str, copy: Path) -> Path:
    """A copy of a part whose features, if it has any, stand in front of the source."""
    lines = []
    for line in Path(path).read_text("utf-8").splitlines():
        source, target, *features = line.split("\t")
        lines.append(f"{''.join(features)}{source}\t{target}\n")
    copy.write_text("".join(lines), "utf-8")
    return copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--model", default="attention")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--random-seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--yoyodyne", metavar="PYTHON")
    parser.add_argument("--options", default="", metavar="WORDS")
    arguments = parser.parse_args()
    print("task     model          seed   right   errors   chrF   time")
    for task in arguments.tasks:
        minutes = arguments.minutes or TASKS.get(task, Task(1.0)).minutes
        names = ("train", "dev", "test")
        part = {name: str((arguments.folder / f"{task}_{name}.tsv").resolve()) for name in names}
        results = []
        for seed in arguments.random_seeds:
            words = ["--model", arguments.model, "--minutes", str(minutes)]
            words += ["--random-seed", str(seed), *shlex.split(arguments.options)]
            results.append(measure(task, part, words))
            print(row(task, arguments.model, seed, results[-1]), flush=True)
            if arguments.yoyodyne:
                share = yoyodyne(arguments.yoyodyne, part, seed, minutes)
                print(f"{task:8} {'yoyodyne':12} {seed!s:>6} {share:>7.3f}", flush=True)
        print(row(task, arguments.model, "median", median_of(results)), flush=True)


if __name__ == "__main__":
    try:
        main()
    except (CharRNNError, subprocess.CalledProcessError) as error:
        sys.exit(f"Error: {error}")
