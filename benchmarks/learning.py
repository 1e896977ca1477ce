"""What is learned in the same time: `charrnn train TEXT`, and the tutorial's own loop.

    python benchmarks/learning.py TEXT [--random-seeds 0 1 2] [--minutes M]

charrnn runs as a user runs it, in a process of its own: start-up, evaluations and checkpoints are
inside its time. The tutorial's loop (tanh RNN of 512, dropout 0.5, batch 128, window 100, Adam at
1e-3 throughout, step by step over one-hot input; with the hidden state detached, without
which it crashes) then trains for the same time, evaluations left out of it, and keeps its best
held-out loss. Both are measured on the last tenth of the text, the state carried through it.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from charrnn_cli.checkpoint import load
from charrnn_cli.corpus import Corpus, read_corpus
from charrnn_cli.evaluation import held_out_loss

BATCH, WINDOW, SIZE = 128, 100, 512
EVALUATE_EVERY = 20  # steps


class SimpleRNN(nn.Module):
    """The tutorial's model, time-major, with the contract that `held_out_loss` wants."""

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.w_xh = nn.Parameter(torch.empty(vocabulary_size, SIZE))
        self.w_hh = nn.Parameter(torch.empty(SIZE, SIZE))
        self.b_h = nn.Parameter(torch.zeros(SIZE))
        nn.init.xavier_uniform_(self.w_xh)
        nn.init.xavier_uniform_(self.w_hh)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(SIZE, vocabulary_size)

    def initial_hidden(self, batch_size: int) -> tuple[Tensor, ...]:
        return (torch.zeros(batch_size, SIZE),)

    def forward(self, ids: Tensor, hidden: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        inputs = nn.functional.one_hot(ids, self.vocabulary_size).float()
        state, outputs = hidden[0], []
        for x in inputs:
            state = torch.tanh(x @ self.w_xh + state @ self.w_hh + self.b_h)
            outputs.append(state)
        return self.head(self.dropout(torch.stack(outputs))), (state,)


def tutorial_loss(corpus: Corpus, seconds: float, random_seed: int) -> tuple[float, float]:
    """The best held-out loss of the tutorial's loop within so many seconds; passes made."""
    torch.manual_seed(random_seed)
    train_ids, held_out = corpus.split(0.1)
    batches = len(train_ids) // (BATCH * WINDOW)
    inputs = torch.from_numpy(train_ids[: batches * BATCH * WINDOW].astype("int64"))
    targets = torch.roll(inputs, -1).view(BATCH, -1).T
    inputs = inputs.view(BATCH, -1).T  # (T, B)
    model = SimpleRNN(len(corpus.vocabulary))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    best, spent, step = float("inf"), 0.0, 0
    while spent < seconds:
        begun = time.perf_counter()
        index = step % batches
        if index == 0:
            hidden = model.initial_hidden(BATCH)
        rows = slice(index * WINDOW, (index + 1) * WINDOW)
        logits, hidden = model(inputs[rows], hidden)
        hidden = (hidden[0].detach(),)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets[rows].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimizer.step()
        step += 1
        spent += time.perf_counter() - begun
        if step % EVALUATE_EVERY == 0 or spent >= seconds:
            best = min(best, held_out_loss(model, held_out))
    return best, step / batches


def charrnn_loss(text: str, random_seed: int, minutes: float | None) -> tuple[float, float]:
    """The best held-out loss of `charrnn train TEXT`, and the seconds that the process took."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "charrnn_cli", "train", text, "--quiet", "--name", "run"]
        command += ["--checkpoints", folder, "--random-seed", str(random_seed)]
        command += [] if minutes is None else ["--minutes", str(minutes)]
        begun = time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - begun
        val_loss = load(Path(folder) / "run" / "best.safetensors").val_loss
    assert val_loss is not None
    return val_loss, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text")
    parser.add_argument("--random-seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float)
    arguments = parser.parse_args()
    corpus = read_corpus(arguments.text)
    ours, theirs = [], []
    print("random seed   seconds   charrnn   tutorial's loop (epochs)   nats per character")
    for seed in arguments.random_seeds:
        loss, seconds = charrnn_loss(arguments.text, seed, arguments.minutes)
        tutorial, epochs = tutorial_loss(corpus, seconds, seed)
        ours.append(loss)
        theirs.append(tutorial)
        print(f"{seed:11} {seconds:9.1f} {loss:9.4f} {tutorial:12.4f} ({epochs:.0f})", flush=True)
    print(
        f"median: {statistics.median(ours):.4f} against {statistics.median(theirs):.4f}, "
        f"{statistics.median(ours) / statistics.median(theirs):.3f} times the loss"
    )


if __name__ == "__main__":
    main()
