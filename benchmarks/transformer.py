"""How fast a training step of a Llama is: charrnn's, and the same block written plainly.

    python benchmarks/transformer.py [--threads 2] [--rounds 9] [--settings 128,3,4,256 ...]

The plain one is nn.Linear, nn.RMSNorm, rotary positions, scaled_dot_product_attention and SwiGLU,
batch first, trained by PyTorch's AdamW. Ours takes its own step twice: with AdamW as well, and with
Muon, which costs more and learns more. A step is forward, loss, backward, clipping and update, in
float32. All take their turns within each round. Operations are those of the products with weights
and of attention, two for each multiplication, forward and backward; the share is of what one large
product of this machine reaches in the same run.
"""

import argparse
import time
from collections.abc import Callable

import torch
from side_by_side import medians, setting
from torch import Tensor, nn
from torch.nn import functional

from charrnn_cli.models.device import processor
from charrnn_cli.models.transformer.config import TransformerConfig
from charrnn_cli.models.transformer.model import TransformerModel
from charrnn_cli.settings.configs import TrainConfig
from charrnn_cli.text.dataset import Batch
from charrnn_cli.training.optimizer import Optimizer

VOCABULARY = 65
SETTINGS = [(128, 3, 4, 256), (192, 4, 4, 256)]  # units, layers, batch rows, context
HEAD = 32  # units of a head
PRODUCT = 1024  # the rows and columns of the large product
CLIP = 1.0


class Block(nn.Module):
    """A Llama's block as a PyTorch program writes it."""

    def __init__(self, size: int, wide: int) -> None:
        super().__init__()
        self.heads = size // HEAD
        self.attention_norm, self.feed_forward_norm = nn.RMSNorm(size), nn.RMSNorm(size)
        self.query_norm, self.key_norm = nn.RMSNorm(HEAD), nn.RMSNorm(HEAD)
        self.qkv, self.output = nn.Linear(size, 3 * size, False), nn.Linear(size, size, False)
        self.gate, self.up = nn.Linear(size, wide, False), nn.Linear(size, wide, False)
        self.down = nn.Linear(wide, size, False)

    def forward(self, stream: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        rows, steps, size = stream.shape
        qkv = self.qkv(self.attention_norm(stream)).view(rows, steps, 3, self.heads, HEAD)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)  # (B, N, T, D) each
        queries = rotate(self.query_norm(queries), *rotation)
        keys = rotate(self.key_norm(keys), *rotation)
        taken = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        stream = stream + self.output(taken.transpose(1, 2).reshape(rows, steps, size))
        inputs = self.feed_forward_norm(stream)
        return stream + self.down(functional.silu(self.gate(inputs)) * self.up(inputs))


class Plain(nn.Module):
    """The whole model, of the size of one of ours."""

    def __init__(self, ours: TransformerModel) -> None:
        super().__init__()
        config = ours.config
        size = config.hidden_size
        self.characters = nn.Embedding(VOCABULARY, size)
        self.blocks = nn.ModuleList(
            Block(size, config.feed_forward_size) for _ in range(config.num_layers)
        )
        self.norm, self.head = nn.RMSNorm(size), nn.Linear(size, VOCABULARY, False)
        angles = torch.outer(
            torch.arange(config.context), 1000.0 ** (-torch.arange(0, HEAD, 2) / HEAD)
        )
        self.rotation = angles.cos(), angles.sin()

    def forward(self, inputs: Tensor) -> Tensor:
        stream = self.characters(inputs)
        for block in self.blocks:
            stream = block(stream, self.rotation)
        return self.head(self.norm(stream))


def rotate(heads: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = heads.chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1)


def our_step(config: TransformerConfig, optimizer: str, batch: Batch) -> Callable[[], None]:
    """One step of a model of ours."""
    torch.manual_seed(0)
    model = TransformerModel(config)
    steps, rows = batch.inputs.shape
    train = TrainConfig(
        batch_size=rows, seq_length=steps, learning_rate=1e-3, optimizer=optimizer, epochs=1.0,
        minutes=None, grad_clip=CLIP, val_fraction=0.1, patience=None, random_seed=0,
        eval_every=1,
    )  # fmt: skip
    update, rate = Optimizer(model, train), torch.tensor(1e-3)

    def step() -> None:
        model.zero_grad(set_to_none=True)
        logits, _ = model(batch, {})
        loss = functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        update.step(rate, 0)

    return step


def plain_step(config: TransformerConfig, batch: Batch) -> Callable[[], None]:
    """One step of the plain model."""
    torch.manual_seed(0)
    model = Plain(TransformerModel(config))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    inputs, targets = batch.inputs.T.contiguous(), batch.targets.T.flatten()

    def step() -> None:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(inputs).flatten(0, 1), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()

    return step


def seconds_of(step: Callable[[], object]) -> float:
    begun = time.perf_counter()
    step()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--settings", type=setting, nargs="+", default=SETTINGS)
    arguments = parser.parse_args()
    print(f"{arguments.threads} threads, {arguments.rounds} rounds in turn, medians")
    with processor(arguments.threads):
        for size, layers, rows, context in arguments.settings:
            compare(size, layers, rows, context, arguments.rounds)


def compare(size: int, layers: int, rows: int, context: int, rounds: int) -> None:
    """Print the speeds of one size."""
    left = torch.randn(PRODUCT, PRODUCT)
    config = TransformerConfig(
        architecture="llama", vocabulary_size=VOCABULARY, hidden_size=size, num_layers=layers,
        dropout=0.0, num_heads=size // HEAD, context=context,
    )  # fmt: skip
    ids = torch.randint(VOCABULARY, (context + 1, rows))
    batch = Batch(ids[:-1], ids[1:])
    steps = {
        "plain PyTorch, AdamW": plain_step(config, batch),
        "charrnn, AdamW": our_step(config, "adamw", batch),
        "charrnn, Muon": our_step(config, "muon", batch),
        "one large product": lambda: left @ left,
    }
    measures = {name: (lambda step=step: seconds_of(step)) for name, step in steps.items()}
    for measure in measures.values():  # the first call of each prepares memory
        measure()
    seconds = medians(measures, rounds)
    rate = 2 * PRODUCT**3 / seconds["one large product"]
    operations = 6 * config.multiplications * rows * context
    print(f"{layers} x {size}, batch {rows} x {context}")
    for name in list(steps)[:3]:
        print(
            f"  {name:22} {1e3 * seconds[name]:8.1f} ms   "
            f"{seconds['plain PyTorch, AdamW'] / seconds[name]:5.2f} of plain   "
            f"{operations / seconds[name] / rate:5.0%} of the product rate"
        )


if __name__ == "__main__":
    main()
