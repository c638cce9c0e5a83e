"""The forms as ONNX models: what goes in, what comes out, under which names."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from parity_port import weights
from torch import Tensor, nn

from .anchors import grids_of
from .export import Exported, to_onnx
from .loss import Loss
from .network import Network
from .training import ASSIGNED, LOSSES, LossAlone, Training

CLASSES = 20


class Choice(NamedTuple):
    form: str = "train"
    block: str = "conv_silu"
    size: tuple[int, int] = (500, 500)
    batch: int = 1
    gt: int = 8
    reg_max: int = 0
    assigner: str = "task_aligned"
    overlap: str = "siou"


def build(choice: Choice) -> tuple[nn.Module, dict[str, Tensor], list[str]]:
    """Module, example inputs by name, output names."""
    network = Network(CLASSES, choice.block, choice.reg_max)
    loss = Loss(choice.reg_max, choice.assigner, choice.overlap)
    images = {"images": torch.zeros(choice.batch, 3, *choice.size)}
    truths = {"gt_labels": torch.zeros(choice.batch, choice.gt, dtype=torch.long), "gt_boxes": torch.zeros(choice.batch, choice.gt, 4)}
    if choice.form == "train":
        module = Training(network, loss).train()
        return module, images | truths, module.outputs()
    if choice.form == "eval":
        return network.eval(), images, ["predictions"]
    count = sum(h * w for h, w in grids_of(choice.size))
    scores, sides = torch.full((choice.batch, count, CLASSES), 0.01), torch.ones(choice.batch, count, 4 * (choice.reg_max + 1))
    return LossAlone(loss, choice.size), {"pred_scores": scores, "pred_distri": sides} | truths, [*ASSIGNED, *LOSSES]


def seed(module: nn.Module, number: int) -> nn.Module:
    """Parameters and buffers drawn by the weight rule."""
    drawn = {name: weights.array(name, tuple(value.shape), number) for name, value in module.state_dict().items()}
    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in drawn.items()})
    return module


def export(choice: Choice, number: int = 0) -> tuple[Exported, nn.Module]:
    """Seeded first: the exporter merges parameters of equal values, as norms have before training."""
    module, inputs, outputs = build(choice)
    seed(module, number)
    return to_onnx(module, inputs, outputs, f"gold_yolo_n_{choice.form}"), module
