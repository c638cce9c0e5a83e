"""The whole network in its eval form: images to predictions."""

from __future__ import annotations

from torch import Tensor, nn

from .backbone import Backbone
from .blocks import BLOCKS
from .head import Head
from .neck import Neck


class Network(nn.Module):
    """`[B, 3, H, W]` in 0..1 to `[B, A, 5 + classes]`; batch norms follow `train()` and `eval()`."""

    def __init__(self, classes: int = 20, block: str = "conv_silu", reg_max: int = 0):
        super().__init__()
        self.backbone = Backbone(BLOCKS[block])
        self.neck = Neck(BLOCKS[block])
        self.head = Head(classes, (32, 64, 128), reg_max)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.neck(*self.backbone(images)))[2]
