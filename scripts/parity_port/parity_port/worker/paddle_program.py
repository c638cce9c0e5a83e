"""A port that is a Paddle program: `build()` returns what `paddle.static.load_inference_model` does.

Every operator's result is recorded under the program's own name for it. The older form of programs alone can be asked so: FLAGS_enable_pir_api=0 before Paddle is imported.
"""

from __future__ import annotations

import importlib.metadata
import json

import numpy as np
import paddle
from paddle import static
from paddle.base import core

from .. import chance, proof
from ..stored import Held
from ..trace import Entry, Trace
from .modular import row, shown
from .paddle import ARITHMETIC
from .plain import in_f64

NARROW, WIDE = core.VarDesc.VarType.FP32, core.VarDesc.VarType.FP64
#: What an operator computes lies in the first of these that it has; the others are for its gradient.
RESULTS = ("Out", "Output", "Y")


class Network:
    framework = "paddle"
    abilities = ("f64",)

    def __init__(self, model):
        program, self.feeds, fetches = model
        self.outputs, self.program = [value.name for value in fetches], without_ends(program)
        self.random, scope = chance.random_state(), static.global_scope()
        self.held = {v.name: np.array(scope.find_var(v.name).get_tensor()) for v in self.program.list_vars() if is_parameter(v)}

    @staticmethod
    def takes(model) -> bool:
        return isinstance(model, (list, tuple)) and len(model) == 3 and isinstance(model[0], static.Program)

    def versions(self) -> dict:
        return {"paddlepaddle": importlib.metadata.version("paddlepaddle")}

    def subject(self) -> str:
        return f"paddle {paddle.__version__}, {paddle.get_device()}"

    def off(self) -> str | None:
        with paddle.base.dygraph.guard():
            return proof.off(ARITHMETIC)

    def names(self) -> list[str]:
        return list(self.feeds)

    def bound(self, inputs) -> dict:
        return inputs if isinstance(inputs, dict) else dict(zip(self.feeds, inputs if isinstance(inputs, tuple) else (inputs,)))

    def array(self, value) -> tuple | None:
        return (np.asarray(value), None) if isinstance(value, (np.ndarray, np.generic)) else None

    def tensor(self, value: np.ndarray, dtype: str | None) -> np.ndarray:
        if dtype is not None:
            raise ValueError(f"a file of {dtype} cannot be fed to a Paddle program here")
        return value

    def parameters(self, trace: Trace, f64: bool = False) -> None:
        held = {name: in_f64(value) if f64 else value for name, value in self.held.items()}
        trace.metadata["parameters"] = json.dumps([row(name, (value, None), "parameter") for name, value in held.items()])
        for name, value in held.items():
            trace.parameter(name, value)

    def load(self, values: dict[str, Held]) -> dict:
        told = {"loaded": [], "unknown": [name for name in values if name not in self.held], "unlike": []}
        for name, given in values.items():
            if name in self.held and shown(self.held[name]) != shown(*given):
                told["unlike"].append({"name": name, "held": shown(self.held[name]), "given": shown(*given)})
            elif name in self.held:
                self.held[name] = given.value
                told["loaded"].append(name)
        return told

    def as_built(self, f64: bool):
        return chance.as_before(self.random)

    def run(self, to: str, inputs: dict, *, f64: bool, training: bool, floors: bool) -> None:
        if training:
            raise ValueError("a Paddle program for inference has no training form")
        computed = results(self.program)
        with self.as_built(f64), Trace(to, self.subject()) as trace:
            for name, value in inputs.items():
                trace.fed(name, value)
            self.parameters(trace, f64)
            values = self.values(inputs, list(computed), f64)
            for (name, entry), value in zip(computed.items(), values):
                trace.add(name, value, entry)
            trace.program = self.told()

    def values(self, inputs: dict, wanted: list, f64: bool) -> list:
        """Of all that is wanted at once, in a scope of its own."""
        scope, device = static.Scope(), paddle.CPUPlace()
        for name, value in self.held.items():
            scope.var(name).get_tensor().set(in_f64(value) if f64 else value, device)
        program = widened(self.program) if f64 else self.program
        return static.Executor(device).run(program, feed=inputs, fetch_list=wanted, scope=scope)

    def told(self) -> dict:
        call = {"module": "", "inputs": list(self.feeds), "outputs": self.outputs}
        return {"modules": {"": {"class": "paddle.static.Program", "training": False}}, "calls": [call]}


def without_ends(program):
    """A copy that neither feeds nor fetches: that is the executor's, which is asked for every result."""
    again = program.clone()
    block = again.global_block()
    for i in reversed(range(len(block.ops))):
        if block.ops[i].type in ("feed", "fetch"):
            block._remove_op(i)
    return again


def is_parameter(value) -> bool:
    return value.persistable and value.type == core.VarDesc.VarType.LOD_TENSOR


def results(program) -> dict:
    """What each operator computes, in order; the last one to write a name has it."""
    found = {}
    for op in program.global_block().ops:
        slot = next((slot for slot in RESULTS if slot in op.output_names and op.output(slot)), None)
        inputs = tuple(name for slot in op.input_names for name in op.input(slot))
        for name in op.output(slot) if slot else ():
            found[name] = Entry(name, op.type, inputs)
    return found


def widened(program):
    """The same program in f64: its variables, and what operators make of nothing."""
    wide = program.clone()
    for value in wide.list_vars():
        if value.type == core.VarDesc.VarType.LOD_TENSOR and value.dtype == NARROW:
            value.desc.set_dtype(WIDE)
    for op in wide.global_block().ops:
        for name in ("dtype", "in_dtype", "out_dtype"):
            if op.has_attr(name) and op.attr(name) == int(NARROW):
                op._set_attr(name, int(WIDE))
    return wide
