"""What is learned in the same time: `charrnn train TEXT`, and a plain loop as in the tutorial.

    python benchmarks/learning.py TEXT [--minutes 1.4 3 10] [--random-seeds 0 1 2]
                                       [--model gru] [--plain rnn] [--plain-time 1]

charrnn runs as a user runs it, in a process of its own: start-up, evaluations and checkpoints are
inside its time. Without --minutes it is given nothing but the text. The plain loop (the tutorial's
tanh RNN, or another cell of its sizes and settings: 512 units, dropout 0.5, batch 128, window 100,
Adam at 1e-3 throughout, step by step over one-hot input; with the hidden state detached, without
which it crashes) then trains for the longest of the times, or --plain-time times as long,
evaluations not counted, and its best loss so far is noted at each of them. Both are measured on the
last tenth of the text: the state carried through it, and in windows of 256 characters that begin
with a zero state, as others measure.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from charrnn_cli.checkpoints.checkpoint import load
from charrnn_cli.models.recurrent.config import RecurrentConfig
from charrnn_cli.models.transformer.config import KINDS
from charrnn_cli.models.weights import trained_model
from charrnn_cli.text.corpus import Corpus, read_corpus
from charrnn_cli.text.dataset import Batch
from charrnn_cli.text.vocabulary import Ids
from charrnn_cli.training.evaluation import held_out_loss

BATCH, WINDOW, SIZE = 128, 100, 512
EVALUATE_EVERY = 20  # steps of the plain loop
CONTEXT = 256
CELLS = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}
# The loss of nanoGPT's own recipe for CPUs on Tiny Shakespeare after 85 s, in nats per character.
NANOGPT = 1.886


@dataclass(frozen=True)
class Result:
    """Held-out losses in nats per character, the state carried and in windows, after `seconds`."""

    seconds: float
    carried: float
    windows: float


class Plain(nn.Module):
    """The tutorial's model, time-major, with the methods that `held_out_loss` calls."""

    def __init__(self, cell: str, vocabulary_size: int) -> None:
        super().__init__()
        self.config = RecurrentConfig(cell, vocabulary_size, SIZE, 1, 0.5)
        self.vocabulary_size, self.states = vocabulary_size, 2 if cell == "lstm" else 1
        self.cell = CELLS[cell](vocabulary_size, SIZE)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(SIZE, vocabulary_size)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        return {str(index): torch.zeros(batch_size, SIZE) for index in range(self.states)}

    def forward(self, batch: Batch, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        inputs = nn.functional.one_hot(batch.inputs, self.vocabulary_size).float()
        hidden = tuple(state.values())
        outputs = []
        for x in inputs:
            new = self.cell(x, hidden if self.states == 2 else hidden[0])
            hidden = new if self.states == 2 else (new,)
            outputs.append(hidden[0])
        return self.head(self.dropout(torch.stack(outputs))), dict(zip(state, hidden, strict=True))


@torch.no_grad()
def loss_in_windows(model: nn.Module, ids: Ids) -> float:
    """Mean loss in nats per character over windows of `CONTEXT` characters from a zero state; of a
    transformer that looks back on fewer, over windows of its context."""
    was_training = model.training
    model.eval()
    length = min(CONTEXT, getattr(model.config, "context", None) or CONTEXT)
    count = (len(ids) - 1) // length
    whole = torch.from_numpy(ids[: count * length + 1].astype("int64"))
    total = 0.0
    for inputs, targets in zip(
        whole[:-1].view(count, length).split(64),
        whole[1:].view(count, length).split(64),
        strict=True,
    ):
        logits, _ = model(Batch(inputs.T, targets.T), model.initial_state(len(inputs)))
        total += nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.T.flatten(), reduction="sum"
        ).item()
    model.train(was_training)
    return total / (count * length)


def plain_losses(corpus: Corpus, cell: str, random_seed: int, times: list[float]) -> list[Result]:
    """The best losses of the plain loop up to each of the times in seconds, in rising order."""
    torch.manual_seed(random_seed)
    train_part, held_out = corpus.split(0.1)
    train_ids = train_part.ids
    batches = len(train_ids) // (BATCH * WINDOW)
    inputs = torch.from_numpy(train_ids[: batches * BATCH * WINDOW].astype("int64"))
    targets = torch.roll(inputs, -1).view(BATCH, -1).T
    inputs = inputs.view(BATCH, -1).T  # (T, B)
    model = Plain(cell, len(corpus.vocabulary))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    best, results, spent, step = float("inf"), [], 0.0, 0
    while len(results) < len(times):
        begun = time.perf_counter()
        index = step % batches
        if index == 0:
            state = model.initial_state(BATCH)
        rows = slice(index * WINDOW, (index + 1) * WINDOW)
        logits, state = model(Batch(inputs[rows], targets[rows]), state)
        state = {name: values.detach() for name, values in state.items()}
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets[rows].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimizer.step()
        step += 1
        spent += time.perf_counter() - begun
        over = spent >= times[len(results)]
        if step % EVALUATE_EVERY == 0 or over:
            carried = held_out_loss(model, held_out)
            if carried < best:
                best, windows = carried, loss_in_windows(model, held_out.ids)
        if over:
            results.append(Result(spent, best, windows))
    return results


def charrnn_loss(
    text: str, corpus: Corpus, cell: str, random_seed: int, minutes: float | None
) -> tuple[Result, float | None]:
    """The best losses of `charrnn train TEXT` after the seconds of the whole process, and the
    seconds from its start to a loss of `NANOGPT`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "charrnn_cli", "train", text, "--quiet", "--name", "run"]
        command += ["--checkpoints", folder, "--random-seed", str(random_seed), "--model", cell]
        command += [] if minutes is None else ["--minutes", str(minutes)]
        begun = time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - begun
        run = Path(folder) / "run"
        best = load(run / "best.safetensors")
        records = map(json.loads, (run / "metrics.jsonl").read_text("utf-8").splitlines())
        reached = [record["seconds"] for record in records if record["val_loss"] <= NANOGPT]
    model = trained_model(best.model, best.weights, torch.device("cpu"))
    assert best.val_loss is not None
    result = Result(seconds, best.val_loss, loss_in_windows(model, corpus.split(0.1)[1].ids))
    return result, min(reached, default=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text")
    parser.add_argument("--minutes", type=float, nargs="+", default=[None])
    parser.add_argument("--random-seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--model", choices=[*CELLS, *KINDS], default="gru")
    parser.add_argument("--plain", choices=[*CELLS, "none"], default="rnn")
    parser.add_argument("--plain-time", type=float, default=1.0)
    arguments = parser.parse_args()
    corpus = read_corpus(arguments.text)
    budgets = sorted(arguments.minutes, key=lambda minutes: minutes or 0)
    ours: dict[float | None, list[Result]] = {budget: [] for budget in budgets}
    plain: dict[float | None, list[Result]] = {budget: [] for budget in budgets}
    print(f"nats per character, state carried / windows of {CONTEXT}")
    ours_name, plain_name = f"charrnn, {arguments.model}", f"plain, {arguments.plain}"
    print(f"minutes  random seed  seconds  {ours_name:15}  {plain_name:15}  {NANOGPT} after")
    for seed in arguments.random_seeds:
        reached = {}
        for budget in budgets:
            result, reached[budget] = charrnn_loss(
                arguments.text, corpus, arguments.model, seed, budget
            )
            ours[budget].append(result)
        times = [arguments.plain_time * ours[budget][-1].seconds for budget in budgets]
        if arguments.plain != "none":
            results = plain_losses(corpus, arguments.plain, seed, times)
            for budget, result in zip(budgets, results, strict=True):
                plain[budget].append(result)
        for budget in budgets:
            print(
                f"{budget or 'none':>7}  {seed:11}  {ours[budget][-1].seconds:7.1f}  "
                f"{_losses(ours[budget][-1:])}  {_losses(plain[budget][-1:])}  "
                + (f"{reached[budget]:.1f} s" if reached[budget] else "never"),
                flush=True,
            )
    for budget in budgets:
        print(
            f"{budget or 'none':>7}       median  "
            f"{statistics.median(result.seconds for result in ours[budget]):7.1f}  "
            f"{_losses(ours[budget])}  {_losses(plain[budget])}  "
            f"carried, range: {_range(ours[budget])}; {_range(plain[budget])}"
        )


def _losses(results: list[Result]) -> str:
    """The median of both losses."""
    if not results:
        return f"{'-':15}"
    carried = statistics.median(result.carried for result in results)
    windows = statistics.median(result.windows for result in results)
    return f"{carried:.4f} / {windows:.4f}"


def _range(results: list[Result]) -> str:
    losses = [result.carried for result in results]
    return f"{min(losses):.4f} to {max(losses):.4f}" if losses else "-"


if __name__ == "__main__":
    main()
