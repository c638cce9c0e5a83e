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
    branches = [n.name for n in model.graph.node if any(a.HasField("g") for a in n.attribute)]
    assert not branches, f"{kernel.name}: {branches} hold graphs of their own; the exporter did not know a rank"
    return model


def written(model: onnx.ModelProto) -> bytes:
    return model.SerializeToString(deterministic=True)
