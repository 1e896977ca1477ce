"""How fast a GPU trains: each model and precision, with and without a CUDA graph.

    python benchmarks/gpu.py [--device cuda] [--rounds 9] [--text tinyshakespeare.txt]
                             [--settings gru,256,1,16,32 ...] [--epochs 300]

A round is sixteen updates in a row, on windows that are on the GPU already: once with each loss
read before the next update, once with updates queued ahead of the losses, once with each update
replayed as a graph. The time of a time step, forward and backward together, stands beside two lower
bounds: what it takes to launch one operation for each, and to read the recurrent matrices from
memory twice, at the rate of a large copy. After that the tutorial's whole job, 300 epochs of the
sonnets with its own model, and with --text a quarter of a minute on that text, as a user runs them.
With --device cpu, all of it runs but the graphs.
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
from side_by_side import medians, setting

from charrnn_cli.errors import UsageError
from charrnn_cli.models.device import choose_device, describe_device
from charrnn_cli.models.recurrent.config import RecurrentConfig
from charrnn_cli.models.recurrent.model import RecurrentModel
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.text.dataset import Batch
from charrnn_cli.training.optimizer import Optimizer
from charrnn_cli.training.updates import Updates

SONNETS = Path(__file__).parent.parent / "data" / "sonnets.txt"
VOCABULARY = 65
SETTINGS = [  # model, units, layers, batch rows, characters of a window
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


def launch_seconds(device: torch.device, times: int = 1000) -> float:
    """Seconds to launch a small operation."""
    small = torch.zeros(8, device=device)
    small.add_(1).sum().item()
    begun = time.perf_counter()
    for _ in range(times):
        small.add_(1)
    small.sum().item()
    return (time.perf_counter() - begun) / times


def copy_rate(device: torch.device, size: int = 2**27) -> float:
    """Bytes that a large copy reads and writes, per second."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)[0].item()
    begun = time.perf_counter()
    for _ in range(10):
        target.copy_(source)
    target[0].item()
    return 20 * size / (time.perf_counter() - begun)


def print_table(device: torch.device, settings: list[tuple], rounds: int) -> None:
    """Print a line for each model and precision."""
    each, rate = launch_seconds(device), copy_rate(device)
    print(f"a launch takes {each * 1e6:.1f} us; a copy moves {rate / 1e9:,.0f} GB/s")
    print("model        batch      precision     waiting      ahead      graph   us a time step")
    ways = ["waiting", "ahead", *(["graph"] if device.type == "cuda" else [])]
    for kind, units, layers, batch, window in settings:
        config = RecurrentConfig(kind, VOCABULARY, units, layers, 0.3)
        for precision in PRECISIONS:
            if precision == "float16" and device.type == "cpu":
                continue  # slow there, and no LSTM
            # float16's loss scale depends on the update before
            here = ways[:1] if precision == "float16" else ways
            measures = {
                way: updates_of(config, precision, batch, window, device, way) for way in here
            }
            name = f"{kind:4} {layers} x {units}  {batch:3} x {window:3}  {precision:9}"
            try:
                taken = medians(measures, rounds)
            except RuntimeError as error:  # such as an LSTM in bfloat16 without AVX-512
                print(f"{name} not computed: {str(error).splitlines()[0]}", flush=True)
                continue
            speeds = "".join(
                f"{batch * window / taken[way]:11,.0f}" if way in taken else f"{'-':>11}"
                for way in ("waiting", "ahead", "graph")
            )
            width = 4 if precision == "float32" else 2
            weights = layers * config.cell.gates * units**2 * width
            bounds = f"bounds {2 * each * 1e6:.1f}, {2 * weights / rate * 1e6:.2f}"
            print(
                f"{name}{speeds}{min(taken.values()) / window * 1e6:10.1f} ({bounds})",
                flush=True,
            )


def run_job(name: str, text: Path, options: Mapping[str, object], device: str) -> None:
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
    parser.add_argument("--settings", type=setting, nargs="+", default=SETTINGS)
    parser.add_argument("--epochs", type=float, default=300.0)
    arguments = parser.parse_args()
    try:
        device = choose_device(arguments.device)
    except UsageError as error:
        print(f"Error: {error} --device cpu measures all but the graphs.", file=sys.stderr)
        sys.exit(error.exit_code)
    print(f"{describe_device(device, torch.get_num_threads())}, {arguments.rounds} rounds, medians")
    print_table(device, arguments.settings, arguments.rounds)
    tutorial = TUTORIAL | {"epochs": arguments.epochs}
    run_job("the tutorial's whole job", SONNETS, tutorial, arguments.device)
    if arguments.text:
        run_job("a quarter of a minute", arguments.text, {"minutes": 0.25}, arguments.device)


if __name__ == "__main__":
    main()
