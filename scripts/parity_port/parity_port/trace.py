"""Writes parity's trace format: a safetensors file whose metadata say what each tensor is, in the order of computing."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

#: What is written; parity reads 1 too, which said nothing of versions, threads and seed.
FORMAT = 2
#: numpy's name (bfloat16 is that of the package ml_dtypes), safetensors' name, parity's name.
DTYPES = (
    ("float64", "F64", "f64"),
    ("float32", "F32", "f32"),
    ("float16", "F16", "f16"),
    ("bfloat16", "BF16", "bf16"),
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
    """Where a tensor comes from: node or module, operator or class, names of the tensors it was computed from, file and line."""

    node: str = ""
    op: str = ""
    inputs: tuple[str, ...] = ()
    at: str | None = None

    def told(self) -> dict:
        said = {"node": self.node, "op": self.op, "inputs": list(self.inputs)}
        return said if self.at is None else {**said, "at": self.at}


class Placed(NamedTuple):
    """Where a tensor lies in the spool."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class Trace:
    """Tensors of one program: `add` in the order of computing, then `finish`, or `abandon`; a `with` block does either.

    Tensors are not kept: each is written to a file without a name as it comes, in the folder of the trace, which is put in place by
    `finish` in one rename. So an older trace stays whole until the new one is, and whatever ends the program leaves nothing behind.
    """

    def __init__(self, path: str | Path, subject: str, command: str | None = None):
        self.path, self.subject, self.command = Path(path), subject, command or typed()
        self.inputs: dict[str, str] = {}
        self.tensors: dict[str, Placed] = {}
        self.entries: dict[str, dict] = {}
        self.values: set[str] = set()
        self.metadata: dict[str, str] = {}
        self.versions: dict[str, str] = {"numpy": np.__version__}
        self.threads: int | None = None
        self.seed: int | None = None
        #: What else the header says: modules, calls, losses, flags, tied, missing.
        self.program: dict = {}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.spool = tempfile.TemporaryFile(dir=self.path.parent)

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, kind, *_) -> None:
        self.finish() if kind is None else self.abandon()

    @property
    def is_open(self) -> bool:
        return not self.spool.closed

    def fed(self, name: str, value: np.ndarray, dtype: str | None = None, values: bool = True) -> None:
        """An input: its digest, and its values, so that parity can feed it to another program."""
        self.inputs[name] = digest(value, dtype)
        if values:
            self.add(name, value, Entry(name, "Input"), dtype)

    def add(self, name: str, value: np.ndarray, entry: Entry = Entry(), dtype: str | None = None) -> None:
        """A tensor that was computed; `dtype` is parity's name of one that numpy lacks (`bf16`, as 16-bit integers)."""
        self.put(name, value, dtype)
        self.entries[name] = entry.told()

    def parameter(self, name: str, value: np.ndarray, dtype: str | None = None) -> None:
        """The value of a parameter, which `metadata["parameters"]` lists."""
        self.put(f"parameter.{name}", value, dtype)

    def put(self, name: str, value: np.ndarray, dtype: str | None) -> None:
        if name in self.tensors:
            raise ValueError(f"tensor '{name}' was added before; give the second call another name, as '{name}#2'")
        row, start = row_of(value, dtype), self.spool.tell()
        self.spool.write(little(value))
        self.tensors[name] = Placed(row[1], np.shape(value), start, self.spool.tell())

    def finish(self) -> None:
        """Header and tensors into a file beside, which is then renamed."""
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        try:
            with open(beside, "wb") as file:
                header = json.dumps(self.header(), ensure_ascii=False).encode()
                header += b" " * (-len(header) % 8)
                file.write(len(header).to_bytes(8, "little") + header)
                self.spool.seek(0)
                shutil.copyfileobj(self.spool, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path)
        finally:
            beside.unlink(missing_ok=True)
            self.abandon()

    def abandon(self) -> None:
        self.spool.close()

    def header(self) -> dict:
        told = {"format": FORMAT, "subject": self.subject, "command": self.command, "versions": self.versions}
        told.update({name: value for name, value in (("threads", self.threads), ("seed", self.seed)) if value is not None})
        told |= {"inputs": self.inputs, "tensors": self.entries, **{key: said for key, said in self.program.items() if said}}
        said = json.dumps(told, ensure_ascii=False, allow_nan=False)
        placed = {
            name: {"dtype": at.dtype, "shape": list(at.shape), "data_offsets": [at.start, at.end]}
            for name, at in self.tensors.items()
        }
        return {"__metadata__": {"parity.trace": said, **self.metadata}, **placed}


def typed() -> str:
    """The command as it was typed, as far as the interpreter knows it."""
    return shlex.join(getattr(sys, "orig_argv", [sys.executable, *sys.argv]))


def row_of(value: np.ndarray, dtype: str | None = None) -> tuple[str, str, str]:
    known, at = (np.asarray(value).dtype.name, 0) if dtype is None else (dtype, 2)
    for row in DTYPES:
        if row[at] == known:
            return row
    raise ValueError(f"dtype {known} cannot be traced; known are {', '.join(row[at] for row in DTYPES)}")


def little(value: np.ndarray) -> memoryview:
    """The elements in row-major order, little-endian; a copy only where they lie otherwise."""
    value = np.asarray(value)
    straight = np.ascontiguousarray(value if sys.byteorder == "little" and value.dtype.isnative else value.astype(value.dtype.newbyteorder("<")))
    return memoryview(straight.reshape(-1).view(np.uint8))


def digest(value: np.ndarray, dtype: str | None = None) -> str:
    """sha256 of `DTYPE [D, D, …] `, parity's name and the shape in decimals, then of the elements, row-major and little-endian."""
    seen = hashlib.sha256(f"{row_of(value, dtype)[2]} {list(np.shape(value))} ".encode())
    seen.update(little(value))
    return seen.hexdigest()
