"""Adaptive average pooling and bilinear resizing to a size known beforehand."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import static


class AdaptiveAverage(nn.Module):
    """`[B, C, H, W]` to `[B, C, h, w]`: output i is the mean over inputs floor(i·H/h) .. ceil((i+1)·H/h).

    ONNX has no such operator. Where the sizes divide, an export is AveragePool; else two products with averaging
    matrices: rows first, then columns. A window is a rectangle, so its mean is the mean of its rows' means.
    """

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        if not torch.onnx.is_in_onnx_export():
            return F.adaptive_avg_pool2d(x, size)
        (rows, columns), (h, w) = static.plane(x), size
        if rows % h == 0 and columns % w == 0:
            return F.avg_pool2d(x, (rows // h, columns // w))
        return torch.matmul(averaging(h, rows), torch.matmul(x, averaging(w, columns).t().contiguous()))


def averaging(to: int, of: int) -> Tensor:
    """`[to, of]`: row i holds 1 / window length at the positions of window i."""
    windows = [(i * of // to, -(-(i + 1) * of // to)) for i in range(to)]
    return torch.tensor([[1 / (end - begin) if begin <= j < end else 0.0 for j in range(of)] for begin, end in windows])


class Bilinear(nn.Module):
    """`[B, C, H, W]` to `[B, C, h, w]`, pixel centres at half positions (align_corners false)."""

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return Resize.apply(x, size)
        return F.interpolate(x, size, mode="bilinear", align_corners=False)


class Resize(torch.autograd.Function):
    """ONNX Resize with the output size as one constant; used while exporting only."""

    @staticmethod
    def forward(ctx, x, size):
        return F.interpolate(x, size, mode="bilinear", align_corners=False)

    @staticmethod
    def symbolic(g, x, size):
        batch, channels = x.type().sizes()[:2]
        sizes = g.op("Constant", value_t=torch.tensor([batch, channels, *size]))
        empty = g.op("prim::Constant")
        empty.setType(torch._C.NoneType.get())
        given = dict(mode_s="linear", coordinate_transformation_mode_s="half_pixel")
        y = g.op("Resize", x, empty, empty, sizes, **given)
        return y.setType(x.type().with_sizes([batch, channels, *size]))
