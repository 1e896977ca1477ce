"""What each model of the tutorial's road learns of the same data in the same minutes.

    python benchmarks/road.py TEXT [PAIRS] [--minutes 1] [--random-seed 0] [--folder FOLDER]
                              [--plot FILE]

From the tanh RNN to the GPT, each model of texts is trained on TEXT by `charrnn train` with nothing
but --model, --minutes and --val-fraction, and each model of pairs on PAIRS, with --pairs. The
seconds are those of the whole process. Then each writes 300 characters, or turns the sources of the
last pairs. --folder keeps the runs; --plot draws the held-out losses of the models of texts.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from program import charrnn

from charrnn_cli.checkpoints.checkpoint import load

OF_TEXTS = ("rnn", "lstm", "gru", "gpt2", "llama")
OF_PAIRS = ("seq2seq", "attention", "transformer")
SAMPLE = ("--length", "300", "--temperature", "0.8", "--random-seed", "1")
HELD_OUT = 0.02  # the share of TEXT: a larger one leaves time for few evaluations
SHOWN = 5  # held-out pairs shown of each model


@dataclass(frozen=True)
class Trained:
    """A run, and the seconds of its whole process."""

    folder: Path
    seconds: float

    def records(self) -> list[dict[str, float]]:
        """Its evaluations."""
        lines = (self.folder / "metrics.jsonl").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]


def train(model: str, data: str, runs: Path, words: Sequence[str]) -> Trained:
    """Train a model on a text or on pairs."""
    begun = time.monotonic()
    charrnn(
        Path(), "train", data, "--model", model, "--name", model, "--checkpoints", str(runs),
        "--quiet", *words,
    )  # fmt: skip
    return Trained(runs / model, time.monotonic() - begun)


def report(model: str, run: Trained, of_pairs: bool) -> None:
    """One row of the table."""
    best = load(run.folder / "best.safetensors")
    assert best.val_loss is not None
    record = min(run.records(), key=lambda r: abs(r["step"] - best.progress.best_step))
    right = f"{record['exact_matches']:>8.1%}" if of_pairs else f"{'':8}"
    print(
        f"{model:12} {best.model.parameters:>10,} {best.progress.epoch:>7.2f} "
        f"{best.val_loss:>8.4f} {right} {run.seconds:>7.1f} s",
        flush=True,
    )


def draw(runs: dict[str, Trained], text: str, path: Path) -> None:
    """Draw the held-out losses over the seconds of training into a PNG, SVG or PDF file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for model, run in runs.items():
        records = run.records()
        axes.plot(
            [r["seconds"] for r in records], [r["val_loss"] for r in records], ".-", label=model
        )
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("held-out loss, nats per character")
    axes.set_title(f"The road on {Path(text).name}", loc="left")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text")
    parser.add_argument("pairs", nargs="?")
    parser.add_argument("--minutes", default="1")
    parser.add_argument("--random-seed", default="0")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    words = ["--minutes", arguments.minutes, "--random-seed", arguments.random_seed]
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        print("model        parameters  epochs     loss    right      time")
        texts = {}
        for model in OF_TEXTS:
            held_out = ["--val-fraction", str(HELD_OUT)]
            texts[model] = train(model, arguments.text, folder, [*words, *held_out])
            report(model, texts[model], of_pairs=False)
        pairs = {}
        for model in OF_PAIRS if arguments.pairs else ():
            pairs[model] = train(model, arguments.pairs, folder, [*words, "--pairs"])
            report(model, pairs[model], of_pairs=True)
        for model in texts:
            where = (str(folder / model), "--checkpoints", str(folder))
            sample = charrnn(Path(), "sample", *where, *SAMPLE)
            print(f"\n== {model}\n{sample.rstrip()}")
        if pairs:
            lines = Path(arguments.pairs).read_text("utf-8").splitlines()[-SHOWN:]
        for model in pairs:
            sources = [line.split("\t")[0] for line in lines]
            targets = charrnn(Path(), "translate", str(folder / model), *sources).splitlines()
            print(f"\n== {model}")
            for source, target in zip(sources, targets, strict=True):
                print(f"{source} → {target}")
        if arguments.plot is not None:
            draw(texts, arguments.text, arguments.plot)


if __name__ == "__main__":
    main()
