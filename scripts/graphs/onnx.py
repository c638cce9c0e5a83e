"""Writes ONNX: the few protobuf messages that a small graph needs, by the field numbers of the public onnx.proto."""

from __future__ import annotations

import struct

FLOAT, INT64, FLOAT16, BFLOAT16 = 1, 7, 10, 16
ANY_RANK = None


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # a negative number is its 64-bit two's complement
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(tag: int, value: int) -> bytes:
    return varint(tag << 3) + varint(value)


def block(tag: int, value: bytes) -> bytes:
    return varint(tag << 3 | 2) + varint(len(value)) + value


def text(tag: int, value: str) -> bytes:
    return block(tag, value.encode())


def real(tag: int, value: float) -> bytes:
    return varint(tag << 3 | 5) + struct.pack("<f", value)


def tensor(name: str, shape: list, values: list, kind: int = FLOAT) -> bytes:
    """A TensorProto: int64 where every value is an int, else of the floats that `kind` names."""
    kind = INT64 if all(isinstance(v, int) for v in values) else kind
    dims = b"".join(integer(1, d) for d in shape)
    return dims + integer(2, kind) + text(8, name) + block(9, packed(kind, values))


def packed(kind: int, values: list) -> bytes:
    if kind == BFLOAT16:
        return struct.pack(f"<{len(values)}H", *(upper_half(v) for v in values))
    letter = {INT64: "q", FLOAT: "f", FLOAT16: "e"}[kind]
    return struct.pack(f"<{len(values)}{letter}", *values)


def upper_half(value: float) -> int:
    """The bits of bfloat16: the upper half of those of f32, rounded to even."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return bits + 0x7FFF + (bits >> 16 & 1) >> 16


def attribute(name: str, value) -> bytes:
    head = text(1, name)
    if isinstance(value, bytes):  # an encoded tensor
        return head + block(5, value) + integer(20, 4)
    if isinstance(value, str):
        return head + text(4, value) + integer(20, 3)
    if isinstance(value, float):
        return head + real(2, value) + integer(20, 1)
    if isinstance(value, int):
        return head + integer(3, value) + integer(20, 2)
    return head + b"".join(integer(8, v) for v in value) + integer(20, 7)


def node(op: str, name: str, inputs: list, outputs: list, attributes: dict) -> bytes:
    names = b"".join(text(1, i) for i in inputs) + b"".join(text(2, o) for o in outputs)
    return names + text(3, name) + text(4, op) + b"".join(block(5, attribute(k, v)) for k, v in attributes.items())


def port(name: str, kind: int, shape: list | None) -> bytes:
    """A ValueInfoProto; without a shape the reader infers it."""
    dims = b"" if shape is ANY_RANK else block(2, b"".join(block(1, integer(1, d)) for d in shape))
    return text(1, name) + block(2, block(1, integer(1, kind) + dims))


def model(name: str, opset: int, nodes: list, weights: list, inputs: list, outputs: list) -> bytes:
    parts = [(1, nodes), (5, weights), (11, inputs), (12, outputs)]
    graph = text(2, name) + b"".join(block(tag, item) for tag, items in parts for item in items)
    return integer(1, 8) + text(2, "parity scripts/make_graphs") + block(7, graph) + block(8, integer(2, opset))
