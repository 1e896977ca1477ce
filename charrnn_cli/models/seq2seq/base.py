"""The contract of the configuration of a model of pairs."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from charrnn_cli.models.base import LayerInfo, ModelConfig, Shape


@dataclass(frozen=True)
class PairConfig(ModelConfig):
    """A model that reads a source and writes a target, each in its own vocabulary.

    The last id of each vocabulary is its END symbol. It ends every source and every target, and is
    the first input of the decoder.
    """

    source_vocabulary_size: int = field()
    """Number of distinct symbols in the sources, END included."""

    @property
    def vocabulary_sizes(self) -> tuple[int, int | None]:
        """See `ModelConfig`; each size includes END."""
        return self.vocabulary_size, self.source_vocabulary_size

    @property
    def end(self) -> int:
        """The id of the target's END symbol."""
        return self.vocabulary_size - 1

    @property
    def source_end(self) -> int:
        """The id of the source's END symbol."""
        return self.source_vocabulary_size - 1

    @classmethod
    def sizes(cls) -> tuple[str, ...]:
        """See `ModelConfig`; the data decide both vocabularies."""
        return tuple(name for name in super().sizes() if name != "source_vocabulary_size")

    @abstractmethod
    def source_vocabulary_axes(self) -> dict[str, int]:
        """The parameters with one entry per source symbol, and the axis of the entries.

        Those of the target are `vocabulary_axes`.
        """

    def _parts(
        self, named: Iterable[tuple[str, str]], widths: dict[str, tuple[int, int]]
    ) -> list[LayerInfo]:
        """The parts of a model for `info`, with their tensors.

        `named` are the prefix of each part's tensors and its name for readers. `widths` are the
        numbers of inputs and outputs by prefix; a part without them has H of both.
        """
        return list(self._iterate_parts(named, widths))

    def _iterate_parts(
        self, named: Iterable[tuple[str, str]], widths: dict[str, tuple[int, int]]
    ) -> Iterator[LayerInfo]:
        shapes = self.parameter_shapes()
        for prefix, name in named:
            tensors: dict[str, Shape] = {
                path.removeprefix(f"{prefix}."): shape
                for path, shape in shapes.items()
                if path.startswith(f"{prefix}.")
            }
            inputs, outputs = widths.get(prefix, (self.hidden_size, self.hidden_size))
            yield LayerInfo(name, inputs, outputs, tensors)
