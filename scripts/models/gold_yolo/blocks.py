"""The building blocks: convolutions with norm and activation, and the two block types of the network."""

from __future__ import annotations

import math

from torch import Tensor, nn

from .norm import BatchNorm

WIDTH, DEPTH = 0.25, 0.33


def channels(full: int) -> int:
    return math.ceil(full * WIDTH / 8) * 8


def repeats(full: int) -> int:
    return max(round(full * DEPTH), 1)


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm; `eps` and `momentum` differ between parts of the network."""

    def __init__(self, into: int, out: int, kernel: int = 1, stride: int = 1, eps: float = 1e-3, momentum: float = 0.03):
        super().__init__()
        self.conv = nn.Conv2d(into, out, kernel, stride, kernel // 2, bias=False)
        self.bn = BatchNorm(out, eps, momentum)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class ConvNormSiLU(ConvNorm):
    def __init__(self, into: int, out: int, kernel: int = 1, stride: int = 1):
        super().__init__(into, out, kernel, stride)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(super().forward(x))


class ConvNormReLU(ConvNorm):
    def __init__(self, into: int, out: int, kernel: int = 1, stride: int = 1):
        super().__init__(into, out, kernel, stride)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(super().forward(x))


class ConvSiLU(nn.Module):
    """Block type `conv_silu`: 3×3 convolution **with** bias, batch norm, SiLU."""

    def __init__(self, into: int, out: int, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3, stride, 1, bias=True)
        self.bn = BatchNorm(out)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))


class RepVGG(nn.Module):
    """Block type `repvgg` as it is trained: 3×3 and 1×1 branch, and a norm alone where shapes allow; their sum, ReLU."""

    def __init__(self, into: int, out: int, stride: int = 1):
        super().__init__()
        self.branches = nn.ModuleDict({"dense": ConvNorm(into, out, 3, stride), "pointwise": ConvNorm(into, out, 1, stride)})
        if into == out and stride == 1:
            self.branches["identity"] = BatchNorm(out)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        total = self.branches["dense"](x) + self.branches["pointwise"](x)
        if "identity" in self.branches:
            total = total + self.branches["identity"](x)
        return self.act(total)


BLOCKS = {"conv_silu": ConvSiLU, "repvgg": RepVGG}


class Repeat(nn.Sequential):
    """`count` blocks in a row; the first one changes the width."""

    def __init__(self, block, into: int, out: int, count: int):
        super().__init__(*(block(into if i == 0 else out, out) for i in range(count)))
