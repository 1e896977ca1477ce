"""How fast a training step is: charrnn's, and the same written plainly with PyTorch's modules.

    python benchmarks/throughput.py [--threads 2] [--rounds 15]

A step is forward, loss, backward, clipping and AdamW on one window, the state carried. The plain
one is an embedding as wide as the hidden layer, stacked `nn.GRU` (or `nn.RNN`, `nn.LSTM`), and a
linear layer. Both take their turns within each round. Operations are those of the matrix
products that the model needs, two for each multiplication, forward and backward; the share is of
what one large product of this machine reaches in the same run.
"""

import argparse
import os
import time
from collections.abc import Callable

import torch
from side_by_side import medians
from torch import nn

from charrnn_cli.config import ModelConfig
from charrnn_cli.device import processor
from charrnn_cli.model import CharRNN, detach

VOCABULARY = 65
SETTINGS = [  # model, units, layers, batch, window
    ("gru", 256, 1, 16, 32),
    ("gru", 256, 1, 32, 32),
    ("gru", 384, 1, 64, 32),
    ("gru", 256, 2, 64, 32),
    ("rnn", 256, 1, 32, 32),
    ("rnn", 512, 1, 128, 100),
    ("lstm", 256, 1, 32, 32),
]
MODULES = {"gru": nn.GRU, "rnn": nn.RNN, "lstm": nn.LSTM}


class Plain(nn.Module):
    """A character model as a PyTorch tutorial writes it, time-major."""

    def __init__(self, kind: str, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, hidden_size)
        self.recurrence = MODULES[kind](hidden_size, hidden_size, num_layers)
        self.head = nn.Linear(hidden_size, VOCABULARY)

    def forward(self, ids: torch.Tensor, hidden: object) -> tuple[torch.Tensor, object]:
        outputs, hidden = self.recurrence(self.embedding(ids), hidden)
        return self.head(outputs), hidden


def step_of(model: nn.Module, hidden: object, ids: torch.Tensor) -> Callable[[], float]:
    """A function that makes a training step and returns its seconds."""
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    carried = [hidden]

    def step() -> float:
        begun = time.perf_counter()
        logits, hidden = model(ids, carried[0])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten())
        model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        carried[0] = detach(hidden) if isinstance(hidden, tuple) else hidden.detach()
        return time.perf_counter() - begun

    return step


def product_seconds(size: int = 1024) -> float:
    """The seconds of one large matrix product."""
    a, b, out = (torch.ones(size, size) for _ in range(3))
    begun = time.perf_counter()
    torch.mm(a, b, out=out)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    with processor(arguments.threads):
        print(f"{arguments.threads} threads, {arguments.rounds} rounds, medians")
        print("model        batch       charrnn    Gflop/s  share   PyTorch's modules  ratio")
        for kind, units, layers, batch, window in SETTINGS:
            config = ModelConfig(kind, VOCABULARY, units, layers, 0.0)
            ids = torch.randint(VOCABULARY, (window, batch))
            ours = CharRNN(config).train()
            theirs = Plain(kind, units, layers).train()
            taken = medians(
                {
                    "ours": step_of(ours, ours.initial_hidden(batch), ids),
                    "theirs": step_of(theirs, None, ids),
                    "product": product_seconds,
                },
                arguments.rounds,
            )
            speed = {name: ids.numel() / seconds for name, seconds in taken.items()}
            rate = 6 * config.multiplications * speed["ours"]
            limit = 2 * 1024**3 / taken["product"]
            print(
                f"{kind:4} {layers} x {units}  {batch:3} x {window:3}"
                f"  {speed['ours']:9,.0f} chars/s"
                f"  {rate / 1e9:5.0f}   {rate / limit:4.0%}  {speed['theirs']:9,.0f} chars/s"
                f"      {speed['ours'] / speed['theirs']:5.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
