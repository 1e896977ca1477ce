"""Where the time of a GRU's training step goes: matrix products, gates, copies, optimizer, Python.

    python benchmarks/step_profile.py [--threads 2] [--steps 40] [--dropout 0.3]
                                      [--settings gru,512,1,64,32 gru,512,1,16,32]

A step is the trainer's own, in float32, on one window of random characters: forward, loss,
backward, clipping, AdamW, and Muon at every fourth. PyTorch's profiler counts the time of each
operation without those that it calls; what is left of a step's time, which is measured without the
profiler, is Python and the calls. The share of products is of what one large product reaches.
"""

import argparse
import time
from collections import Counter
from functools import partial

import torch
from side_by_side import medians, setting
from throughput import VOCABULARY, product_of
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

from charrnn_cli.models.device import processor
from charrnn_cli.models.recurrent.config import RecurrentConfig
from charrnn_cli.models.recurrent.model import RecurrentModel
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.text.dataset import Batch
from charrnn_cli.training.optimizer import Optimizer
from charrnn_cli.training.updates import Updates

SETTINGS = [("gru", 512, 1, 64, 32), ("gru", 512, 1, 16, 32)]
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")
COPIES = ("aten::copy_", "aten::fill_", "aten::zero_")
TIME_STEPS = "products of single time steps"
WHOLE = "products of the whole window"
# The row that an operation belongs to, by a name around it.
ROWS = {
    "optimizer": "Muon and AdamW",
    "clipping": "clipping",
    "dropout": "dropout",
    "MulBackward0": "dropout",
    "aten::cross_entropy_loss": "cross-entropy",
    "NllLossBackward0": "cross-entropy",
    "LogSoftmaxBackward0": "cross-entropy",
    "_Window": "gates",
    "_WindowBackward": "gates",
}


def updates_of(
    config: RecurrentConfig, batch: int, window: int
) -> tuple[Updates, partial[list[float]]]:
    """A trainer's updates, and one that counts nothing: always from the same batch."""
    torch.manual_seed(0)
    model = RecurrentModel(config).train()
    train = TrainConfig(
        batch_size=batch, seq_length=window, learning_rate=1e-3, optimizer="muon", epochs=1.0,
        minutes=None, grad_clip=1.0, val_fraction=0.1, patience=None, random_seed=0, eval_every=1,
    )  # fmt: skip
    updates = Updates(model, Optimizer(model, train), train, batch)
    ids = torch.randint(VOCABULARY, (window + 1, batch))
    return updates, partial(updates.step, Batch(ids[:-1], ids[1:]), 1e-3)


def profiled(config: RecurrentConfig, batch: int, window: int, steps: int) -> Counter[str]:
    """Milliseconds of a step by row, without those of Python."""
    updates, step = updates_of(config, batch, window)
    updates.optimizer.step = record_function("optimizer")(updates.optimizer.step)
    updates.model.dropout.forward = record_function("dropout")(updates.model.dropout.forward)
    clip = nn.utils.clip_grad_norm_
    nn.utils.clip_grad_norm_ = record_function("clipping")(clip)
    try:
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            for number in range(steps):
                step(number)
    finally:
        nn.utils.clip_grad_norm_ = clip
    taken: Counter[str] = Counter()
    for event in profiler.events():
        if not event.name.startswith("aten::"):
            continue
        above = event.cpu_parent
        while above is not None and above.name not in ROWS:
            above = above.cpu_parent
        row = "the rest" if above is None else ROWS[above.name]
        if row in ("gates", "the rest"):
            if event.name in PRODUCTS:
                row = WHOLE
            elif event.name == "aten::addmm_":
                row = TIME_STEPS
            elif event.name in COPIES:
                row = "copies"
        taken[row] += event.self_cpu_time_total / steps / 1000
    return taken


def operations_of(config: RecurrentConfig, characters: int) -> dict[str, int]:
    """Those of a step's products, two for each multiplication. At each time step the recurrent
    matrix is multiplied forward and backward; one product gives its gradient, and one, with one-hot
    characters, that of the input's table."""
    matrix, size = 3 * config.hidden_size**2 * config.num_layers, config.hidden_size
    whole = 3 * config.multiplications - 2 * matrix + 3 * size * config.vocabulary_size
    return {TIME_STEPS: 4 * matrix * characters, WHOLE: 2 * whole * characters}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--settings", type=setting, nargs="+", default=SETTINGS)
    arguments = parser.parse_args()
    steps = arguments.steps
    with processor(arguments.threads):
        for kind, units, layers, batch, window in arguments.settings:
            config = RecurrentConfig(kind, VOCABULARY, units, layers, arguments.dropout)
            _, step = updates_of(config, batch, window)

            def round_of(step: partial[list[float]] = step) -> float:
                begun = time.perf_counter()
                for number in range(4):
                    step(number)
                return (time.perf_counter() - begun) / 4

            product = product_of(torch.float32, torch.device("cpu"))
            seconds = medians({"step": round_of, "product": product}, -(-steps // 4))
            rate, whole = 2 * 1024**3 / seconds["product"], 1e3 * seconds["step"]
            rows = profiled(config, batch, window, steps)
            rows["Python and calls"] = whole - rows.total()
            print(
                f"{kind} {layers} x {units}, batch {batch} x {window}, {arguments.threads} threads:"
                f" {whole:.1f} ms a step, {batch * window / seconds['step']:,.0f} characters/s"
            )
            operations = operations_of(config, batch * window)
            for row, milliseconds in rows.most_common():
                print(f"{row:30} {milliseconds:7.2f} ms {milliseconds / whole:5.0%}", end="")
                if row in operations:
                    share = operations[row] / (milliseconds / 1e3) / rate
                    print(f"   {share:4.0%} of the product rate", end="")
                print(flush=True)


if __name__ == "__main__":
    main()
