"""One kernel as data: its module, what goes in and out by name, type and axes, and how often it stops the gradient."""

from __future__ import annotations

from typing import Callable, NamedTuple

import torch
from torch import Tensor, nn

DTYPES = {"f32": torch.float32, "i64": torch.int64, "bool": torch.bool}
SIZES = dict(N=6, B=2, A=40, C=3, G=4, P=7, D=5, K=3, R=9, Q=6, h3=4, w3=5, h4=2, w4=3, h5=1, w5=2)


class Kernel(NamedTuple):
    name: str
    module: Callable[[], nn.Module]
    inputs: dict[str, str]  # name: dtype and axes, such as "f32 B A 4"; a letter is a dynamic size
    outputs: dict[str, str]
    stops: int = 0

    def example(self) -> dict[str, Tensor]:
        """Inputs to trace with; no value is looked at, the graph has no branches."""
        return {name: zeros(port) for name, port in self.inputs.items()}

    def axes(self) -> dict[str, dict[int, str]]:
        """The dynamic axes of every input and output."""
        ports = {name: port.split()[1:] for name, port in (self.inputs | self.outputs).items()}
        return {name: {i: axis for i, axis in enumerate(axes) if not axis.isdigit()} for name, axes in ports.items()}


def zeros(port: str) -> Tensor:
    dtype, *axes = port.split()
    return torch.zeros([int(axis) if axis.isdigit() else SIZES[axis] for axis in axes], dtype=DTYPES[dtype])
