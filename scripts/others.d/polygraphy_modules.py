"""What every module returns, under the names of the export, as `polygraphy run` reads it; names.txt is for its `--onnx-outputs`."""

import sys

import torch
from names import tensors
from net import build, inputs
from polygraphy.comparator import RunResults
from polygraphy.json import save_json

net = build()
names, returned = tensors(sys.argv[1], net), {}
for module, tensor in names.items():
    net.get_submodule(module).register_forward_hook(lambda m, i, out, t=tensor: returned.__setitem__(t, out.numpy()))
feed = {name: value.numpy() for name, value in inputs().items()}
with torch.no_grad():
    net(**inputs())
results = RunResults()
results.add([returned], runner_name="torch")
save_json([feed], "inputs.json")
results.save("outputs.json")
open("names.txt", "w").write(" ".join(names.values()))
