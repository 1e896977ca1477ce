"""Reads a text's lanes with PyTorch: for measuring a long one on a GPU."""

from collections.abc import Iterator

import torch

from charrnn_cli.checkpoints.checkpoint import Checkpoint
from charrnn_cli.models.recurrent.model import CharRNN, load_weights
from charrnn_cli.scoring.surprisal import Bits, Ids, State, bits_of

WINDOW = 128  # characters of each lane per forward pass: bounds memory


class TorchReader:
    """The same contract as `NumpyReader`, on a device."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, lanes: int = 64) -> None:
        self.model = CharRNN(checkpoint.model)
        load_weights(self.model, checkpoint.weights)
        self.model.to(device).eval()
        self.device, self.lanes = device, lanes
        self.last_state: State = ()

    @torch.no_grad()
    def read(
        self, inputs: Ids, targets: Ids, carried: State | None, at: int
    ) -> Iterator[tuple[slice, Bits]]:
        """See `surprise.Reader`."""
        steps, lanes = inputs.shape
        hidden = tuple(state.clone() for state in self.model.initial_hidden(lanes))
        begin = 0
        while begin < steps:
            if begin == at:
                for index, state in enumerate(hidden):
                    state[0] = 0 if carried is None else torch.from_numpy(carried[index])
            end = min(steps, begin + WINDOW, at if begin < at else steps)
            window = torch.from_numpy(inputs[begin:end]).to(self.device)
            logits, hidden = self.model(window, hidden)
            yield slice(begin, end), bits_of(logits.float().cpu().numpy(), targets[begin:end])
            begin = end
        self.last_state = tuple(state[-1].float().cpu().numpy() for state in hidden)
