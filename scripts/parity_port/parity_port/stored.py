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
    data = Path(path).read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    header.pop("__metadata__", None)
    rows = sorted(header.items(), key=lambda row: row[1]["data_offsets"])
    return {name: held(row, data, begin) for name, row in rows}


def held(row: dict, data: bytes, begin: int) -> Held:
    dtype, lacking = HELD[row["dtype"]]
    start, end = row["data_offsets"]
    found = np.frombuffer(data[begin + start : begin + end], np.dtype(dtype).newbyteorder("<"))
    return Held(found.reshape(row["shape"]).copy(), lacking)
