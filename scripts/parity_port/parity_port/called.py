"""What was called, from which line of the user's code, with which tensors: as PyTorch leads a call here."""

from __future__ import annotations

import os
import sys

import torch
from torch import Tensor

from . import lines
from .lines import OWN, line_of, outside
from .parts import leaves

TORCH = os.path.dirname(torch.__file__) + os.sep
LED_BY = ("overrides.py", "_tensor.py", "functional.py", "nn/functional.py", "_jit_internal.py", "_ops.py", "utils/_device.py")
#: Files through which a call of the user's is led to the function that he named, and from there to here.
WAYS = (__file__, OWN + "functions.py", *(TORCH + name for name in LED_BY))


def by_user() -> str | None:
    """File and line, where the user's own code calls a function of torch; None where torch or the recorder does."""
    frame = outside(sys._getframe(1), WAYS)
    return None if frame is None or frame.f_code.co_filename.startswith((OWN, TORCH)) else line_of(frame)


def from_user() -> str | None:
    """File and line of the user's code that led here."""
    return lines.from_user((TORCH,))


def tensors(value) -> list[Tensor]:
    return [leaf for _, leaf in leaves(value) if isinstance(leaf, Tensor)]
