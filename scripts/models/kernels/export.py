"""A kernel to ONNX: f32, no weights, every size dynamic, the kernel's name in the metadata."""

from __future__ import annotations

import onnx
from gold_yolo import static
from gold_yolo.export import to_onnx
from onnx import helper

from .kernel import Kernel

KEY, PRODUCER = "parity.kernel", "parity scripts/models/export_kernels"


def export(kernel: Kernel) -> onnx.ModelProto:
    with static.dynamic():
        model = to_onnx(kernel.module(), kernel.example(), list(kernel.outputs), kernel.name, kernel.axes()).model
    model.producer_name = PRODUCER
    helper.set_model_props(model, {KEY: kernel.name})
    onnx.checker.check_model(model, full_check=True)
    return model


def written(kernel: Kernel) -> bytes:
    return export(kernel).SerializeToString(deterministic=True)
