"""A graph under construction: every node is called like its output, every weight is drawn from one seeded generator."""

from __future__ import annotations

import math

from . import onnx


class Generator:
    """splitmix64: the same seed gives the same numbers on every machine."""

    def __init__(self, seed: int):
        self.state = seed

    def unit(self) -> float:
        """In [0, 1), a multiple of 2^-24, hence exact in f32."""
        mask = (1 << 64) - 1
        self.state = self.state + 0x9E3779B97F4A7C15 & mask
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        return ((z ^ z >> 31) >> 40) / (1 << 24)


class Graph:
    def __init__(self, name: str, seed: int, opset: int = 13, kind: int = onnx.FLOAT):
        self.name, self.opset, self.draw, self.kind = name, opset, Generator(seed), kind
        self.nodes, self.weights, self.inputs, self.outputs = [], [], [], []

    def input(self, name: str, *shape: int, kind: int | None = None) -> str:
        self.inputs.append(onnx.port(name, kind or self.kind, list(shape)))
        return name

    def output(self, *names: str, kind: int | None = None) -> None:
        self.outputs += [onnx.port(name, kind or self.kind, onnx.ANY_RANK) for name in names]

    def numbers(self, low: float, high: float, *shape: int) -> list:
        return [low + (high - low) * self.draw.unit() for _ in range(math.prod(shape))]

    def given(self, name: str, values: list, *shape: int) -> str:
        """A weight with these values; a vector where no shape is stated."""
        self.weights.append(onnx.tensor(name, list(shape) or [len(values)], values, self.kind))
        return name

    def scalar(self, name: str, value: float) -> str:
        self.weights.append(onnx.tensor(name, [], [value], self.kind))
        return name

    def weight(self, name: str, *shape: int, low: float = -0.5, high: float = 0.5) -> str:
        return self.given(name, self.numbers(low, high, *shape), *shape)

    def node(self, op: str, name: str, *inputs: str, **attributes) -> str:
        self.nodes.append(onnx.node(op, name, list(inputs), [name], attributes))
        return name

    def constant(self, name: str, values: list, *shape: int) -> str:
        return self.node("Constant", name, value=onnx.tensor(name, list(shape) or [len(values)], values, self.kind))

    def conv(self, name: str, x: str, out: int, into: int, kernel: int = 3, bias: bool = True, **attributes) -> str:
        weights = [self.weight(f"{name}.weight", out, into, kernel, kernel)]
        weights += [self.weight(f"{name}.bias", out)] if bias else []
        attributes.setdefault("pads", [kernel // 2] * 4)
        return self.node("Conv", name, x, *weights, kernel_shape=[kernel, kernel], **attributes)

    def batch_norm(self, name: str, x: str, channels: int) -> str:
        """Statistics as training leaves them: means of both signs, variances over two decades."""
        spread = [10 ** (-2 + 2 * self.draw.unit()) for _ in range(channels)]
        stats = [
            self.weight(f"{name}.scale", channels, low=0.5, high=1.5),
            self.weight(f"{name}.bias", channels, low=-1.0, high=1.0),
            self.weight(f"{name}.mean", channels, low=-1.0, high=1.0),
            self.given(f"{name}.var", spread),
        ]
        return self.node("BatchNormalization", name, x, *stats, epsilon=1e-5)

    def encoded(self) -> bytes:
        return onnx.model(self.name, self.opset, self.nodes, self.weights, self.inputs, self.outputs)
