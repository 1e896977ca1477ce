import torch
from torch import nn

from charrnn_cli.models.module import Model


class ToyModel(Model):
    def __init__(self, config):
        super().__init__(config)
        self.table = nn.Embedding(config.vocabulary_size, config.hidden_size)
        self.head = nn.Linear(config.hidden_size, config.vocabulary_size)

    def forward(self, batch, state):
        memories = [state["memory"]]  # (B, H)
        for vectors in self.table(batch.inputs):  # (B, H) of each of T steps
            memories.append(memories[-1] / 2 + vectors)
        return self.head(torch.stack(memories[1:])), {"memory": memories[-1]}  # (T, B, V)
