"""A copy of a network that shares nothing with it."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn


def copied(model: nn.Module, f64: bool = False) -> nn.Module:
    """`model` again, in f64 where that is asked for; tensors that are neither parameters nor buffers too.

    What was computed from parameters, as weight_norm leaves it, is refused by deepcopy unless it is told how.
    """
    computed = {id(value): value.detach().clone() for _, _, value in attributes(model) if not value.is_leaf}
    again = copy.deepcopy(model, computed)
    if f64:
        again.double()
        for module, name, value in attributes(again):
            if value.is_floating_point():
                vars(module)[name] = value.to(torch.float64)
    return again


def attributes(model: nn.Module) -> Iterator[tuple[nn.Module, str, Tensor]]:
    """Tensors that modules keep as plain attributes."""
    for module in model.modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, Tensor):
                yield module, name, value
