"""In what precision a training step's matrix products are made.

The weights, their updates and the held-out loss are float32 in any case, and so are the states
that the CPU's own layers carry.
"""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from charrnn_cli.errors import UsageError
from charrnn_cli.models.base import ModelConfig
from charrnn_cli.models.decoder import Array

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
CPU = torch.device("cpu")
FIRST_SCALE = 2.0**16  # factor of a float16 loss at the beginning of a run
FIXED_SCALE = 2.0**10  # factor of a bfloat16 loss on CUDA
DOUBLED_AFTER = 2_000  # updates in a row without an overflow, after which the factor is doubled


def choose_precision(name: str, device: torch.device, model: ModelConfig) -> str:
    """The precision of that name; `auto` takes bfloat16 where this machine computes in it.

    On a GPU it is float32, whose products cuDNN makes in TF32 there: autocast would make those of
    recurrent layers in float16 instead. The choice follows from the kind of machine and the model's
    size, not from a measurement: two runs with equal settings on one machine make the same, with as
    many threads. Raises UsageError for one that the device lacks.
    """
    if device.type == "cpu" and name in model.missing_on_cpu:
        raise UsageError(
            f"--precision {name}: a model of kind {model.architecture} cannot compute in it on the "
            "CPU. Use a GPU, or train one anew with bfloat16."
        )
    if name != "auto":
        return name
    pays = device.type == "cpu" and model.gains_by_bfloat16 and _bfloat16_instructions()
    return "bfloat16" if pays else "float32"


def _bfloat16_instructions() -> bool:
    """Whether the CPU multiplies bfloat16 itself. Others emulate it, slower than float32."""
    # not in older versions
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Within it a model's matrix products are made in that precision."""
    if precision not in DTYPES:
        return nullcontext()
    return torch.autocast(device.type, DTYPES[precision])


class LossScale:
    """Keeps float16 gradients from vanishing: the loss is multiplied by a scale and the gradients
    divided by it (Micikevicius et al. 2018). An overflow halves the scale; `DOUBLED_AFTER` updates
    without one double it. For the other precisions, whose range is wide enough, it stays at one;
    but for bfloat16 on CUDA, where cuDNN's layers compute in float16 all the same, at
    `FIXED_SCALE`.
    """

    def __init__(self, precision: str, device: torch.device = CPU) -> None:
        self.needed = precision == "float16"
        fixed = FIXED_SCALE if precision == "bfloat16" and device.type == "cuda" else 1.0
        self.value = FIRST_SCALE if self.needed else fixed
        self.good = 0  # updates since it last changed

    def state(self) -> Array:
        """What a resume needs: (2,)."""
        return np.array([self.value, self.good], dtype=np.float32)

    def restore(self, state: Array) -> None:
        """Go on from what `state` gave."""
        self.value, self.good = max(1.0, float(state[0])), int(state[1])

    def unscale_(self, gradients: list[Tensor]) -> None:
        """Divide gradients by the scale, in place."""
        if self.value != 1:
            torch._foreach_mul_(gradients, 1 / self.value)

    def adjust(self, finite: bool) -> bool:
        """Adjust the scale to whether an update's gradients were `finite`; return True if the
        update is to be left out, since a smaller scale may bring finite ones."""
        if not self.needed:
            return False
        self.good = self.good + 1 if finite else 0
        if self.good == DOUBLED_AFTER:
            self.value, self.good = 2 * self.value, 0
        if finite or self.value <= 1:
            return False
        self.value /= 2
        return True
