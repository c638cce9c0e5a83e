"""A model without its parameters' data: small enough to keep, and whole again by the rule that it names."""

from __future__ import annotations

import onnx
from onnx import helper, numpy_helper
from parity_port import weights

KEY, FROZEN = "parity.weights", "parity.frozen"


def stripped(model: onnx.ModelProto, parameters: set[str], frozen: list[str], seed: int) -> onnx.ModelProto:
    """Parameters and buffers keep name, dtype and dims; the metadata say how to draw them and which never train."""
    small = onnx.ModelProto()
    small.CopyFrom(model)
    for tensor in small.graph.initializer:
        if tensor.name in parameters:
            tensor.ClearField("raw_data")
    helper.set_model_props(small, {KEY: f"{weights.RULE} seed={seed}", FROZEN: " ".join(frozen)})
    return small


def filled(skeleton: onnx.ModelProto) -> onnx.ModelProto:
    """Every initialiser without data drawn by the rule in the metadata."""
    seed = seed_of(skeleton)
    whole = onnx.ModelProto()
    whole.CopyFrom(skeleton)
    for tensor in whole.graph.initializer:
        if is_empty(tensor):
            drawn = weights.array(tensor.name, tuple(tensor.dims), seed)
            tensor.CopyFrom(numpy_helper.from_array(drawn, tensor.name))
    return whole


def seed_of(model: onnx.ModelProto) -> int:
    told = {p.key: p.value for p in model.metadata_props}.get(KEY, "")
    rule, _, seed = told.partition(" seed=")
    if rule != weights.RULE or not seed.isdigit():
        raise ValueError(f"metadata '{KEY}' is '{told}'; expected '{weights.RULE} seed=<n>'")
    return int(seed)


def is_empty(tensor: onnx.TensorProto) -> bool:
    return 0 not in tensor.dims and not (tensor.raw_data or tensor.float_data or tensor.int64_data or tensor.int32_data)
