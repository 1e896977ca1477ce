"""The configuration of a GPT-2 or a Llama."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from charrnn_cli.errors import UsageError
from charrnn_cli.models.base import LayerInfo, ModelConfig, Shape

# The base of the rotary positions' angles; 10,000 is usual for contexts of thousands of tokens.
ROPE_BASE = 1000.0
NORM_EPSILON = 1e-5  # A norm adds this to the mean square before it takes the root.
INITIAL_STD = 0.02  # The standard deviation of GPT-2's initial weights.
GROUP = 32  # A Llama's feed-forward width is a multiple of so many units.


@dataclass(frozen=True)
class Kind:
    """How one architecture's blocks differ from another's."""

    biases: bool
    """Linear layers have biases, and norms are LayerNorm; else RMSNorm."""
    learned_positions: bool
    """Positions are a learned table; else rotary, with normalised queries and keys."""
    gated: bool
    """The feed-forward layer is SwiGLU; else GELU."""
    tied: bool
    """The output layer shares the weights of the character embedding."""


KINDS: Mapping[str, Kind] = {
    "gpt2": Kind(biases=True, learned_positions=True, gated=False, tied=True),
    "llama": Kind(biases=False, learned_positions=False, gated=True, tied=False),
}


@dataclass(frozen=True)
class TransformerConfig(ModelConfig):
    """`num_layers` blocks of causal self-attention in `num_heads` heads and a feed-forward layer.

    `gpt2` is Radford et al. (2019): LayerNorm before each part, learned positions, GELU in its tanh
    form, biases, tied output. `llama` is Touvron et al. (2023): RMSNorm, rotary positions (Su et
    al. 2021), SwiGLU (Shazeer 2020), no biases, an output layer of its own; queries and keys are
    normalised by head as in Qwen 3 (2025), which keeps training stable at high learning rates.
    Dropout stands after the embedding and each part, as in GPT-2, but not on attention weights.
    """

    num_heads: int
    """Attention heads in each block, N; they divide the hidden size."""
    context: int = field()
    """How many characters the model can look back on, C."""

    input_kind = "embedding"
    # Larger updates than recurrent models bear: at the end of 0.6 million characters of Shakespeare
    # a loss of 1.64 in place of 1.68, at the best learning rate of each.
    muon_rms = 0.15
    muon_polar = True

    def __post_init__(self) -> None:
        if self.architecture not in KINDS:
            raise UsageError(f"--model {self.architecture}: must be one of {', '.join(KINDS)}.")
        super().__post_init__()
        if self.hidden_size % self.num_heads:
            raise UsageError(
                f"--num-heads {self.num_heads}: must divide --hidden-size {self.hidden_size}."
            )
        if self.head_size % 2 and not self.kind.learned_positions:
            raise UsageError(
                f"--num-heads {self.num_heads}: leaves {self.head_size} units a head of "
                f"--hidden-size {self.hidden_size}; rotary positions need an even number."
            )

    @property
    def kind(self) -> Kind:
        """How the architecture's blocks are built."""
        return KINDS[self.architecture]

    @property
    def head_size(self) -> int:
        """Units in each head, D."""
        return self.hidden_size // self.num_heads

    @property
    def attention_heads(self) -> int:
        """See `ModelConfig`."""
        return self.num_layers * self.num_heads

    @property
    def feed_forward_size(self) -> int:
        """Units inside the feed-forward layer: 4 H, or if it is gated 8/3 H, rounded up to a
        multiple of `GROUP`, since it has three matrices instead of two."""
        if not self.kind.gated:
            return 4 * self.hidden_size
        return -(-8 * self.hidden_size // (3 * GROUP)) * GROUP

    @classmethod
    def choose(cls, sizes: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """See `ModelConfig`: to a width that is given, as many heads as divide it well."""
        chosen = super().choose(sizes, given)
        if "hidden_size" in given and "num_heads" not in given:
            counts = range(chosen["num_heads"], 1, -1)
            fitting = (n for n in counts if chosen["hidden_size"] % (2 * n) == 0)
            chosen["num_heads"] = next(fitting, 1)
        return chosen

    def fitting(self, seq_length: int) -> "TransformerConfig":
        """See `ModelConfig`: the context is at most `seq_length`."""
        return replace(self, context=min(self.context, seq_length))

    def parameter_shapes(self) -> dict[str, Shape]:
        """Name and shape of every parameter."""
        size, wide, kind = self.hidden_size, self.feed_forward_size, self.kind
        shapes: dict[str, Shape] = {"characters.weight": (self.vocabulary_size, size)}
        if kind.learned_positions:
            shapes["positions.weight"] = (self.context, size)

        def add(name: str, *shape: int) -> None:
            shapes[f"{name}.weight"] = shape
            if kind.biases:
                shapes[f"{name}.bias"] = shape[:1]

        for layer in range(self.num_layers):
            block = f"blocks.{layer}"
            add(f"{block}.attention_norm", size)
            add(f"{block}.attention.qkv", 3 * size, size)
            if not kind.learned_positions:
                shapes[f"{block}.attention.query_norm.weight"] = (self.head_size,)
                shapes[f"{block}.attention.key_norm.weight"] = (self.head_size,)
            add(f"{block}.attention.output", size, size)
            add(f"{block}.feed_forward_norm", size)
            if kind.gated:
                add(f"{block}.feed_forward.gate", wide, size)
            add(f"{block}.feed_forward.up", wide, size)
            add(f"{block}.feed_forward.down", size, wide)
        add("norm", size)
        if not kind.tied:
            shapes["head.weight"] = (self.vocabulary_size, size)
        return shapes

    def vocabulary_axes(self) -> dict[str, int]:
        """The rows of the character embedding, and of the output layer if it is not tied."""
        tables = ("characters.weight", "head.weight")
        return {name: 0 for name in tables if name in self.parameter_shapes()}

    def matrices(self) -> dict[str, int]:
        """All matrices inside the blocks; queries, keys and values are three blocks of one."""
        return {
            name: 3 if name.endswith("qkv.weight") else 1
            for name, shape in self.parameter_shapes().items()
            if name.startswith("blocks.") and len(shape) == 2
        }

    @property
    def multiplications(self) -> int:
        """All matrices except embeddings, which are looked up, and attention to half a context."""
        shapes = self.parameter_shapes()
        looked_up = 0 if self.kind.tied else self.vocabulary_size * self.hidden_size
        looked_up += self.context * self.hidden_size if self.kind.learned_positions else 0
        attended = self.num_layers * self.context * self.hidden_size
        matrices = sum(shape[0] * shape[1] for shape in shapes.values() if len(shape) == 2)
        return matrices - looked_up + attended

    @property
    def gains_by_bfloat16(self) -> bool:
        """Whether the blocks have at least 128 hidden units."""
        return self.hidden_size >= 128

    def layers(self) -> list[LayerInfo]:
        """The embeddings, the blocks, numbered from 1, the last norm and the head."""
        size = self.hidden_size
        parts: list[LayerInfo] = []
        for name, shape in self.parameter_shapes().items():
            block = name.startswith("blocks.")
            part = ".".join(name.split(".")[:2]) if block else name.split(".")[0]
            tensor = name.removeprefix(f"{part}.")
            if not parts or parts[-1].name != part:
                inputs = self.vocabulary_size if part == "characters" else size
                outputs = self.vocabulary_size if part == "head" else size
                parts.append(LayerInfo(part, inputs, outputs, {}))
            parts[-1] = parts[-1]._replace(tensors={**parts[-1].tensors, tensor: shape})
        if self.kind.tied:
            parts.append(LayerInfo("head, tied", size, self.vocabulary_size, {}))
        return [
            part._replace(name=f"block {int(part.name.split('.')[1]) + 1}")
            if part.name.startswith("blocks.")
            else part
            for part in parts
        ]
