"""A kernel to ONNX: f32, no weights, every size dynamic, the kernel's name in the metadata."""

from __future__ import annotations

import math

import numpy as np
import onnx
from gold_yolo import static
from gold_yolo.export import to_onnx
from onnx import TensorProto, helper, numpy_helper

from .kernel import Kernel

ELEMENTS = {"f32": TensorProto.FLOAT, "i64": TensorProto.INT64, "bool": TensorProto.BOOL}
# Constants that are no short decimals; the last is meant as the f32 that it is.
MEANT = (4 / math.pi**2, math.pi / 2, math.sqrt(0.5), float(np.finfo(np.float32).tiny))
KEY, PRODUCER = "parity.kernel", "parity scripts/models/export_kernels"


def export(kernel: Kernel) -> onnx.ModelProto:
    with static.dynamic():
        model = to_onnx(kernel.module(), kernel.example(), list(kernel.outputs), kernel.name, kernel.axes()).model
    state_inputs(model.graph, kernel)
    state_constants(model.graph)
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


def state_constants(graph: onnx.GraphProto) -> None:
    """Every number that f32 rounds is kept in f64 behind a Cast: a reading in f64 then has the formula's own constants."""
    casts = []
    for initializer in list(graph.initializer):
        value = numpy_helper.to_array(initializer)
        if value.dtype != np.float32 or np.array_equal(meant(value), value, equal_nan=True):
            continue
        name = initializer.name.replace("f32", "f64", 1)
        graph.initializer.remove(initializer)
        graph.initializer.append(numpy_helper.from_array(meant(value), name))
        casts.append(helper.make_node("Cast", [name], [initializer.name], name=f"/constants/{name}", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def meant(value: np.ndarray) -> np.ndarray:
    """What was rounded to these f32: a known number, or the shortest decimal that rounds there."""
    known = {np.float32(number): number for number in MEANT}
    return np.array([known.get(v, float(str(v))) for v in value.ravel()]).reshape(value.shape)


def written(model: onnx.ModelProto) -> bytes:
    return model.SerializeToString(deterministic=True)
