"""Every loss with its inputs, its two forms and the faults of the second."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from . import forms

DTYPES = {"f32": torch.float32, "i64": torch.int64, "bool": torch.bool}
SIZES = {"n": 6, "C": 3}


class Loss(NamedTuple):
    name: str
    #: Name: dtype and axes; a letter is a dynamic size.
    inputs: dict[str, str]
    onnx: nn.Module
    script: nn.Module
    #: What the TorchScript gets wrong.
    faults: dict[str, nn.Module]

    def example(self) -> tuple[torch.Tensor, ...]:
        def zeros(port: str) -> torch.Tensor:
            dtype, *axes = port.split()
            return torch.zeros([SIZES[a] if a in SIZES else int(a) for a in axes], dtype=DTYPES[dtype])

        return tuple(map(zeros, self.inputs.values()))

    def axes(self) -> dict[str, dict[int, str]]:
        def named(port: str) -> dict[int, str]:
            return {i: a for i, a in enumerate(port.split()[1:]) if a in SIZES}

        return {name: named(port) for name, port in self.inputs.items()}


BOXES, NUMBERS = "f32 n 4", "f32 n"
ALL = (
    Loss("iou", {"pred": BOXES, "target": BOXES}, forms.Iou(), forms.IouByCorners(), {"flat_boxes": forms.IouOfFlatBoxes()}),
    Loss(
        "cross_entropy",
        {"p": NUMBERS, "t": NUMBERS},
        forms.CrossEntropy(),
        forms.CrossEntropyInOrder(),
        {"unclamped": forms.Unclamped(), "sum": forms.Summed(), "narrow": forms.Narrow()},
    ),
    Loss("log", {"p": NUMBERS}, forms.Log(), forms.LogOfQuotient(), {"eps_outside": forms.LogOutside()}),
    Loss(
        "classes",
        {"logits": "f32 n C", "label": "i64 n", "weight": NUMBERS},
        forms.Classes(),
        forms.ClassesByLogSumExp(),
        {"next_class": forms.NextClass(), "weighted_behind": forms.WeightedBehind()},
    ),
    Loss(
        "masked",
        {"pred": "f32 n 2", "target": "f32 n 2", "mask": "bool n"},
        forms.Masked(),
        forms.MaskedByWhere(),
        {"unmasked": forms.Unmasked()},
    ),
    Loss("charbonnier", {"pred": NUMBERS, "target": NUMBERS}, forms.Charbonnier(), forms.CharbonnierInOrder(), {"eps_outside": forms.CharbonnierOutside()}),
    Loss("levels", {"x": NUMBERS, "level": "i64 n"}, forms.Levels(), forms.LevelsByPower(), {"wholes": forms.LevelsInWholes()}),
    Loss("focal", {"x": NUMBERS, "t": NUMBERS}, forms.Focal(), forms.FocalInOrder(), {"trained": forms.FocalTrained(), "again": forms.Focal()}),
)
