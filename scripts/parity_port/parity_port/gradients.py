"""Gradients in a trace: `grad.TERM.NAME` is that of a loss's term by the tensor or parameter NAME."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .trace import Entry, Trace
from .values import as_array


def gradients(trace: Trace, terms: dict[str, Tensor], wrt: dict[str, Tensor]) -> None:
    """`grad.TERM.NAME` for each term and each tensor; zeros where a term does not depend on the tensor."""
    for term, value in terms.items():
        found = torch.autograd.grad(value, list(wrt.values()), retain_graph=True, allow_unused=True)
        for (name, of), gradient in zip(wrt.items(), found):
            label = f"grad.{term}.{name}"
            if label not in trace.tensors:  # a recorder's hook was there first
                trace.add(label, *gradient_of(name, term, torch.zeros_like(of) if gradient is None else gradient))


def gradient_of(name: str, term: str, value: Tensor) -> tuple[np.ndarray, Entry, str | None]:
    array, dtype = as_array(value)
    return array, Entry(name, "Gradient", (term,)), dtype
