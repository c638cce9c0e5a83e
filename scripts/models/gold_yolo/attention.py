"""The transformer of the high-level fusion: attention without scaling, and a convolutional mlp."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from . import static
from .blocks import ConvNorm

HEADS, KEY, VALUE = 4, 8, 16
NORM = dict(eps=1e-5, momentum=0.1)


class Attention(nn.Module):
    """`[B, C, H, W]` to the same: softmax(qᵀk) over all H·W positions, **without** 1/√d."""

    def __init__(self, width: int):
        super().__init__()
        self.to_q = ConvNorm(width, HEADS * KEY, **NORM)
        self.to_k = ConvNorm(width, HEADS * KEY, **NORM)
        self.to_v = ConvNorm(width, HEADS * VALUE, **NORM)
        self.act = nn.ReLU6()
        self.out = ConvNorm(HEADS * VALUE, width, **NORM)
        nn.init.zeros_(self.out.bn.weight)

    def forward(self, x: Tensor) -> Tensor:
        batch, (h, w) = static.size(x, 0), static.plane(x)
        q = self.to_q(x).reshape(batch, HEADS, KEY, h * w).transpose(2, 3)
        k = self.to_k(x).reshape(batch, HEADS, KEY, h * w)
        v = self.to_v(x).reshape(batch, HEADS, VALUE, h * w).transpose(2, 3)
        mixed = torch.matmul(torch.matmul(q, k).softmax(-1), v)
        return self.out(self.act(mixed.transpose(2, 3).reshape(batch, HEADS * VALUE, h, w)))


class Mlp(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.fc1 = ConvNorm(width, width, **NORM)
        self.dwconv = nn.Conv2d(width, width, 3, 1, 1, groups=width, bias=True)
        self.act = nn.ReLU6()
        self.fc2 = ConvNorm(width, width, **NORM)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.dwconv(self.fc1(x))))


class TransformerBlock(nn.Module):
    """Attention and mlp, each added to its input. Drop-path (0 and 0.1 in training) is off: this form is deterministic."""

    def __init__(self, width: int):
        super().__init__()
        self.attention = Attention(width)
        self.mlp = Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x)
        return x + self.mlp(x)
