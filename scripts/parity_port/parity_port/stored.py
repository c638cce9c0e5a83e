"""Reads a safetensors file with numpy alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .trace import DTYPES

#: safetensors' name of a dtype -> numpy's, and parity's where numpy lacks it (bfloat16 is read as 16-bit integers).
HELD = {row: ("<i2" if numpy == "bfloat16" else numpy, parity if numpy == "bfloat16" else None) for numpy, row, parity in DTYPES}


class Held(NamedTuple):
    """The elements, and parity's name of a dtype that numpy lacks."""

    value: np.ndarray
    dtype: str | None


def read(path: str | Path) -> dict[str, Held]:
    """Every tensor of the file, in the order of its bytes; copies, so that the file may go."""
    with open(path, "rb") as file:
        rows, data = header(file), file.read()
    return {name: held(row, data) for name, row in sorted(rows.items(), key=lambda row: row[1]["data_offsets"])}


def dtypes(path: str | Path) -> dict[str, str]:
    """safetensors' name of each tensor's dtype; no tensor is read."""
    with open(path, "rb") as file:
        return {name: row["dtype"] for name, row in header(file).items()}


def header(file) -> dict[str, dict]:
    """What the file says of each tensor; the elements follow."""
    rows = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    rows.pop("__metadata__", None)
    return rows


def held(row: dict, data: bytes) -> Held:
    dtype, lacking = HELD[row["dtype"]]
    start, end = row["data_offsets"]
    found = np.frombuffer(data[start:end], np.dtype(dtype).newbyteorder("<"))
    return Held(found.reshape(row["shape"]).copy(), lacking)
