"""A module to ONNX: traced, then tidied until every node is an operation of the network and every name is stable."""

from __future__ import annotations

import hashlib
import io
import warnings
from typing import NamedTuple

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from . import boundary
from .sampling import averaging
from .stop_gradient import DOMAIN, OPERATOR

OPSET = 17
FOLDED = 16


class Exported(NamedTuple):
    model: onnx.ModelProto
    boundaries: dict[str, str]  # "module path", with "#call" from the second call and ":index" in a tuple -> ONNX tensor


def to_onnx(module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], title: str, axes: dict | None = None) -> Exported:
    """The forward of `module`; parameters and buffers keep their names, data included. `axes`: which sizes are names, by port."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), boundary.marked(module):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            input_names=list(inputs),
            output_names=outputs,
            custom_opsets={DOMAIN: 1},
            dynamic_axes=axes,
        )
    traced = onnx.load_from_string(buffer.getvalue())
    state_shapes(traced.graph, module, inputs, axes or {})
    boundaries = skip_identities(traced.graph)
    state = {name: value.numpy() for name, value in module.state_dict().items()}
    return Exported(tidy(traced, state, title), boundaries)


def state_shapes(graph: onnx.GraphProto, module: nn.Module, inputs: dict[str, Tensor], axes: dict) -> None:
    """Every output's shape as numbers and, where dynamic, names; the exporter cannot infer all of them."""
    with torch.no_grad():
        made = module(*inputs.values())
    for port, value in zip(graph.output, [made] if isinstance(made, Tensor) else made):
        shape = [axes.get(port.name, {}).get(i, size) for i, size in enumerate(value.shape)]
        port.CopyFrom(helper.make_tensor_value_info(port.name, port.type.tensor_type.elem_type, shape))


def tidy(traced: onnx.ModelProto, state: dict[str, np.ndarray], title: str) -> onnx.ModelProto:
    graph = traced.graph
    named = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    constants = {name: value for name, value in named.items() if name not in state}
    nodes = fold(graph.node, constants)
    wanted = {name for node in nodes for name in node.input if name in constants}
    renamed = {name: constant_name(constants[name]) for name in sorted(wanted)}
    for node in nodes:
        node.doc_string = ""
        node.input[:] = [renamed.get(name, name) for name in node.input]
    used = {name for node in nodes for name in node.input}
    kept = {name: value for name, value in state.items() if name in used or name.startswith("head.proj")}
    lost = [name for name in state if name not in kept and not name.endswith("num_batches_tracked")]
    assert not lost, f"parameters missing from the graph: {lost}"
    kept |= {renamed[name]: constants[name] for name in sorted(wanted)}
    initialisers = [numpy_helper.from_array(np.array(value, order="C"), name) for name, value in kept.items()]
    made = helper.make_graph(nodes, title, list(graph.input), list(graph.output), initialisers)
    return model(made)


def model(graph: onnx.GraphProto) -> onnx.ModelProto:
    names = [node.name for node in graph.node]
    assert len(set(names)) == len(names), "two nodes share a name"
    imports = [helper.make_opsetid("", OPSET)]
    functions = []
    if any(node.domain == DOMAIN for node in graph.node):
        imports.append(helper.make_opsetid(DOMAIN, 1))
        identity = helper.make_node("Identity", ["x"], ["y"])
        functions = [helper.make_function(DOMAIN, OPERATOR, ["x"], ["y"], [identity], [helper.make_opsetid("", OPSET)])]
    return helper.make_model(graph, opset_imports=imports, functions=functions, ir_version=8, producer_name="parity scripts/models/export")


def skip_identities(graph: onnx.GraphProto) -> dict[str, str]:
    """Removes what only passes a value on: Identity (the exporter's), Given (static.py), Boundary (boundary.py).

    Returns the tensor at each boundary. A graph output that is nothing but another tensor gives that tensor its name.
    """
    outputs, made = {o.name for o in graph.output}, {o for node in graph.node for o in node.output}
    source, reached, kept = {}, [], []
    for node in graph.node:
        node.input[:] = [source.get(name, name) for name in node.input]
        if node.op_type == "Boundary":
            reached.append((node.attribute[0].s.decode(), node.output[0]))
        if node.op_type not in ("Identity", "Given", "Boundary"):
            kept.append(node)
        elif node.output[0] not in outputs:
            source[node.output[0]] = node.input[0]
        elif node.input[0] in made - outputs:
            rename(kept, source, node.input[0], node.output[0])
        else:
            kept.append(onnx.helper.make_node("Identity", [node.input[0]], [node.output[0]], name=node.name))
    del graph.node[:]
    graph.node.extend(kept)
    return {path: source.get(name, name) for path, name in reached}


def rename(nodes: list[onnx.NodeProto], source: dict[str, str], old: str, new: str) -> None:
    for node in nodes:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    source.update({name: new for name, known in source.items() if known == old} | {old: new})


def fold(nodes, constants: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    """Nodes that only prepare shapes and scalars become constants; anchors stay computed, whatever their number."""
    kept = []
    for node in nodes:
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            continue
        fixed = all(name in constants or not name for name in node.input) and node.domain == ""
        value = evaluated(node, constants) if fixed else None
        if value is not None and value.size <= FOLDED and not (value.dtype == np.float32 and "/anchors/" in node.name):
            constants[node.output[0]] = value
        else:
            kept.append(node)
    return kept


def evaluated(node: onnx.NodeProto, constants: dict[str, np.ndarray]) -> np.ndarray | None:
    given = {name: constants[name] for name in node.input if name}
    ports = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for name, v in given.items()]
    wanted = [helper.make_empty_tensor_value_info(node.output[0])]
    alone = helper.make_model(helper.make_graph([node], "one", ports, wanted), opset_imports=[helper.make_opsetid("", OPSET)])
    return np.asarray(ReferenceEvaluator(alone).run(None, given)[0])


def constant_name(value: np.ndarray) -> str:
    """A name from the content, so that it does not move when another constant comes or goes."""
    kind = {"float32": "f32", "int64": "i64", "bool": "bool"}[str(value.dtype)]
    if value.ndim == 2 and kind == "f32":
        (a, b) = value.shape
        for matrix, name in ((averaging(a, b), f"averaging.{b}_to_{a}"), (averaging(b, a).t(), f"averaging.{a}_to_{b}.transposed")):
            if value.size > 1 and np.array_equal(value, matrix.numpy()):
                return f"constant.{name}"
    if value.size <= 4:
        return ".".join(["constant", kind, *(["vector"] if value.ndim == 1 else [f"rank{value.ndim}"] if value.ndim else [])]) + "." + "_".join(f"{v:.9g}" if kind == "f32" else str(v) for v in value.ravel())
    shape = "x".join(map(str, value.shape))
    return f"constant.{kind}.{shape}.{hashlib.sha256(value.tobytes()).hexdigest()[:8]}"
