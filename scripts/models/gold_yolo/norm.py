"""Batch normalisation that hands out its updated running statistics instead of writing them in place."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import static


class BatchNorm(nn.BatchNorm2d):
    """`[B, C, H, W]` to the same; in training mode `updated` holds running mean and variance `[C]` after this call.

    The variance that normalises is biased, the one that runs is unbiased, as in PyTorch. ONNX's operator runs the
    biased one: (1 - m)·r + m·v. Fed r·(n - 1)/n and multiplied by n/(n - 1) its result is PyTorch's.
    """

    def __init__(self, channels: int, eps: float = 1e-3, momentum: float = 0.03):
        super().__init__(channels, eps=eps, momentum=momentum)
        self.updated: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        if torch.onnx.is_in_onnx_export():
            count = static.size(x, 0) * static.size(x, 2) * static.size(x, 3)
            shrunk = self.running_var * ((count - 1) / count)
            y, mean, biased = Normalise.apply(x, self.weight, self.bias, self.running_mean, shrunk, self.eps, self.momentum)
            self.updated = (mean, biased * (count / (count - 1)))
            return y
        mean, variance = self.running_mean.clone(), self.running_var.clone()
        y = F.batch_norm(x, mean, variance, self.weight, self.bias, True, self.momentum, self.eps)
        self.updated = (mean, variance)
        return y

    @torch.no_grad()
    def commit(self) -> None:
        """Makes the updated statistics the running ones: what PyTorch's own layer does in `forward`."""
        self.running_mean.copy_(self.updated[0])
        self.running_var.copy_(self.updated[1])
        self.num_batches_tracked += 1


class Normalise(torch.autograd.Function):
    """ONNX BatchNormalization with training_mode = 1; used while exporting only, so it has no backward."""

    @staticmethod
    def forward(ctx, x, weight, bias, mean, variance, eps, momentum):
        mean, variance = mean.clone(), variance.clone()
        return F.batch_norm(x, mean, variance, weight, bias, True, momentum, eps), mean, variance

    @staticmethod
    def symbolic(g, x, weight, bias, mean, variance, eps, momentum):
        given = dict(epsilon_f=eps, momentum_f=1 - momentum, training_mode_i=1)
        y, new_mean, new_variance = g.op("BatchNormalization", x, weight, bias, mean, variance, outputs=3, **given)
        y.setType(x.type())
        new_mean.setType(mean.type())
        new_variance.setType(variance.type())
        return y, new_mean, new_variance
