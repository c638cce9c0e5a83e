"""Backbone: `[B, 3, H, W]` to four maps at strides 4, 8, 16, 32 with 32, 64, 128, 256 channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .blocks import ConvNormSiLU, Repeat, channels, repeats


class Backbone(nn.Module):
    def __init__(self, block):
        super().__init__()
        stem, c2, c3, c4, c5 = (channels(c) for c in (64, 128, 256, 512, 1024))
        self.stem = block(3, stem, 2)
        self.stage2 = Stage(block, stem, c2, repeats(6))
        self.stage3 = Stage(block, c2, c3, repeats(12))
        self.stage4 = Stage(block, c3, c4, repeats(18))
        self.stage5 = Stage(block, c4, c5, repeats(6), sppf=True)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        c2 = self.stage2(self.stem(images))
        c3 = self.stage3(c2)
        c4 = self.stage4(c3)
        return c2, c3, c4, self.stage5(c4)


class Stage(nn.Module):
    """Halves the plane, then repeats blocks; the last stage ends with pooling over four windows."""

    def __init__(self, block, into: int, out: int, count: int, sppf: bool = False):
        super().__init__()
        self.down = block(into, out, 2)
        self.rep = Repeat(block, out, out, count)
        self.sppf = CspSppf(out) if sppf else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.rep(self.down(x))
        return x if self.sppf is None else self.sppf(x)


class CspSppf(nn.Module):
    """Cross-stage spatial pyramid pooling: one branch sees windows of 1, 5, 9 and 13, the other passes by."""

    def __init__(self, width: int):
        super().__init__()
        half = width // 2
        self.cv1 = ConvNormSiLU(width, half)
        self.cv2 = ConvNormSiLU(width, half)
        self.cv3 = ConvNormSiLU(half, half, 3)
        self.cv4 = ConvNormSiLU(half, half)
        self.cv5 = ConvNormSiLU(4 * half, half)
        self.cv6 = ConvNormSiLU(half, half, 3)
        self.cv7 = ConvNormSiLU(2 * half, width)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        seen = [self.cv4(self.cv3(self.cv1(x)))]
        for _ in range(3):
            seen.append(self.pool(seen[-1]))
        deep = self.cv6(self.cv5(torch.cat(seen, 1)))
        return self.cv7(torch.cat([self.cv2(x), deep], 1))
