"""A detach that survives export: the node `parity::StopGradient`, which ONNX itself has no word for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

DOMAIN, OPERATOR = "parity", "StopGradient"


class StopGradient(nn.Module):
    """The same values; nothing flows back. A module, so that a report names the place."""

    def forward(self, x: Tensor) -> Tensor:
        return Mark.apply(x)


class Mark(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return None

    @staticmethod
    def symbolic(g, x):
        return g.op(f"{DOMAIN}::{OPERATOR}", x).setType(x.type())
