"""The small graphs, one function each; sizes differ per axis so that a transposition or a swap changes something."""

from __future__ import annotations

from . import onnx
from .graph import Graph


def pooling() -> Graph:
    """Convolution, normalisation, maximum pooling over odd sizes, global pools."""
    g = Graph("pooling", seed=1)
    x = g.conv("conv1", g.input("x", 1, 3, 15, 21), 8, 3, strides=[2, 2])
    x = g.node("Relu", "relu1", g.batch_norm("norm1", x, 8))
    x = g.node("MaxPool", "pool1", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g.node("LeakyRelu", "leaky", g.conv("conv2", x, 8, 8), alpha=0.1)
    x = g.node("MaxPool", "pool2", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    x = g.conv("conv3", x, 8, 8)
    peak, mean = g.node("GlobalMaxPool", "peak", x), g.node("GlobalAveragePool", "mean", x)
    g.output(g.node("Concat", "pooled", peak, mean, axis=1))
    return g


def average() -> Graph:
    """Average pooling with padding, a grouped and a transposed convolution, gates."""
    g = Graph("average", seed=2)
    x = g.node("AveragePool", "average", g.input("x", 2, 4, 11, 14), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    mixed = g.conv("grouped", x, 4, 2, group=2)
    x = g.node("Mul", "gated", x, g.node("HardSigmoid", "gate", mixed, alpha=0.2))
    kernel, bias = g.weight("up.weight", 4, 6, 3, 3), g.weight("up.bias", 6)
    x = g.node("ConvTranspose", "up", x, kernel, bias, strides=[2, 2], kernel_shape=[3, 3])
    x = g.node("Elu", "elu", x, alpha=1.0)
    g.output(g.node("AveragePool", "shrunk", x, kernel_shape=[2, 2], strides=[2, 2]))
    return g


def resize() -> Graph:
    """Every kind of Resize that detectors use, up and down."""
    g = Graph("resize", seed=3)
    x = g.conv("conv", g.input("x", 1, 3, 9, 13), 4, 3)
    double = g.given("double", [1.0, 1.0, 2.0, 2.0])
    linear = g.node("Resize", "linear", x, "", double, mode="linear", coordinate_transformation_mode="half_pixel")
    nearest = g.node("Resize", "nearest", x, "", double, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    both = g.node("Add", "both", linear, nearest)
    sizes = g.given("sizes", [1, 4, 25, 31])
    grown = g.node("Resize", "grown", both, "", "", sizes, mode="linear", coordinate_transformation_mode="align_corners")
    cubes = g.node("Resize", "cubic", grown, "", double, mode="cubic", coordinate_transformation_mode="half_pixel", cubic_coeff_a=-0.5)
    g.output(g.conv("last", cubes, 2, 4))
    return g


def classifier() -> Graph:
    """Dense layers with a softmax and an arg-max behind them."""
    g = Graph("classifier", seed=4)
    x = g.input("x", 3, 10)
    for i in (1, 2):
        x = g.node("Gemm", f"dense{i}", x, g.weight(f"dense{i}.weight", 10, 10), g.weight(f"dense{i}.bias", 10), transB=1)
        x = g.node("Tanh", f"tanh{i}", x)
    x = g.node("Gemm", "logits", x, g.weight("logits.weight", 10, 7), g.weight("logits.bias", 7), alpha=2.0)
    g.output(g.node("Softmax", "softmax", x, axis=-1), g.node("LogSoftmax", "log", x, axis=1))
    g.output(g.node("ArgMax", "best", x, axis=1), kind=onnx.INT64)
    return g


def attention() -> Graph:
    """An embedding, a layer norm in parts, one attention head, a layer norm in one piece, a GELU from Erf."""
    g = Graph("attention", seed=5, opset=17)
    ids = g.input("ids", 2, 6, kind=onnx.INT64)
    x = g.node("Gather", "embed", g.weight("table", 12, 8, low=-2.0, high=2.0), ids, axis=0)
    y = layer_norm_in_parts(g, x)
    query, key, value = (g.node("MatMul", n, y, g.weight(f"{n}.weight", 8, 8)) for n in ("query", "key", "value"))
    scores = g.node("MatMul", "scores", query, g.node("Transpose", "turned", key, perm=[0, 2, 1]))
    scaled = g.node("Mul", "scaled", scores, g.scalar("inverse_root", 8**-0.5))
    context = g.node("MatMul", "context", g.node("Softmax", "weights", scaled, axis=2), value)
    x = g.node("Add", "residual", x, context)
    scale, shift = g.weight("norm.scale", 8, low=0.5, high=1.5), g.weight("norm.shift", 8)
    x = g.node("LayerNormalization", "norm", x, scale, shift, axis=-1, epsilon=1e-5)
    g.output(gelu(g, g.node("MatMul", "wide", x, g.weight("wide.weight", 8, 16))))
    return g


def layer_norm_in_parts(g: Graph, x: str) -> str:
    centred = g.node("Sub", "centred", x, g.node("ReduceMean", "mean", x, axes=[-1]))
    variance = g.node("ReduceMean", "variance", g.node("Pow", "squared", centred, g.scalar("two", 2.0)), axes=[-1])
    deviation = g.node("Sqrt", "deviation", g.node("Add", "stable", variance, g.scalar("epsilon", 1e-5)))
    scaled = g.node("Mul", "stretched", g.node("Div", "normal", centred, deviation), g.weight("gamma", 8, low=0.5, high=1.5))
    return g.node("Add", "shifted", scaled, g.weight("beta", 8))


def gelu(g: Graph, x: str) -> str:
    erf = g.node("Erf", "erf", g.node("Div", "narrowed", x, g.scalar("root_two", 2**0.5)))
    raised = g.node("Add", "raised", erf, g.scalar("one", 1.0))
    return g.node("Mul", "gelu", g.node("Mul", "twice", x, raised), g.scalar("half", 0.5))


def indexing() -> Graph:
    """Slices, joins, look-ups and choices."""
    g = Graph("indexing", seed=6)
    x = g.input("x", 4, 6, 10)
    window = g.node("Slice", "window", x, g.given("w.starts", [1]), g.given("w.ends", [6]), g.given("w.axes", [2]))
    other = g.node("Slice", "strided", x, g.given("s.starts", [0]), g.given("s.ends", [9]), g.given("s.axes", [2]), g.given("s.steps", [2]))
    joined = g.node("Concat", "joined", window, other, axis=2)
    picked = g.node("Gather", "picked", joined, g.given("indices", [4, 0, 2]), axis=1)
    above = g.node("Greater", "above", window, other)
    chosen = g.node("Where", "chosen", above, window, g.node("Neg", "negated", other))
    ratio = g.node("Div", "ratio", chosen, g.node("Add", "positive", g.node("Abs", "size", other), g.scalar("one", 1.0)))
    power = g.node("Pow", "power", g.node("Exp", "exp", window), g.node("Sigmoid", "exponent", other))
    g.output(g.node("Transpose", "turned", picked, perm=[1, 2, 0]), ratio, power)
    g.output(g.node("Cast", "below", g.node("Less", "less", window, other), to=onnx.FLOAT))
    return g


def reductions() -> Graph:
    """Sums, means and extremes over axes."""
    g = Graph("reductions", seed=7)
    x = g.input("x", 3, 5, 7)
    mean = g.node("ReduceMean", "mean", x, axes=[2], keepdims=1)
    total = g.node("ReduceSum", "total", x, g.given("axes", [1]), keepdims=1)
    high, low = g.node("ReduceMax", "high", x, axes=[2]), g.node("ReduceMin", "low", x, axes=[2])
    spread = g.node("Sub", "spread", high, low)
    upper, lower = g.node("Max", "upper", mean, total), g.node("Min", "lower", mean, total)
    share = g.node("Div", "share", g.node("Sub", "gap", upper, lower), g.node("Add", "safe", spread, g.scalar("one", 1.0)))
    g.output(share)
    g.output(g.node("ArgMin", "where", x, axis=1), kind=onnx.INT64)
    return g


def activations() -> Graph:
    """One of every activation."""
    g = Graph("activations", seed=8)
    x = g.conv("conv", g.input("x", 1, 6, 5, 9), 6, 6, kernel=1)
    silu = g.node("Mul", "silu", x, g.node("Sigmoid", "sigmoid", x))
    outs = [silu, g.node("Tanh", "tanh", x), g.node("Erf", "erf", x), g.node("Relu", "relu", x)]
    outs += [g.node("HardSigmoid", "hard", x, alpha=0.2, beta=0.5), g.node("LeakyRelu", "leaky", x, alpha=0.01), g.node("Elu", "elu", x)]
    x = g.node("Concat", "all", *outs, axis=1)
    g.output(g.conv("mixed", x, 5, 42, kernel=1))
    return g


def normalised() -> Graph:
    """Batch norms with trained statistics behind convolutions without bias, an instance norm, weights of equal shape."""
    g = Graph("normalised", seed=9)
    x = g.input("x", 2, 6, 10, 7)
    for i in (1, 2, 3):
        x = g.conv(f"conv{i}", x, 6, 6, bias=False)
        x = g.node("Relu", f"relu{i}", g.batch_norm(f"norm{i}", x, 6))
    scale, shift = g.weight("instance.scale", 6, low=0.5, high=1.5), g.weight("instance.shift", 6)
    x = g.node("InstanceNormalization", "instance", x, scale, shift, epsilon=1e-5)
    g.output(g.node("Flatten", "flat", x, axis=1))
    return g


def cancelling() -> Graph:
    """Two nearly equal branches are subtracted and what is left is amplified: large errors that are nobody's fault."""
    g = Graph("cancelling", seed=10)
    x = g.input("x", 1, 16, 6, 8)
    left = g.numbers(-0.5, 0.5, 16, 16, 3, 3)
    right = [w * (1 + 2**-12) for w in left]
    branches = []
    for name, values in (("left", left), ("right", right)):
        weight = g.given(f"{name}.weight", values, 16, 16, 3, 3)
        branches.append(g.node("Conv", name, x, weight, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
    small = g.node("Sub", "difference", *branches)
    large = g.node("Mul", "amplified", small, g.scalar("thousand", 1000.0))
    g.output(g.conv("after", g.node("Tanh", "tanh", large), 4, 16))
    return g


def constants() -> Graph:
    """Weights as Constant nodes and through Identity, as some exporters write them."""
    g = Graph("constants", seed=11)
    x = g.input("x", 1, 4, 7, 9)
    kernel = g.constant("kernel", g.numbers(-0.5, 0.5, 4, 4, 3, 3), 4, 4, 3, 3)
    bias = g.node("Identity", "bias", g.weight("stored", 4))
    x = g.node("Conv", "conv", x, kernel, bias, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    gain = g.constant("gain", g.numbers(0.5, 1.5, 4), 1, 4, 1, 1)
    x = g.node("Mul", "scaled", x, gain)
    x = g.node("Clip", "clipped", x, g.scalar("lowest", -1.0), g.scalar("highest", 1.0))
    shape = g.constant("shape", [1, 2, -1])
    g.output(g.node("Reshape", "shaped", x, shape))
    return g



def half() -> Graph:
    """A convolutional classifier in half precision: weights, activations and output."""
    g = Graph("half", seed=12, kind=onnx.FLOAT16)
    x = g.input("x", 2, 3, 11, 14)
    for i in (1, 2):
        x = g.conv(f"conv{i}", x, 8, 3 if i == 1 else 8)
        x = g.node("Mul", f"silu{i}", x, g.node("Sigmoid", f"sigmoid{i}", x))
    x = g.node("Add", "residual", x, g.batch_norm("norm", x, 8))
    x = g.node("Flatten", "flat", g.node("GlobalAveragePool", "mean", x), axis=1)
    x = g.node("Gemm", "dense", x, g.weight("dense.weight", 7, 8), g.weight("dense.bias", 7), transB=1)
    g.output(g.node("Softmax", "softmax", x, axis=-1))
    return g


def mixed() -> Graph:
    """Mixed precision as automatic casting writes it: activations, weights and norms in bfloat16, products in f32 between casts."""
    g = Graph("mixed", seed=13, opset=17, kind=onnx.BFLOAT16)
    first = x = g.input("x", 8, 16)
    for i in (1, 2):
        scale, shift = g.weight(f"norm{i}.scale", 16, low=0.5, high=1.5), g.weight(f"norm{i}.shift", 16)
        normed = g.node("LayerNormalization", f"norm{i}", x, scale, shift, axis=-1, epsilon=1e-5)
        wide = (g.node("Cast", f"{name}.wide", name, to=onnx.FLOAT) for name in (normed, g.weight(f"weight{i}", 16, 16)))
        gate = g.node("Tanh", f"gate{i}", g.node("MatMul", f"product{i}", *wide))
        summed = g.node("Add", f"sum{i}", g.node("Cast", f"wide{i}", x, to=onnx.FLOAT), gate)
        x = g.node("Cast", f"narrow{i}", summed, to=onnx.BFLOAT16)
    g.output(g.node("Transpose", "turned", g.node("Concat", "joined", x, first, axis=0), perm=[1, 0]))
    return g


ALL = (pooling, average, resize, classifier, attention, indexing, reductions, activations, normalised, cancelling, constants, half, mixed)
