"""The architectures: how each is built for a size of image, without a download, and the size that it is exported for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import timm
import torch
from torchvision import models
from torchvision.models import detection, segmentation


class Architecture(NamedTuple):
    name: str
    build: Callable[[int], torch.nn.Module]
    size: int
    exporters: tuple[str, ...] = ("legacy", "dynamo")


class Boxes(torch.nn.Module):
    """A detector of torchvision as tensors in, tensors out: of one image, its boxes, scores and labels."""

    def __init__(self, detector: torch.nn.Module):
        super().__init__()
        self.detector = detector

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.detector([image[0]])[0]
        return found["boxes"], found["scores"], found["labels"]


class Heads(torch.nn.Module):
    """The network of a detector of torchvision without what is done to its boxes."""

    def __init__(self, detector: torch.nn.Module):
        super().__init__()
        self.backbone, self.head = detector.backbone, detector.head

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.head(list(self.backbone(image).values()))
        return found["bbox_regression"], found["cls_logits"]


class Classes(torch.nn.Module):
    """A segmenter of torchvision without the dictionary around its output."""

    def __init__(self, segmenter: torch.nn.Module):
        super().__init__()
        self.segmenter = segmenter

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.segmenter(image)["out"]


def ssdlite() -> torch.nn.Module:
    return detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=91)


def deeplab(_: int) -> torch.nn.Module:
    return Classes(segmentation.deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21))


ALL = (
    Architecture("resnet18", lambda _: models.resnet18(weights=None), 64),
    Architecture("resnet50", lambda _: models.resnet50(weights=None), 64),
    Architecture("convnext_tiny", lambda _: models.convnext_tiny(weights=None), 64),
    Architecture("vit_tiny", lambda size: timm.create_model("vit_tiny_patch16_224", pretrained=False, img_size=size), 64),
    Architecture("swin_tiny", lambda size: timm.create_model("swin_tiny_patch4_window7_224", pretrained=False, img_size=size), 56),
    Architecture("deeplabv3", deeplab, 96),
    # The dynamo exporter of torch 2.13 has no way through its batched NMS.
    Architecture("ssdlite", lambda _: Boxes(ssdlite()), 320, ("legacy",)),
    Architecture("ssdlite_heads", lambda _: Heads(ssdlite()), 320),
)
