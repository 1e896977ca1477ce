"""A GRU encoder-decoder: the encoder reads the source, the decoder predicts the target."""

import torch
from torch import Tensor, nn

from charrnn_cli.models.dropout import Dropout
from charrnn_cli.models.module import Model
from charrnn_cli.models.recurrent.config import RecurrentConfig
from charrnn_cli.models.recurrent.model import Layer
from charrnn_cli.models.seq2seq.padding import Padded, unpad
from charrnn_cli.models.seq2seq.recurrent.config import Seq2SeqConfig
from charrnn_cli.text.dataset import Batch


class Seq2SeqModel(Model):
    """A GRU encoder-decoder for pairs, see `Seq2SeqConfig`. Dropout stands after each layer."""

    config: Seq2SeqConfig

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__(config)
        for part in config.directions:
            layers = _gru(config, config.source_vocabulary_size, config.encoder_size)
            self.add_module(part, layers)
        self.decoder = _gru(config, config.vocabulary_size, config.hidden_size)
        if config.attends:
            self.attention = Attention(config.hidden_size)
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(config.hidden_size, config.vocabulary_size)
        nn.init.zeros_(self.head.bias)

    def forward(self, batch: Batch, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (T, B, V) for the symbol after each of the inputs (T, B); there is no state."""
        source = unpad(batch.source, self.config.source_end)
        memory, starts = self._encode(source)
        outputs: Tensor = batch.inputs
        for index, layer in enumerate(self.decoder):
            outputs, _ = layer(outputs, (starts[index],))  # (T, B, H)
            if self.config.attends and not index:
                outputs = self.attention(outputs, memory, source.real)
            outputs = self.dropout(outputs)
        return self.head(outputs), {}  # (T, B, V)

    def _encode(self, source: Padded) -> tuple[Tensor, list[Tensor]]:
        """The last layer's outputs (S, B, H), and each layer's last state (B, H)."""
        outputs, starts = source.ids, []
        zeros = self.head.weight.new_zeros(outputs.shape[1], self.config.encoder_size)
        for index in range(self.config.num_layers):
            read, ends = [], []
            for part in self.config.directions:
                backward = part == "encoder_backward"
                layer = self.get_submodule(part).get_submodule(str(index))
                inputs = source.reversed(outputs) if backward else outputs
                values, _ = layer(inputs, (zeros,))
                ends.append(source.last(values))
                read.append(source.reversed(values) if backward else values)
            outputs = self.dropout(torch.cat(read, dim=-1))
            starts.append(torch.cat(ends, dim=-1))
        return outputs, starts


class Attention(nn.Module):
    """Global attention with the `general` score of Luong et al. (2015), divided by the root of H,
    then tanh of a linear layer of what was found and what was asked."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.scale = size**-0.5
        self.keys = nn.Linear(size, size, bias=False)
        self.output = nn.Linear(2 * size, size)
        nn.init.zeros_(self.output.bias)

    def forward(self, queries: Tensor, memory: Tensor, real: Tensor) -> Tensor:
        """The outputs (T, B, H) for queries (T, B, H) into a memory (S, B, H) without padding,
        where `real` (S, B) is false."""
        memory = memory.transpose(0, 1)  # (B, S, H)
        scores = (queries.transpose(0, 1) * self.scale) @ self.keys(memory).mT  # (B, T, S)
        scores = scores.masked_fill(~real.t()[:, None], -torch.inf)
        found = (scores.softmax(-1) @ memory).transpose(0, 1)  # (T, B, H)
        outputs: Tensor = self.output(torch.cat([found.to(queries.dtype), queries], dim=-1))
        return outputs.tanh()


def _gru(config: Seq2SeqConfig, vocabulary_size: int, size: int) -> nn.ModuleList:
    """The layers of one part, of `size` units each."""
    layer = RecurrentConfig("gru", vocabulary_size, size, config.num_layers, config.dropout)
    widths = [vocabulary_size] + [config.hidden_size] * (config.num_layers - 1)
    return nn.ModuleList(Layer(layer, width) for width in widths)
