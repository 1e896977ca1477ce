"""The configuration of a transformer encoder-decoder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from charrnn_cli.errors import UsageError
from charrnn_cli.models.base import LayerInfo, Shape
from charrnn_cli.models.seq2seq.base import PairConfig


@dataclass(frozen=True)
class Seq2SeqTransformerConfig(PairConfig):
    """The encoder-decoder of Vaswani et al. (2017), `num_layers` blocks in each half.

    Sinusoids of each place are added to the embeddings, by which the target finds the places of the
    source. As usual since: RMSNorm before each part (Xiong et al. 2020), rotary positions (Su et
    al. 2021) in self-attention; queries and keys are normalised by head; no biases. Feed-forward
    layers have 4 H units and GELU. Dropout stands after the embeddings and after each part.
    """

    num_heads: int = field()
    """Attention heads in each block, N; they divide the hidden size."""
    adds_positions: bool = field()
    """Whether sinusoids of each place are added to the embeddings; the first models had none."""

    defaults_when_absent: ClassVar[Mapping[str, Any]] = {"adds_positions": False}
    input_kind = "embedding"

    def __post_init__(self) -> None:
        if self.architecture != "transformer":
            raise UsageError(f"--model {self.architecture}: must be transformer.")
        super().__post_init__()
        if self.hidden_size % (2 * self.num_heads):
            raise UsageError(
                f"--num-heads {self.num_heads}: must divide --hidden-size {self.hidden_size} into "
                "heads of an even number of units."
            )

    @property
    def head_size(self) -> int:
        """Units in each head, D."""
        return self.hidden_size // self.num_heads

    @property
    def feed_forward_size(self) -> int:
        """Units inside a feed-forward layer."""
        return 4 * self.hidden_size

    @classmethod
    def choose(cls, sizes: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """See `ModelConfig`: to a width that is given, as many heads as divide it well."""
        chosen = super().choose(sizes, given)
        chosen["adds_positions"] = sizes.get("adds_positions", True)
        if "hidden_size" in given and "num_heads" not in given:
            counts = range(chosen["num_heads"], 1, -1)
            fitting = (n for n in counts if chosen["hidden_size"] % (2 * n) == 0)
            chosen["num_heads"] = next(fitting, 1)
        return chosen

    @classmethod
    def sizes(cls) -> tuple[str, ...]:
        """See `ModelConfig`; where positions stand is no size."""
        return tuple(name for name in super().sizes() if name != "adds_positions")

    def parameter_shapes(self) -> dict[str, Shape]:
        """Name and shape of every parameter."""
        size, wide = self.hidden_size, self.feed_forward_size
        shapes: dict[str, Shape] = {
            "source.weight": (self.source_vocabulary_size, size),
            "target.weight": (self.vocabulary_size, size),
        }

        def add_attention(name: str, projections: Mapping[str, int]) -> None:
            shapes[f"{name}_norm.weight"] = (size,)
            for projection, count in projections.items():
                shapes[f"{name}.{projection}.weight"] = (count * size, size)
            shapes[f"{name}.query_norm.weight"] = (self.head_size,)
            shapes[f"{name}.key_norm.weight"] = (self.head_size,)
            shapes[f"{name}.output.weight"] = (size, size)

        for half in ("encoder", "decoder"):
            for layer in range(self.num_layers):
                block = f"{half}.{layer}"
                add_attention(f"{block}.attention", {"qkv": 3})
                if half == "decoder":
                    add_attention(f"{block}.cross_attention", {"query": 1, "key_value": 2})
                shapes[f"{block}.feed_forward_norm.weight"] = (size,)
                shapes[f"{block}.feed_forward.up.weight"] = (wide, size)
                shapes[f"{block}.feed_forward.down.weight"] = (size, wide)
            shapes[f"{half}_norm.weight"] = (size,)
        shapes["head.weight"] = (self.vocabulary_size, size)
        return shapes

    def vocabulary_axes(self) -> dict[str, int]:
        """The rows of the target's embedding and of the output layer."""
        return {"target.weight": 0, "head.weight": 0}

    def source_vocabulary_axes(self) -> dict[str, int]:
        """The rows of the source's embedding."""
        return {"source.weight": 0}

    def matrices(self) -> dict[str, int]:
        """All matrices inside the blocks, by the projections stacked in each."""
        stacked = {"qkv": 3, "key_value": 2}
        return {
            name: stacked.get(name.split(".")[-2], 1)
            for name, shape in self.parameter_shapes().items()
            if len(shape) == 2 and name.startswith(("encoder.", "decoder."))
        }

    @property
    def multiplications(self) -> int:
        """All matrices except embeddings, for one symbol of source and target."""
        looked_up = self.vocabulary_size + self.source_vocabulary_size
        return super().multiplications - looked_up * self.hidden_size

    @property
    def gains_by_bfloat16(self) -> bool:
        """Whether the blocks have at least 128 hidden units."""
        return self.hidden_size >= 128

    def layers(self) -> list[LayerInfo]:
        """The embeddings, the blocks of each half, numbered from 1, its last norm, and the head."""
        named = [("source", "source characters")]
        widths = {
            "source": (self.source_vocabulary_size, self.hidden_size),
            "target": (self.vocabulary_size, self.hidden_size),
            "head": (self.hidden_size, self.vocabulary_size),
        }
        for half in ("encoder", "decoder"):
            blocks = range(self.num_layers)
            named += [(f"{half}.{layer}", f"{half} block {layer + 1}") for layer in blocks]
            named.append((f"{half}_norm", f"{half} norm"))
            if half == "encoder":
                named.append(("target", "target characters"))
        return self._parts((*named, ("head", "head")), widths)
