"""Kernels by name, their graphs in ONNX Runtime and their modules in PyTorch."""

import functools

from setting import ROOT, torch

import onnxruntime

from kernels import export, table

GOLDEN = ROOT / "golden/kernels"
NAMED = {kernel.name: kernel for kernel in table.ALL}


@functools.cache
def exported(name):
    return export.export(NAMED[name])


@functools.cache
def session(name):
    """The committed file; refusals are expected in places, so the runtime says nothing."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    return onnxruntime.InferenceSession((GOLDEN / f"{name}.onnx").read_bytes(), options, providers=["CPUExecutionProvider"])


def run(kernel, fed):
    outputs = session(kernel.name).run(list(kernel.outputs), {k: v.numpy() for k, v in fed.items()})
    return dict(zip(kernel.outputs, outputs))


def module(kernel, fed):
    made = kernel.module()(*fed.values())
    return dict(zip(kernel.outputs, [made] if isinstance(made, torch.Tensor) else made))


def double(fed):
    return {name: x.double() if x.is_floating_point() else x for name, x in fed.items()}
