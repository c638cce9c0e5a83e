"""The elements of a tensor as a trace holds them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .trace import DTYPES

#: PyTorch's name of a dtype -> parity's.
NAMES = {f"torch.{numpy}": parity for numpy, _, parity in DTYPES}


def as_array(value: Tensor) -> tuple[np.ndarray, str | None]:
    """The elements for numpy, and parity's name of a dtype that numpy lacks."""
    held = value.detach().cpu().resolve_neg()
    if held.dtype == torch.bfloat16:
        return held.view(torch.int16).numpy(), "bf16"
    return held.numpy(), None


def unwritable(value: Tensor) -> str | None:
    if str(value.dtype) not in NAMES:
        return f"{value.dtype} has no place in a trace"
    if value.layout != torch.strided or value.device.type == "meta":
        return f"{value.layout} on device {value.device} has no elements in order"
    return None
