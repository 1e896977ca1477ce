"""The precision of the matrix products in a training step.

Weights, optimizer updates and the held-out loss are always float32. So are the states of the
recurrent layers in `recurrent.cpu_kernels`.
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
FIRST_SCALE = 2.0**16  # A float16 loss is multiplied by this at the beginning of a run.
FIXED_SCALE = 2.0**10  # A bfloat16 loss on CUDA is multiplied by this.
DOUBLED_AFTER = 2_000  # The scale is doubled after so many updates in a row without an overflow.


def choose_precision(name: str, device: torch.device, model: ModelConfig) -> str:
    """The precision of that name; `auto` takes bfloat16 on a CPU where it is faster, else float32.

    On a GPU, `auto` is float32: cuDNN computes its products in TF32, while under autocast it would
    compute those of recurrent layers in float16. The choice depends on the processor and the
    model's size, never on a measurement, so that equal runs on one machine choose alike. Raises
    UsageError if the model cannot be trained in the precision on this device.
    """
    if device.type == "cpu" and name in model.missing_on_cpu:
        raise UsageError(
            f"--precision {name}: a model of kind {model.architecture} cannot compute in it on the "
            "CPU. Use a GPU, or train one anew with bfloat16."
        )
    if name != "auto":
        return name
    faster = device.type == "cpu" and model.gains_by_bfloat16 and _bfloat16_instructions()
    return "bfloat16" if faster else "float32"


def _bfloat16_instructions() -> bool:
    """Whether the CPU has bfloat16 instructions. Emulation is slower than float32."""
    # older versions of PyTorch lack the function
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """A context in which a model's matrix products are computed in that precision."""
    if precision not in DTYPES:
        return nullcontext()
    return torch.autocast(device.type, DTYPES[precision])


class LossScale:
    """Keeps float16 gradients from vanishing (Micikevicius et al. 2018).

    The loss is multiplied by a scale, and the gradients are divided by it. An overflow halves the
    scale; `DOUBLED_AFTER` updates without one double it. The other precisions have a wide enough
    range, and their scale stays at one. The exception is bfloat16 on CUDA, where cuDNN's recurrent
    layers compute in float16: there it stays at `FIXED_SCALE`.
    """

    def __init__(self, precision: str, device: torch.device = CPU) -> None:
        self.needed = precision == "float16"
        fixed = FIXED_SCALE if precision == "bfloat16" and device.type == "cuda" else 1.0
        self.value = FIRST_SCALE if self.needed else fixed
        self.good = 0  # updates since the last overflow or doubling

    def state(self) -> Array:
        """The scale and the number of updates since its last change, (2,): what a resume needs."""
        return np.array([self.value, self.good], dtype=np.float32)

    def restore(self, state: Array) -> None:
        """Continue from an array that `state` returned."""
        self.value, self.good = max(1.0, float(state[0])), int(state[1])

    def unscale_(self, gradients: list[Tensor]) -> None:
        """Divide gradients by the scale, in place."""
        if self.value != 1:
            torch._foreach_mul_(gradients, 1 / self.value)

    def adjust(self, finite: bool) -> bool:
        """Adjust the scale after an update's gradients; return whether the update must be skipped.

        It must if the gradients are not `finite` and the scale can still be lowered.
        """
        if not self.needed:
            return False
        self.good = self.good + 1 if finite else 0
        if self.good == DOUBLED_AFTER:
            self.value, self.good = 2 * self.value, 0
        if finite or self.value <= 1:
            return False
        self.value /= 2
        return True
