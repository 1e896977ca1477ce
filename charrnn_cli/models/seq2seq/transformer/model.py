"""A transformer encoder-decoder: self-attention in both halves, and from target to source."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from charrnn_cli.models.dropout import Dropout
from charrnn_cli.models.module import Model
from charrnn_cli.models.seq2seq.padding import unpad
from charrnn_cli.models.seq2seq.transformer.config import Seq2SeqTransformerConfig
from charrnn_cli.models.seq2seq.transformer.positions import rotation_tables, sinusoids
from charrnn_cli.models.transformer.config import INITIAL_STD
from charrnn_cli.models.transformer.kernels import norm_and_rotate, rms_norm
from charrnn_cli.models.transformer.model import RMSNorm
from charrnn_cli.text.dataset import Batch

Rotation = tuple[Tensor, Tensor]
"""Cosine and sine (T, D) of each position's angles."""


class Seq2SeqTransformerModel(Model):
    """A transformer for pairs, see `Seq2SeqTransformerConfig`. Streams are time-major, (T, B, H).

    Initial embeddings have a standard deviation of one, as large as the positions and as what the
    blocks add: with 0.02 as in GPT-2 far fewer pairs are right after two minutes
    (benchmarks/RESULTS.md). A matrix of W inputs has 1 / sqrt(W), divided by the root of twice the
    number of layers if it adds to the stream.
    """

    config: Seq2SeqTransformerConfig

    def __init__(self, config: Seq2SeqTransformerConfig) -> None:
        super().__init__(config)
        size = config.hidden_size
        self.source = nn.Embedding(config.source_vocabulary_size, size)
        self.target = nn.Embedding(config.vocabulary_size, size)
        self.dropout = Dropout(config.dropout)
        layers = range(config.num_layers)
        self.encoder = nn.ModuleList(Block(config, crosses=False) for _ in layers)
        self.decoder = nn.ModuleList(Block(config, crosses=True) for _ in layers)
        self.encoder_norm = RMSNorm(size)
        self.decoder_norm = RMSNorm(size)
        self.head = nn.Linear(size, config.vocabulary_size, bias=False)
        self._set_initial_weights()

    def _set_initial_weights(self) -> None:
        parts = math.sqrt(2 * self.config.num_layers)
        for name, parameter in self.named_parameters():
            if parameter.dim() != 2:
                continue
            deviation = 1 / math.sqrt(parameter.shape[1])
            if name in ("source.weight", "target.weight"):
                deviation = 1.0
            elif name == "head.weight":
                deviation = INITIAL_STD
            elif name.endswith(("output.weight", "down.weight")):
                deviation /= parts
            nn.init.normal_(parameter, 0.0, deviation)

    def forward(self, batch: Batch, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (T, B, V) for the symbol after each of the inputs (T, B); there is no state."""
        source = unpad(batch.source, self.config.source_end)
        # (B, 1, 1, S): every head of every position sees the same symbols of the source
        seen = source.real.t()[:, None, None]
        memory = self._embedded(self.source(source.ids))  # (S, B, H)
        rotation = self._rotation(memory)
        for block in self.encoder:
            memory = block(memory, rotation, seen)
        memory = self.encoder_norm(memory)
        stream = self._embedded(self.target(batch.inputs))  # (T, B, H)
        rotation = self._rotation(stream)
        for block in self.decoder:
            stream = block(stream, rotation, seen, memory)
        return self.head(self.decoder_norm(stream)), {}  # (T, B, V)

    def _embedded(self, stream: Tensor) -> Tensor:
        if self.config.adds_positions:
            added = torch.from_numpy(sinusoids(len(stream), self.config.hidden_size))
            stream = stream + added.to(stream)[:, None]
        embedded: Tensor = self.dropout(stream)
        return embedded

    def _rotation(self, stream: Tensor) -> Rotation:
        cosine, sine = rotation_tables(len(stream), self.config.head_size)
        return torch.from_numpy(cosine).to(stream), torch.from_numpy(sine).to(stream)


class Block(nn.Module):
    """Self-attention, in the decoder attention to the source, and a feed-forward layer.

    Each reads the normalised stream and adds to it.
    """

    def __init__(self, config: Seq2SeqTransformerConfig, *, crosses: bool) -> None:
        super().__init__()
        size = config.hidden_size
        self.attention_norm = RMSNorm(size)
        self.attention = SelfAttention(config, causal=crosses)
        if crosses:
            self.cross_attention_norm = RMSNorm(size)
            self.cross_attention = CrossAttention(config)
        self.feed_forward_norm = RMSNorm(size)
        self.feed_forward = FeedForward(size, config.feed_forward_size)
        self.dropout = Dropout(config.dropout)

    def forward(
        self, stream: Tensor, rotation: Rotation, seen: Tensor, memory: Tensor | None = None
    ) -> Tensor:
        """The residual stream (T, B, H) after this block; `seen` (B, 1, 1, S) is false for the
        source's padding, and `memory` (S, B, H) is what the decoder attends to."""
        inputs = self.attention_norm(stream)
        stream = stream + self.dropout(self.attention(inputs, rotation, seen))
        if memory is not None:
            inputs = self.cross_attention_norm(stream)
            stream = stream + self.dropout(self.cross_attention(inputs, memory, seen))
        after: Tensor = stream + self.dropout(self.feed_forward(self.feed_forward_norm(stream)))
        return after


class Heads(nn.Module):
    """What both kinds of attention have: normalised queries and keys by head, and an output."""

    def __init__(self, config: Seq2SeqTransformerConfig) -> None:
        super().__init__()
        self.heads, self.head_size = config.num_heads, config.head_size
        self.query_norm = RMSNorm(self.head_size)
        self.key_norm = RMSNorm(self.head_size)
        self.output = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def split(self, values: Tensor, parts: int) -> Tensor:
        """Projections (T, B, parts * H) by head, (parts, B, N, T, D)."""
        shape = (*values.shape[:2], parts, self.heads, self.head_size)
        return values.view(shape).permute(2, 1, 3, 0, 4)

    def join(self, found: Tensor) -> Tensor:
        """The outputs (T, B, H) of what the heads found, (B, N, T, D)."""
        joined: Tensor = self.output(found.permute(2, 0, 1, 3).flatten(2))
        return joined


class SelfAttention(Heads):
    """Multi-head attention to the same sequence, in the decoder to what came before only."""

    def __init__(self, config: Seq2SeqTransformerConfig, *, causal: bool) -> None:
        super().__init__(config)
        self.causal = causal
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size, bias=False)

    def forward(self, inputs: Tensor, rotation: Rotation, seen: Tensor) -> Tensor:
        """The outputs (T, B, H) for inputs (T, B, H)."""
        joined = self.qkv(inputs).view(*inputs.shape[:2], 3, self.heads, self.head_size)
        weights = torch.stack([self.query_norm.weight, self.key_norm.weight])
        queries_and_keys = norm_and_rotate(joined[:, :, :2], weights, *rotation)
        queries, keys = queries_and_keys.permute(2, 1, 3, 0, 4)  # (B, N, T, D)
        found = functional.scaled_dot_product_attention(
            queries,
            keys,
            joined[:, :, 2].permute(1, 2, 0, 3),
            attn_mask=None if self.causal else seen,
            is_causal=self.causal,
        )
        return self.join(found)


class CrossAttention(Heads):
    """Multi-head attention from the target to the source."""

    def __init__(self, config: Seq2SeqTransformerConfig) -> None:
        super().__init__(config)
        self.query = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.key_value = nn.Linear(config.hidden_size, 2 * config.hidden_size, bias=False)

    def forward(self, inputs: Tensor, memory: Tensor, seen: Tensor) -> Tensor:
        """The outputs (T, B, H) for inputs (T, B, H), which attend to a memory (S, B, H)."""
        (queries,) = self.split(self.query(inputs), 1)
        keys, values = self.split(self.key_value(memory), 2)
        found = functional.scaled_dot_product_attention(
            _normed(queries, self.query_norm), _normed(keys, self.key_norm), values, attn_mask=seen
        )
        return self.join(found)


class FeedForward(nn.Module):
    """Two linear layers with GELU in its tanh form between them."""

    def __init__(self, size: int, wide: int) -> None:
        super().__init__()
        self.up = nn.Linear(size, wide, bias=False)
        self.down = nn.Linear(wide, size, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """The outputs (T, B, H) for inputs (T, B, H)."""
        outputs: Tensor = self.down(functional.gelu(self.up(inputs), approximate="tanh"))
        return outputs


def _normed(heads: Tensor, norm: RMSNorm) -> Tensor:
    """RMSNorm in the precision of the heads, which may be lower than that of the weight."""
    return rms_norm(heads, norm.weight).to(heads.dtype)
