"""Which tensor of an export is what a module returns: the last one made in its scope, by the names that the exporters leave."""

import ast

import onnx


def tensors(path, net):
    found = {}
    for node in onnx.load(path).graph.node:
        told = {p.key: p.value for p in node.metadata_props}.get("pkg.torch.onnx.name_scopes")
        scope = ast.literal_eval(told)[-2] if told else node.name.strip("/").rpartition("/")[0].replace("/", ".")
        found[scope] = node.output[0]
    return {name: found[name] for name, module in net.named_modules() if name in found and not [*module.children()]}
