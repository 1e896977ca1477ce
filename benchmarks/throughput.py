"""How fast a training step is: charrnn's, and the same written plainly with PyTorch.

    python benchmarks/throughput.py [--threads 2] [--rounds 15] [--device cuda]
                                    [--settings gru,256,1,16,32 ...] [--tutorial 512,128,100]
                                    [--precisions float32 bfloat16]

A step is forward, loss, backward, clipping and AdamW on one window, the state carried. The plain
one is an embedding as wide as the hidden layer, stacked `nn.GRU` (or `nn.RNN`, `nn.LSTM`), and a
linear layer. Then the tutorial's own job: tanh RNN 512, dropout 0.5, batch 128, window 100, by its
own loop over one-hot characters; before its dropout, both have the same weights and their gradients
are compared. All take their turns within each round. Operations are those of the matrix products
that the model needs, two for each multiplication, forward and backward; the share is of what one
large product of this machine reaches in the same precision in the same run.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence

import torch
from side_by_side import medians, setting
from torch import Tensor, nn

from charrnn_cli.models.autocast import DTYPES, autocast
from charrnn_cli.models.device import choose_device, describe_device, processor
from charrnn_cli.models.recurrent.config import RecurrentConfig
from charrnn_cli.models.recurrent.model import RecurrentModel
from charrnn_cli.text.dataset import Batch

State = dict[str, Tensor]
VOCABULARY = 65
SETTINGS = [  # model, units, layers, batch rows, characters of a window
    ("gru", 256, 1, 16, 32),
    ("gru", 256, 1, 32, 32),
    ("gru", 384, 1, 64, 32),
    ("gru", 512, 1, 64, 32),
    ("gru", 256, 2, 64, 32),
    ("rnn", 256, 1, 32, 32),
    ("rnn", 512, 1, 128, 100),
    ("lstm", 256, 1, 32, 32),
]
TUTORIAL = (512, 128, 100)  # units, batch rows, characters of a window
MODULES = {"gru": nn.GRU, "rnn": nn.RNN, "lstm": nn.LSTM}
PRECISIONS = ("float32", "bfloat16")


class Plain(nn.Module):
    """A character model as a PyTorch tutorial writes it, time-major."""

    def __init__(self, kind: str, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, hidden_size)
        self.recurrence = MODULES[kind](hidden_size, hidden_size, num_layers)
        self.head = nn.Linear(hidden_size, VOCABULARY)

    def forward(self, batch: Batch, state: State) -> tuple[Tensor, State]:
        before = tuple(state.values())
        hidden = None if not before else before if len(before) > 1 else before[0]
        outputs, hidden = self.recurrence(self.embedding(batch.inputs), hidden)
        after = hidden if isinstance(hidden, tuple) else (hidden,)
        return self.head(outputs), {str(index): values for index, values in enumerate(after)}


class Loop(nn.Module):
    """The tutorial's model with the weights of one of ours: a tanh RNN, step by step."""

    def __init__(self, ours: RecurrentModel) -> None:
        super().__init__()
        layer = ours.layers[0]
        self.w_xh = nn.Parameter(layer.weight_ih.detach().t().clone())
        self.w_hh = nn.Parameter(layer.weight_hh.detach().t().clone())
        self.b_h = nn.Parameter(layer.bias_ih.detach().clone())
        self.dropout = nn.Dropout(ours.config.dropout)
        self.head = nn.Linear(*reversed(ours.head.weight.shape))
        self.head.load_state_dict(ours.head.state_dict())

    def forward(self, batch: Batch, state: State) -> tuple[Tensor, State]:
        inputs, h = nn.functional.one_hot(batch.inputs.t(), VOCABULARY).float(), state["0"]
        outputs = []
        for t in range(len(batch.inputs)):
            h = torch.tanh(inputs[:, t] @ self.w_xh + h @ self.w_hh + self.b_h)
            outputs.append(h.unsqueeze(1))
        stacked = self.dropout(torch.cat(outputs, dim=1).transpose(0, 1))
        return self.head(stacked), {"0": h}

    def gradients(self) -> list[Tensor]:
        """In the order and layout of our parameters."""
        grads = [self.w_xh.grad, self.w_hh.grad, self.b_h.grad]
        turned = [grad.t() for grad in grads if grad is not None]
        return [*turned, *(p.grad for p in self.head.parameters() if p.grad is not None)]


def wait(device: torch.device) -> None:
    """Wait until the work that was asked for is done: a GPU works on after the call."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def learn(model: nn.Module, state: State, ids: Tensor, precision: str) -> State:
    """One window's gradients; the state after it."""
    with autocast(precision, ids.device):
        logits, state = model(Batch(ids, ids), state)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten())
    model.zero_grad()
    loss.backward()
    return state


def computes(model: nn.Module, state: State, ids: Tensor, precision: str) -> bool:
    """Whether this machine can; an LSTM in bfloat16 needs AVX-512 on a CPU."""
    try:
        learn(model, state, ids, precision)
    except RuntimeError:
        return False
    return True


def step_of(
    model: nn.Module, state: State, ids: Tensor, precision: str = "float32"
) -> Callable[[], float]:
    """A function that makes a training step and returns its seconds."""
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    carried = [state]

    def step() -> float:
        begun = time.perf_counter()
        after = learn(model, carried[0], ids, precision)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        carried[0] = {name: values.detach() for name, values in after.items()}
        wait(ids.device)
        return time.perf_counter() - begun

    return step


def product_of(dtype: torch.dtype, device: torch.device, size: int = 1024) -> Callable[[], float]:
    """A function that makes one large matrix product and returns its seconds."""
    a, b, out = (torch.ones(size, size, dtype=dtype, device=device) for _ in range(3))

    def product() -> float:
        begun = time.perf_counter()
        torch.mm(a, b, out=out)
        wait(device)
        return time.perf_counter() - begun

    return product


def measure(
    config: RecurrentConfig,
    batch: int,
    window: int,
    loop: bool,
    rounds: int,
    device: torch.device,
    precisions: Sequence[str],
) -> None:
    """Print a line for each precision."""
    ids = torch.randint(VOCABULARY, (window, batch), device=device)
    ours = {precision: RecurrentModel(config).train().to(device) for precision in precisions}
    first = ours[precisions[0]]
    state = first.initial_state(batch)
    theirs: nn.Module
    if loop:
        theirs, their_state = Loop(first).train().to(device), state
    else:
        theirs = (
            Plain(config.architecture, config.hidden_size, config.num_layers).train().to(device)
        )
        their_state = {}
    measures = {
        p: step_of(model, state, ids, p)
        for p, model in ours.items()
        if computes(model, state, ids, p)
    }
    measures |= {
        f"product, {p}": product_of(DTYPES.get(p, torch.float32), device) for p in precisions
    }
    taken = medians(measures | {"theirs": step_of(theirs, their_state, ids)}, rounds)
    plain = ids.numel() / taken["theirs"]
    for precision in precisions:
        name = (
            f"{config.architecture:4} {config.num_layers} x {config.hidden_size}"
            f"  {batch:3} x {window:3}  {precision:8}"
        )
        if precision not in measures:
            print(f"{name}  not on this machine", flush=True)
            continue
        speed = ids.numel() / taken[precision]
        rate = 6 * config.multiplications * speed
        limit = 2 * 1024**3 / taken[f"product, {precision}"]
        print(
            f"{name}  {speed:9,.0f} chars/s  {rate / 1e9:5.0f}  {rate / limit:4.0%}"
            f"  {plain:9,.0f} chars/s  {speed / plain:5.2f}",
            flush=True,
        )


def compare_gradients(
    hidden_size: int, batch: int, window: int, device: torch.device, precisions: Sequence[str]
) -> None:
    """Print how far our gradients are from those of the tutorial's loop."""
    ids = torch.randint(VOCABULARY, (window, batch), device=device)
    ours = RecurrentModel(RecurrentConfig("rnn", VOCABULARY, hidden_size, 1, 0.0)).to(device)
    loop, state = Loop(ours).to(device), ours.initial_state(batch)
    learn(loop, state, ids, "float32")
    exact = torch.cat([grad.flatten() for grad in loop.gradients()])
    for precision in precisions:
        learn(ours, state, ids, precision)
        grads = torch.cat([p.grad.flatten() for p in ours.parameters() if p.grad is not None])
        apart = (grads - exact).norm() / exact.norm()
        print(f"gradients in {precision} are {apart.item():.1e} of their norm from the loop's")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--settings", type=setting, nargs="+", default=SETTINGS)
    parser.add_argument("--tutorial", type=setting, default=TUTORIAL)
    parser.add_argument("--precisions", choices=PRECISIONS, nargs="+", default=PRECISIONS)
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    rounds, precisions = arguments.rounds, arguments.precisions
    header = "model        batch      precision            charrnn  Gflop/s share  "
    with processor(arguments.threads):
        print(f"{describe_device(device, arguments.threads)}, {rounds} rounds, medians")
        print(f"{header}PyTorch's modules  ratio")
        for kind, units, layers, batch, window in arguments.settings:
            config = RecurrentConfig(kind, VOCABULARY, units, layers, 0.0)
            measure(config, batch, window, False, rounds, device, precisions)
        print(f"{header}tutorial's loop    ratio")
        units, batch, window = arguments.tutorial
        config = RecurrentConfig("rnn", VOCABULARY, units, 1, 0.5)
        measure(config, batch, window, True, rounds, device, precisions)
        compare_gradients(units, batch, window, device, precisions)


if __name__ == "__main__":
    main()
