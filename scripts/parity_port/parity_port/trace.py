"""Writes parity's trace format: a safetensors file whose metadata say what each tensor is, in the order of computing."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

#: What is written; parity reads 1 too, which said nothing of versions, threads and seed.
FORMAT = 2
#: numpy's name, safetensors' name, parity's name.
DTYPES = (
    ("float64", "F64", "f64"),
    ("float32", "F32", "f32"),
    ("float16", "F16", "f16"),
    ("int64", "I64", "i64"),
    ("int32", "I32", "i32"),
    ("int16", "I16", "i16"),
    ("int8", "I8", "i8"),
    ("uint64", "U64", "u64"),
    ("uint32", "U32", "u32"),
    ("uint16", "U16", "u16"),
    ("uint8", "U8", "u8"),
    ("bool", "BOOL", "bool"),
)


class Entry(NamedTuple):
    """Where a tensor comes from: node or module, operator or class, names of the tensors it was computed from."""

    node: str = ""
    op: str = ""
    inputs: tuple[str, ...] = ()


class Trace:
    """Tensors of one subject; `add` in the order of computing, then `write` once."""

    def __init__(self, subject: str, command: str):
        self.subject, self.command = subject, command
        self.inputs: dict[str, str] = {}
        self.tensors: dict[str, np.ndarray] = {}
        self.entries: dict[str, Entry] = {}
        self.metadata: dict[str, str] = {}
        self.versions: dict[str, str] = {"numpy": np.__version__}
        self.threads: int | None = None
        self.seed: int | None = None

    def fed(self, name: str, value: np.ndarray) -> None:
        """An input: only its digest is kept; call `add` too where the values are wanted."""
        self.inputs[name] = digest(value)

    def add(self, name: str, value: np.ndarray, entry: Entry = Entry()) -> None:
        if name in self.tensors:
            raise ValueError(f"tensor '{name}' was added before; give the second call another name, as '{name}#2'")
        self.tensors[name] = np.array(value, order="C")
        self.entries[name] = entry

    def write(self, path: Path) -> None:
        """Beside first, then renamed: an old file stays whole until the new one is."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}.part")
        with open(beside, "wb") as file:
            header = json.dumps(self.header(), ensure_ascii=False).encode()
            header += b" " * (-len(header) % 8)
            file.write(len(header).to_bytes(8, "little") + header)
            for value in self.tensors.values():
                file.write(little(value))
        os.replace(beside, path)

    def header(self) -> dict:
        told = {"format": FORMAT, "subject": self.subject, "command": self.command, "versions": self.versions}
        told.update({name: value for name, value in (("threads", self.threads), ("seed", self.seed)) if value is not None})
        told["inputs"] = self.inputs
        told["tensors"] = {name: {**e._asdict(), "inputs": list(e.inputs)} for name, e in self.entries.items()}
        header, at = {"__metadata__": {"parity.trace": json.dumps(told, ensure_ascii=False), **self.metadata}}, 0
        for name, value in self.tensors.items():
            header[name] = {"dtype": row_of(value)[1], "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
            at += value.nbytes
        return header


def row_of(value: np.ndarray) -> tuple[str, str, str]:
    for row in DTYPES:
        if row[0] == value.dtype.name:
            return row
    raise ValueError(f"dtype {value.dtype} cannot be traced; known are {', '.join(row[0] for row in DTYPES)}")


def little(value: np.ndarray) -> bytes:
    return value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()


def digest(value: np.ndarray) -> str:
    """sha256 over dtype, shape and bytes, as parity writes it."""
    head = f"{row_of(value)[2]} {list(value.shape)} ".encode()
    return hashlib.sha256(head + little(value)).hexdigest()
