"""Head: three levels to class scores and box sides per anchor, and their decoding into predictions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from . import static
from .anchors import Anchors
from .blocks import ConvNormSiLU

BINS = 17


class Head(nn.Module):
    """Levels of 32, 64, 128 channels to scores `[B, A, classes]` after sigmoid, sides `[B, A, 4·(reg_max + 1)]`, predictions.

    The projection (0 .. 16) is fixed: it is counted as parameters and never trained, and unused where reg_max is 0.
    """

    def __init__(self, classes: int, widths: tuple[int, ...], reg_max: int = 0):
        super().__init__()
        self.classes, self.reg_max = classes, reg_max
        self.stems = nn.ModuleList(ConvNormSiLU(c, c) for c in widths)
        self.cls_convs = nn.ModuleList(ConvNormSiLU(c, c, 3) for c in widths)
        self.reg_convs = nn.ModuleList(ConvNormSiLU(c, c, 3) for c in widths)
        self.cls_preds = nn.ModuleList(nn.Conv2d(c, classes, 1) for c in widths)
        self.reg_preds = nn.ModuleList(nn.Conv2d(c, 4 * (reg_max + 1), 1) for c in widths)
        self.proj = nn.Parameter(torch.linspace(0, BINS - 1, BINS), requires_grad=False)
        self.proj_conv = nn.Conv2d(BINS, 1, 1, bias=False)
        self.proj_conv.weight = nn.Parameter(self.proj.detach().clone().reshape(1, BINS, 1, 1), requires_grad=False)
        self.decode = Decode(reg_max)
        for preds, bias in ((self.cls_preds, -math.log(99)), (self.reg_preds, 1.0)):
            for pred in preds:
                nn.init.zeros_(pred.weight)
                nn.init.constant_(pred.bias, bias)

    def forward(self, levels: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Scores, sides, and what they decode to: `[B, A, 5 + classes]`: cx, cy, w, h in pixels, 1, scores."""
        scores, sides = [], []
        for i, level in enumerate(levels):
            x = self.stems[i](level)
            scores.append(anchor_rows(torch.sigmoid(self.cls_preds[i](self.cls_convs[i](x)))))
            sides.append(anchor_rows(self.reg_preds[i](self.reg_convs[i](x))))
        scores, sides = torch.cat(scores, 1), torch.cat(sides, 1)
        return scores, sides, self.decode(scores, sides, [static.plane(x) for x in levels], self.proj_conv)


def anchor_rows(x: Tensor) -> Tensor:
    """`[B, C, H, W]` to `[B, H·W, C]`."""
    return x.reshape(static.size(x, 0), static.size(x, 1), -1).transpose(1, 2)


class Decode(nn.Module):
    """Sides (left, top, right, bottom, in cells) to boxes in pixels, beside a column of ones and the scores."""

    def __init__(self, reg_max: int):
        super().__init__()
        self.reg_max = reg_max
        self.anchors = Anchors()

    def forward(self, scores: Tensor, sides: Tensor, grids: list, proj_conv: nn.Module) -> Tensor:
        points, strides = self.anchors(grids, sides)
        batch, count = static.size(sides, 0), static.size(sides, 1)
        if self.reg_max:
            bins = sides.reshape(batch, count, 4, self.reg_max + 1).softmax(-1)
            sides = proj_conv(bins.permute(0, 3, 1, 2)).reshape(batch, count, 4)
        before, after = sides.split(2, -1)
        low, high = points - before, points + after
        boxes = torch.cat([(low + high) / 2, high - low], -1) * strides
        return torch.cat([boxes, static.given([[[1.0]]], sides.dtype).expand(batch, count, 1), scores], -1)
