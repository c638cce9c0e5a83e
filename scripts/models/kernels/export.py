"""A kernel to ONNX: f32, no weights, every size dynamic, the kernel's name in the metadata."""

from __future__ import annotations

import onnx
from gold_yolo import static
from gold_yolo.export import to_onnx
from onnx import TensorProto, helper

from .kernel import Kernel

ELEMENTS = {"f32": TensorProto.FLOAT, "i64": TensorProto.INT64, "bool": TensorProto.BOOL}
KEY, PRODUCER = "parity.kernel", "parity scripts/models/export_kernels"


def export(kernel: Kernel) -> onnx.ModelProto:
    with static.dynamic():
        model = to_onnx(kernel.module(), kernel.example(), list(kernel.outputs), kernel.name, kernel.axes()).model
    state_inputs(model.graph, kernel)
    model.producer_name = PRODUCER
    helper.set_model_props(model, {KEY: kernel.name})
    onnx.checker.check_model(model, full_check=True)
    branches = [n.name for n in model.graph.node if any(a.HasField("g") for a in n.attribute)]
    assert not branches, f"{kernel.name}: {branches} hold graphs of their own; the exporter did not know a rank"
    return model


def state_inputs(graph: onnx.GraphProto, kernel: Kernel) -> None:
    """Every input of the row, in its order; the exporter leaves out what nothing reads, but kernels of a kind are fed alike."""
    del graph.input[:]
    for name, port in kernel.inputs.items():
        dtype, *axes = port.split()
        shape = [int(axis) if axis.isdigit() else axis for axis in axes]
        graph.input.append(helper.make_tensor_value_info(name, ELEMENTS[dtype], shape))


def written(model: onnx.ModelProto) -> bytes:
    return model.SerializeToString(deterministic=True)
