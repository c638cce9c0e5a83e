"""Conv-norm-SiLU, pooling, upsampling, attention and a detection head: small, and with a place for every mistake of `mistakes`."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, inner: int, outer: int, stride: int = 1, pad: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, 3, stride, pad, bias=False)
        self.norm = nn.BatchNorm2d(outer, eps=1e-3)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


class Upsample(nn.Module):
    def __init__(self, size: int, mode: str = "bilinear", align_corners: bool = False):
        super().__init__()
        self.size, self.mode, self.align_corners = size, mode, align_corners

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, size=self.size, mode=self.mode, align_corners=self.align_corners)


class Pad(nn.Module):
    """One row and one column more, below and to the right."""

    def __init__(self, sides: tuple[int, ...] = (0, 1, 0, 1)):
        super().__init__()
        self.sides = sides

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, self.sides)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.scale, self.axis = heads, 1 / math.sqrt(width // heads), -1
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * self.scale).softmax(self.axis)
        return self.out((weights @ v).transpose(1, 2).reshape(b, n, c))


class Encoder(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.before, self.attention = nn.LayerNorm(width), Attention(width, 4)
        self.behind = nn.LayerNorm(width)
        self.grow, self.act, self.shrink = nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.before(x))
        return x + self.shrink(self.act(self.grow(self.behind(x))))


class Network(nn.Module):
    """images `[1, 3, 36, 36]` to boxes `[1, 4, 18, 18]` and scores `[1, 5, 18, 18]`."""

    def __init__(self):
        super().__init__()
        self.pad, self.stem = Pad(), Block(3, 8, 2, 0)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=False)
        self.body = Block(8, 16)
        self.encoder = Encoder(16)
        self.up, self.cubic = Upsample(18), Upsample(18, "bicubic")
        self.merge = Block(24, 16)
        self.boxes, self.scores = nn.Conv2d(16, 4, 1), nn.Conv2d(16, 5, 1)
        self.swapped = False

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.stem(self.pad(images))
        coarse = self.body(self.pool(fine))
        b, c, h, w = coarse.shape
        tokens = self.encoder(coarse.flatten(2).transpose(1, 2))
        coarse = tokens.transpose(1, 2).reshape(b, c, h, w)
        up = self.up(coarse) + 0.5 * self.cubic(coarse)
        merged = self.merge(torch.cat([fine, up] if self.swapped else [up, fine], 1))
        return self.boxes(merged), self.scores(merged).sigmoid()


def build(seed: int = 0) -> Network:
    """The network in eval mode, as if it had been trained: no statistic is at its initial value."""
    torch.manual_seed(seed)
    network = Network()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
        if isinstance(module, nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.eval()
