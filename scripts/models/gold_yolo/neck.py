"""Neck: gathers all levels, fuses them globally and injects the result, first low (p4, p3), then high (n4, n5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from . import static
from .attention import NORM, TransformerBlock
from .blocks import ConvNorm, ConvNormReLU, ConvNormSiLU, Repeat, channels, repeats
from .sampling import AdaptiveAverage, Bilinear


class Neck(nn.Module):
    """c2..c5 at strides 4..32 to p3, n4, n5 at strides 8, 16, 32 with 32, 64, 128 channels."""

    def __init__(self, block):
        super().__init__()
        c2, c3, c4, c5 = (channels(c) for c in (128, 256, 512, 1024))
        p3, p4, n4, n5, count = channels(128), channels(256), channels(256), channels(512), repeats(12)
        self.low_fam = LowAlign()
        self.low_ifm = LowFusion(block, c2 + c3 + c4 + c5, 96, 3, (p4, p3))
        self.c5h = ConvNormReLU(c5, p4)
        self.laf_p4 = LocalAlign(c4, p4, c3 + p4)
        self.inject_p4 = Inject(p4, p4, p4)
        self.rep_p4 = Repeat(block, p4, p4, count)
        self.p4h = ConvNormReLU(p4, p3)
        self.laf_p3 = LocalAlign(c3, p3, c2 + p3)
        self.inject_p3 = Inject(p3, p3, p3)
        self.rep_p3 = Repeat(block, p3, p3, count)
        width = p3 + p4 + c5
        self.high_fam = HighAlign()
        self.high_ifm = nn.Sequential(*(TransformerBlock(width) for _ in range(2)))
        self.split = (n4, n5)
        self.conv_1x1_n = nn.Conv2d(width, n4 + n5, 1)
        self.join_n4 = PoolJoin()
        self.inject_n4 = Inject(2 * p3, n4, n4)
        self.rep_n4 = Repeat(block, n4, n4, count)
        self.join_n5 = PoolJoin()
        self.inject_n5 = Inject(n4 + p4, n5, n5)
        self.rep_n5 = Repeat(block, n5, n5, count)

    def forward(self, c2: Tensor, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        g1, g2 = self.low_ifm(self.low_fam(c2, c3, c4, c5))
        c5h = self.c5h(c5)
        p4 = self.rep_p4(self.inject_p4(self.laf_p4(c3, c4, c5h), g1))
        p4h = self.p4h(p4)
        p3 = self.rep_p3(self.inject_p3(self.laf_p3(c2, c3, p4h), g2))
        h1, h2 = self.conv_1x1_n(self.high_ifm(self.high_fam(p3, p4, c5))).split(self.split, 1)
        n4 = self.rep_n4(self.inject_n4(self.join_n4(p3, p4h), h1))
        n5 = self.rep_n5(self.inject_n5(self.join_n5(n4, c5h), h2))
        return p3, n4, n5


class LowAlign(nn.Module):
    """All four levels at c4's size, side by side."""

    def __init__(self):
        super().__init__()
        self.pool, self.up = AdaptiveAverage(), Bilinear()

    def forward(self, c2: Tensor, c3: Tensor, c4: Tensor, c5: Tensor) -> Tensor:
        size = static.plane(c4)
        return torch.cat([self.pool(c2, size), self.pool(c3, size), c4, self.up(c5, size)], 1)


class LowFusion(nn.Module):
    """Fuses the aligned levels and splits the result into the parts for p4 and p3."""

    def __init__(self, block, into: int, embed: int, count: int, split: tuple[int, int]):
        super().__init__()
        self.split = split
        self.reduce = ConvNormSiLU(into, embed)
        self.blocks = Repeat(block, embed, embed, count)
        self.expand = ConvNormSiLU(embed, sum(split))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.expand(self.blocks(self.reduce(x))).split(self.split, 1)


class LocalAlign(nn.Module):
    """Three neighbouring levels at the middle one's size, fused to `out` channels."""

    def __init__(self, middle: int, out: int, others: int):
        super().__init__()
        self.pool, self.up = AdaptiveAverage(), Bilinear()
        self.reduce = ConvNormReLU(middle, out)
        self.fuse = ConvNormReLU(out + others, out)

    def forward(self, large: Tensor, middle: Tensor, small: Tensor) -> Tensor:
        size = static.plane(middle)
        return self.fuse(torch.cat([self.pool(large, size), self.reduce(middle), self.up(small, size)], 1))


class Inject(nn.Module):
    """Local features gated by the global ones, plus an embedding of the global ones."""

    def __init__(self, local: int, globe: int, out: int):
        super().__init__()
        self.local = ConvNorm(local, out, **NORM)
        self.gate = ConvNorm(globe, out, **NORM)
        self.embed = ConvNorm(globe, out, **NORM)
        self.act = HardSigmoid()
        self.pool, self.up = AdaptiveAverage(), Bilinear()

    def forward(self, x: Tensor, globe: Tensor) -> Tensor:
        size = static.plane(x)
        local, gate, embed = self.local(x), self.gate(globe), self.embed(globe)
        if size[0] < static.size(globe, 2):
            return local * self.pool(gate, size) + self.pool(embed, size)
        return local * self.up(self.act(gate), size) + self.up(embed, size)


class HardSigmoid(nn.Module):
    """ReLU6(x + 3) / 6."""

    def __init__(self):
        super().__init__()
        self.clip = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        return self.clip(x + 3.0) / 6.0


class HighAlign(nn.Module):
    """p3, p4 and c5 at half of c5's size (rounded up), side by side."""

    def __init__(self):
        super().__init__()
        self.pool = AdaptiveAverage()

    def forward(self, p3: Tensor, p4: Tensor, c5: Tensor) -> Tensor:
        h, w = static.plane(c5)
        size = ((h - 1) // 2 + 1, (w - 1) // 2 + 1)
        return torch.cat([self.pool(x, size) for x in (p3, p4, c5)], 1)


class PoolJoin(nn.Module):
    """The larger level pooled to the smaller one's size, both side by side."""

    def __init__(self):
        super().__init__()
        self.pool = AdaptiveAverage()

    def forward(self, large: Tensor, small: Tensor) -> Tensor:
        return torch.cat([self.pool(large, static.plane(small)), small], 1)
