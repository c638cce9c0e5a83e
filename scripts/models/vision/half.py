"""A graph in half precision, as the public converter makes it."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
from onnxconverter_common import float16


def convert(source: Path, to: Path) -> None:
    """Weights, inputs and outputs in f16; what is smaller than f16 can hold becomes its smallest number."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the float32 number")
        onnx.save(float16.convert_float_to_float16(onnx.load(source), keep_io_types=False), to)
