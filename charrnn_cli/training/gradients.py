"""The gradients of one training step."""

from torch import Tensor, nn

from charrnn_cli.config import TrainConfig
from charrnn_cli.models.autocast import LossScale, products_in
from charrnn_cli.models.recurrent.model import CharRNN, Hidden, detach
from charrnn_cli.training.distributed.group import ALONE, Group


def compute_gradients(
    model: CharRNN,
    inputs: Tensor,
    targets: Tensor,
    hidden: Hidden,
    config: TrainConfig,
    loss_scale: LossScale,
    group: Group = ALONE,
) -> tuple[Tensor, Tensor, Hidden]:
    """Give the parameters the gradients of the mean loss over a batch, clipped; return that loss,
    the norm before clipping, and the state after the batch, cut off from them.

    `inputs` and `targets` are ids (T, B), int64, of this process's lanes, `hidden` is the state
    before.
    """
    model.zero_grad(set_to_none=True)
    with products_in(config.precision, inputs.device):
        logits, hidden = model(inputs, hidden)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    (loss * loss_scale.value).backward()  # type: ignore[no-untyped-call]
    parameters = list(model.parameters())
    loss_scale.unscale_([p.grad for p in parameters if p.grad is not None])
    loss = group.average(loss.detach(), parameters, inputs.shape[1] / config.batch_size)
    norm = nn.utils.clip_grad_norm_(parameters, config.grad_clip)
    return loss, norm, detach(hidden)
