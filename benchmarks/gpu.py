"""How fast a GPU trains: each model and precision, with and without a CUDA graph.

    python benchmarks/gpu.py [--device cuda] [--rounds 9] [--text tinyshakespeare.txt]

A round is sixteen updates in a row, on windows that are on the GPU already: once with a look at
each loss before the next update, once ahead of the losses, once with each update replayed as a
graph. The time of a time step, forward and backward together, stands beside two floors: what it
takes to launch one operation for each, and to read the recurrent matrices from memory twice, at
the rate of a large copy. After that the tutorial's whole job, 300 epochs of the sonnets with its
own model, and with --text a quarter of a minute on that text, as a user runs them. On the CPU
(--device cpu) there is no graph.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from side_by_side import medians

from charrnn_cli.config import TrainConfig
from charrnn_cli.models.device import choose_device, describe_device
from charrnn_cli.models.recurrent.config import RecurrentConfig
from charrnn_cli.models.recurrent.model import RecurrentModel
from charrnn_cli.text.dataset import Batch
from charrnn_cli.training.optimizer import Optimizer
from charrnn_cli.training.updates import Updates

SONNETS = Path(__file__).parent.parent / "data" / "sonnets.txt"
VOCABULARY = 65
SETTINGS = [  # model, units, layers, batch, window
    ("gru", 256, 1, 16, 32),
    ("gru", 512, 1, 64, 32),
    ("gru", 768, 1, 64, 32),
    ("gru", 256, 2, 64, 32),
    ("rnn", 512, 1, 128, 100),
    ("lstm", 512, 1, 64, 32),
]
PRECISIONS = ("float32", "bfloat16", "float16")
STEPS = 16  # updates in a row
TUTORIAL = {
    "model": "rnn",
    "hidden-size": 512,
    "num-layers": 1,
    "batch-size": 128,
    "seq-length": 100,
    "learning-rate": 0.001,
    "dropout": 0.5,
    "epochs": 300,
    "patience": 1_000_000,
}


def updates_of(
    config: RecurrentConfig, precision: str, batch: int, window: int, device: torch.device, way: str
) -> Callable[[], float]:
    """A function that makes some updates and returns the seconds of one."""
    train = TrainConfig(
        epochs=1.0,
        minutes=None,
        batch_size=batch,
        seq_length=window,
        learning_rate=1e-4,
        optimizer="muon",
        grad_clip=1.0,
        val_fraction=0.1,
        patience=None,
        random_seed=0,
        eval_every=1,
        precision=precision,
    )
    model = RecurrentModel(config).to(device).train()
    updates = Updates(model, Optimizer(model, train), train, batch, ahead=way != "waiting")
    if way == "ahead":  # each operation launched by itself
        updates.graphs = None
    ids = torch.randint(VOCABULARY, (2, window, batch), device=device)
    here = Batch(ids[0], ids[1])

    def some() -> float:
        begun = time.perf_counter()
        for step in range(STEPS):
            updates.step(here, 1e-4, step)
        updates.read_losses()
        return (time.perf_counter() - begun) / STEPS

    return some


def launch(device: torch.device, times: int = 1000) -> float:
    """Seconds to launch a small operation."""
    small = torch.zeros(8, device=device)
    small.add_(1).sum().item()
    begun = time.perf_counter()
    for _ in range(times):
        small.add_(1)
    small.sum().item()
    return (time.perf_counter() - begun) / times


def copied(device: torch.device, size: int = 2**27) -> float:
    """Bytes a second that a large copy reads and writes."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)[0].item()
    begun = time.perf_counter()
    for _ in range(10):
        target.copy_(source)
    target[0].item()
    return 20 * size / (time.perf_counter() - begun)


def table(device: torch.device, rounds: int) -> None:
    """Print a line for each model and precision."""
    each, rate = launch(device), copied(device)
    print(f"a launch takes {each * 1e6:.1f} us; a copy moves {rate / 1e9:,.0f} GB/s")
    print("model        batch      precision     waiting      ahead      graph   us a time step")
    ways = ["waiting", "ahead", *(["graph"] if device.type == "cuda" else [])]
    for kind, units, layers, batch, window in SETTINGS:
        config = RecurrentConfig(kind, VOCABULARY, units, layers, 0.3)
        for precision in PRECISIONS:
            if precision == "float16" and device.type == "cpu":
                continue  # slow there, and no LSTM
            # float16's scale has to be looked at after each update
            here = ways[:1] if precision == "float16" else ways
            measures = {
                way: updates_of(config, precision, batch, window, device, way) for way in here
            }
            taken = medians(measures, rounds)
            speeds = "".join(
                f"{batch * window / taken[way]:11,.0f}" if way in taken else f"{'-':>11}"
                for way in ("waiting", "ahead", "graph")
            )
            width = 4 if precision == "float32" else 2
            weights = layers * config.cell.gates * units**2 * width
            floors = f"floors {2 * each * 1e6:.1f}, {2 * weights / rate * 1e6:.2f}"
            print(
                f"{kind:4} {layers} x {units}  {batch:3} x {window:3}  {precision:9}{speeds}"
                f"{min(taken.values()) / window * 1e6:10.1f} ({floors})",
                flush=True,
            )


def job(name: str, text: Path, options: Mapping[str, object], device: str) -> None:
    """Print how long a training takes, from its start to its end, and the best held-out loss."""
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "charrnn_cli", "train", str(text), *given, "--json"]
        begun = time.perf_counter()
        done = subprocess.run(
            [*command, "--device", device, "--checkpoints", folder],
            stdout=subprocess.PIPE,
            check=True,
        )
        seconds = time.perf_counter() - begun
    end = json.loads(done.stdout)
    print(f"{name}: {seconds:.1f} s, best held-out loss {end['val_loss']:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--text", type=Path)
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    print(f"{describe_device(device, torch.get_num_threads())}, {arguments.rounds} rounds, medians")
    table(device, arguments.rounds)
    job("the tutorial's whole job", SONNETS, TUTORIAL, arguments.device)
    if arguments.text:
        job("a quarter of a minute", arguments.text, {"minutes": 0.25}, arguments.device)


if __name__ == "__main__":
    main()
