"""How fast text is sampled: charrnn's NumPy decoder beside a PyTorch loop over the same weights.

    python benchmarks/sampling.py [--rounds 9] [--characters 4000] [--models gru,256,2 ...]

The PyTorch loop is the tutorial's: one-hot, one step of the model, softmax, torch.multinomial. For
a transformer it is nanoGPT's: the whole context anew for each character. In a round one stream has
--characters, the loop a quarter of that, or a fiftieth for a transformer, all streams of many
together four times as much. Many streams are written by one thread, and by as many as
`charrnn sample` takes on this machine.
"""

import os

for library in ("OPENBLAS", "MKL", "VECLIB"):  # as `charrnn sample` does
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from side_by_side import medians, setting

from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.module import Model
from charrnn_cli.models.recurrent.config import RecurrentConfig
from charrnn_cli.models.registry import build_decoder, build_model
from charrnn_cli.models.transformer.config import TransformerConfig
from charrnn_cli.sampling.drawing import generate, generate_in_threads
from charrnn_cli.sampling.threads import threads_for
from charrnn_cli.sampling.written import divided
from charrnn_cli.settings.configs import SamplingConfig
from charrnn_cli.text.dataset import Batch

STREAMS = 64
HEADS, CONTEXT = 4, 256  # of a transformer
MODELS = [  # units, layers
    ("rnn", 512, 1),
    ("gru", 256, 1),
    ("gru", 256, 2),
    ("lstm", 256, 2),
    ("gpt2", 128, 3),
    ("llama", 128, 3),
    ("llama", 160, 4),
]

# The process reads its own peak: its parent would also count what the fork had before the exec.
SAMPLE_AND_PRINT_MEMORY = """
import atexit, re, sys
from charrnn_cli.__main__ import main
status = lambda: open("/proc/self/status").read()
atexit.register(lambda: print(re.search(r"VmHWM:\\s+(\\d+)", status())[1], file=sys.stderr))
main()
"""


def config_of(kind: str, size: int, layers: int) -> ModelConfig:
    if kind in ("gpt2", "llama"):
        return TransformerConfig(kind, 61, size, layers, 0.0, min(HEADS, size // 2), CONTEXT)
    return RecurrentConfig(kind, 61, size, layers, 0.0)


def numpy_speed(
    model: Model, streams: int | None, sampling: SamplingConfig, characters: int, threads: int = 1
) -> float:
    """Characters a second, all streams together."""
    weights = {name: p.detach().numpy() for name, p in model.named_parameters()}
    steps: Iterator[object]
    if streams is None or threads == 1:
        steps = generate(build_decoder(model.config, weights, streams), [0], sampling, 0, streams)
    else:
        open_decoder = partial(build_decoder, model.config, weights)
        in_pairs = model.config.decodes_on_two_cores
        decoders, shares = divided(open_decoder, streams, threads, in_pairs=in_pairs)
        if len(decoders) == 1:
            steps = generate(decoders[0], [0], sampling, 0, streams)
        else:
            steps = generate_in_threads(decoders, [0], sampling, 0, shares)
    for _ in range(1 + (model.config.context or 0)):  # a transformer's context is full from here on
        next(steps)
    count = characters if streams is None else max(1, 4 * characters // streams)
    begun = time.perf_counter()
    for _ in itertools.islice(steps, count):
        pass
    return count * (streams or 1) / (time.perf_counter() - begun)


@torch.no_grad()
def torch_speed(model: Model, count: int) -> float:
    """Characters a second of a loop as the tutorial writes it, or nanoGPT for a transformer."""
    model.eval()
    if model.config.context is not None:
        return nanogpt_speed(model, model.config.context, max(1, count * 2 // 25))
    state = model.initial_state(1)
    ids = torch.zeros(1, 1, dtype=torch.long)
    begun = time.perf_counter()
    for _ in range(count):
        logits, state = model(Batch(ids, None), state)
        ids = torch.multinomial(torch.softmax(logits[0], dim=-1), num_samples=1)
    return count / (time.perf_counter() - begun)


def nanogpt_speed(model: Model, context: int, count: int) -> float:
    ids = torch.zeros(context, 1, dtype=torch.long)
    begun = time.perf_counter()
    for _ in range(count):
        logits, _ = model(Batch(ids[-context:], None), {})
        following = torch.multinomial(torch.softmax(logits[-1], dim=-1), num_samples=1)
        ids = torch.cat([ids, following])
    return count / (time.perf_counter() - begun)


def memory_of_a_sample(characters: int) -> float:
    """Peak memory in MB of a whole `charrnn sample` with a GRU of 2 x 256."""
    from charrnn_cli.checkpoints.checkpoint import Checkpoint, to_bytes
    from charrnn_cli.checkpoints.records import CorpusInfo, Progress
    from charrnn_cli.settings.configs import TrainConfig
    from charrnn_cli.text.vocabulary import Vocabulary

    model = build_model(RecurrentConfig("gru", 61, 256, 2, 0.0))
    checkpoint = Checkpoint(
        model.config,
        TrainConfig(
            epochs=1,
            minutes=None,
            batch_size=1,
            seq_length=1,
            learning_rate=0.1,
            optimizer="adamw",
            grad_clip=1,
            val_fraction=0.1,
            patience=1,
            random_seed=0,
            eval_every=1,
        ),
        Vocabulary(np.arange(61) + 60),
        CorpusInfo("none", "", 0),
        Progress(),
        {name: p.detach().numpy() for name, p in model.named_parameters()},
    )
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(to_bytes(checkpoint))
        file.flush()
        command = [sys.executable, "-c", SAMPLE_AND_PRINT_MEMORY, "sample", file.name]
        done = subprocess.run(
            [*command, "--length", str(characters)], check=True, capture_output=True, text=True
        )
    return int(done.stderr.splitlines()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--characters", type=int, default=4000)
    parser.add_argument("--models", type=setting, nargs="+", default=MODELS)
    arguments = parser.parse_args()
    characters = arguments.characters
    torch.set_num_threads(1)
    plain, top_k = SamplingConfig(), SamplingConfig(top_k=5)
    memory = memory_of_a_sample(5 * characters)
    print(f"{arguments.rounds} rounds, medians, characters a second")
    threads = threads_for(STREAMS)
    print(
        f"model         torch loop   charrnn  ratio   --top-k 5   {STREAMS} samples  ratio"
        f"   {threads} threads  ratio"
    )
    for kind, size, layers in arguments.models:
        torch.manual_seed(0)
        model = build_model(config_of(kind, size, layers))
        measures: dict[str, Callable[[], float]] = {
            "torch": lambda model=model: torch_speed(model, max(1, characters // 4)),
            "one": lambda model=model: numpy_speed(model, None, plain, characters),
            "top_k": lambda model=model: numpy_speed(model, None, top_k, characters),
            "many": lambda model=model: numpy_speed(model, STREAMS, plain, characters),
            "threads": lambda model=model: numpy_speed(model, STREAMS, plain, characters, threads),
        }
        speed = medians(measures, arguments.rounds)
        print(
            f"{kind:5} {layers} x {size:3} {speed['torch']:11,.0f} {speed['one']:9,.0f} "
            f"{speed['one'] / speed['torch']:6.1f} {speed['top_k']:11,.0f} {speed['many']:13,.0f} "
            f"{speed['many'] / speed['one']:6.1f} {speed['threads']:11,.0f} "
            f"{speed['threads'] / speed['one']:6.1f}"
        )
    print(
        f"peak memory of `charrnn sample --length {5 * characters}`, gru 2 x 256: {memory:.0f} MB"
    )


if __name__ == "__main__":
    main()
