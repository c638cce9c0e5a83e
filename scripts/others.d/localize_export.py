"""pytest-torch's localize_divergence on an export: a second module, each of whose leaves returns what ONNX Runtime computed for it."""

import sys

import onnx
import onnxruntime
import torch
from names import tensors
from net import build, inputs
from pytest_torch import localize_divergence

net, export, feed = build(), build(), inputs()
names = tensors(sys.argv[1], net)
model = onnx.load(sys.argv[1])
model.graph.output.extend(onnx.ValueInfoProto(name=t) for t in names.values() if t not in {o.name for o in model.graph.output})
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
for module, value in zip(names, session.run([*names.values()], {name: x.numpy() for name, x in feed.items()})):
    export.get_submodule(module).register_forward_hook(lambda m, i, out, value=torch.from_numpy(value): value)
print(localize_divergence(net, export, feed))
