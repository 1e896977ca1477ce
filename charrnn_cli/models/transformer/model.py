"""A transformer: character embedding, blocks of attention and feed-forward layers, logits."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from charrnn_cli.models.dropout import Dropout
from charrnn_cli.models.module import Model
from charrnn_cli.models.transformer.causal_attention import causal_attention
from charrnn_cli.models.transformer.config import (
    INITIAL_STD,
    NORM_EPSILON,
    TransformerConfig,
)
from charrnn_cli.models.transformer.decoder import rotation_tables
from charrnn_cli.models.transformer.kernels import gelu, rms_norm, swiglu
from charrnn_cli.text.dataset import Batch


class TransformerModel(Model):
    """A decoder-only transformer. The residual stream is (B, T, H): a row's heads lie together.

    Initial weights are as in GPT-2: normal with a standard deviation of `INITIAL_STD`, divided by
    the root of their number for layers that add to the residual stream; biases are zero.
    """

    config: TransformerConfig

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        size = config.hidden_size
        self.characters = nn.Embedding(config.vocabulary_size, size)
        if config.kind.learned_positions:
            self.positions = nn.Embedding(config.context, size)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm = _norm(config, size)
        if not config.kind.tied:
            self.head = nn.Linear(size, config.vocabulary_size, bias=False)
        if not config.kind.learned_positions:
            cosine, sine = map(torch.from_numpy, rotation_tables(config))
            self.cosine: Tensor
            self.sine: Tensor
            self.register_buffer("cosine", cosine, persistent=False)
            self.register_buffer("sine", sine, persistent=False)
        self._set_initial_weights()

    def _set_initial_weights(self) -> None:
        narrower = INITIAL_STD / math.sqrt(2 * self.config.num_layers)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                adds = name.endswith(("output.weight", "down.weight"))
                nn.init.normal_(parameter, 0.0, narrower if adds else INITIAL_STD)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, batch: Batch, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (T, B, V) for the character after each of the inputs (T, B), T at most the
        context; there is no state."""
        steps = len(batch.inputs)
        stream = self.characters(batch.inputs.T)  # (B, T, H)
        rotation = None
        if self.config.kind.learned_positions:
            stream = stream + self.positions.weight[:steps]
        else:
            rotation = self.cosine[:steps], self.sine[:steps]
        stream = _drop(self.dropout, stream)
        for block in self.blocks:
            stream = block(stream, rotation)
        stream = self.norm(stream)
        table = self.characters.weight if self.config.kind.tied else self.head.weight
        return functional.linear(stream, table).transpose(0, 1), {}  # (T, B, V)


class Block(nn.Module):
    """Attention, then a feed-forward layer; each reads the normalised stream and adds to it."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention_norm = _norm(config, config.hidden_size)
        self.attention = Attention(config)
        self.feed_forward_norm = _norm(config, config.hidden_size)
        self.feed_forward = FeedForward(config)
        self.dropout = Dropout(config.dropout)

    def forward(self, stream: Tensor, rotation: tuple[Tensor, Tensor] | None) -> Tensor:
        """The residual stream (B, T, H) after this block."""
        attended = self.attention(self.attention_norm(stream), rotation)
        stream = stream + _drop(self.dropout, attended)
        after: Tensor = stream + _drop(
            self.dropout, self.feed_forward(self.feed_forward_norm(stream))
        )
        return after


class Attention(nn.Module):
    """Causal multi-head self-attention."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        size, biases = config.hidden_size, config.kind.biases
        self.heads, self.head_size = config.num_heads, config.head_size
        self.qkv = nn.Linear(size, 3 * size, bias=biases)
        if not config.kind.learned_positions:
            self.query_norm = RMSNorm(self.head_size)
            self.key_norm = RMSNorm(self.head_size)
        self.output = nn.Linear(size, size, bias=biases)

    def forward(self, inputs: Tensor, rotation: tuple[Tensor, Tensor] | None) -> Tensor:
        """The outputs (B, T, H): each position attends to itself and those before."""
        rows, steps, _ = inputs.shape
        joined = self.qkv(inputs).view(rows, steps, 3, self.heads, self.head_size)
        if rotation is None:
            taken = causal_attention(joined)
        else:
            norms = self.query_norm.weight, self.key_norm.weight
            taken = causal_attention(joined, (*norms, *rotation))
        attended: Tensor = self.output(taken)
        return attended


class FeedForward(nn.Module):
    """Two linear layers with GELU between them, or three in a SwiGLU."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        size, wide, biases = config.hidden_size, config.feed_forward_size, config.kind.biases
        self.gated = config.kind.gated
        if self.gated:
            self.gate = nn.Linear(size, wide, bias=biases)
        self.up = nn.Linear(size, wide, bias=biases)
        self.down = nn.Linear(wide, size, bias=biases)

    def forward(self, inputs: Tensor) -> Tensor:
        """The outputs (B, T, H) for inputs (B, T, H)."""
        up = self.up(inputs)
        inner = swiglu(self.gate(inputs), up) if self.gated else gelu(up)
        outputs: Tensor = self.down(inner)
        return outputs


class RMSNorm(nn.Module):
    """RMSNorm (Zhang and Sennrich 2019) over the last axis, of length `size`."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, values: Tensor) -> Tensor:
        """The values, normalised and times the weight, in the precision of the values."""
        return rms_norm(values, self.weight)


def _drop(dropout: Dropout, values: Tensor) -> Tensor:
    """Dropout of values (B, T, H). The batch rows are its second axis."""
    dropped: Tensor = dropout(values.transpose(0, 1)).transpose(0, 1)
    return dropped


def _norm(config: TransformerConfig, size: int) -> nn.Module:
    return nn.LayerNorm(size, NORM_EPSILON) if config.kind.biases else RMSNorm(size)
