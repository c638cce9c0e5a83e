"""What was called, from which line of the user's code, with which tensors."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from pathlib import Path

import torch
from torch import Tensor

from .parts import leaves

TORCH = os.path.dirname(torch.__file__) + os.sep
OWN = os.path.dirname(__file__) + os.sep
LED_BY = ("overrides.py", "_tensor.py", "functional.py", "nn/functional.py", "_jit_internal.py", "_ops.py", "utils/_device.py")
#: Files through which a call of the user's is led to the function that he named, and from there to here.
WAYS = (__file__, OWN + "functions.py", *(TORCH + name for name in LED_BY))


def by_user() -> str | None:
    """File and line, where the user's own code calls a function of torch; None where torch or the recorder does."""
    frame = outside(sys._getframe(1), WAYS)
    return None if frame is None or frame.f_code.co_filename.startswith((OWN, TORCH)) else line_of(frame)


def from_user() -> str | None:
    """File and line of the user's code that led here."""
    frame = outside(sys._getframe(1), (OWN, TORCH, "<frozen "))
    return None if frame is None else line_of(frame)


def outside(frame, folders: tuple[str, ...]):
    while frame is not None and frame.f_code.co_filename.startswith(folders):
        frame = frame.f_back
    return frame


def line_of(frame) -> str:
    return f"{short(frame.f_code.co_filename)}:{frame.f_lineno}"


@functools.lru_cache(maxsize=None)
def short(file: str) -> str:
    """As seen from the working directory, else from where Python finds packages."""
    folders = [os.getcwd(), *sorted((p for p in sys.path if p), key=len, reverse=True)]
    for folder in folders:
        if file.startswith(os.path.join(folder, "")):
            return Path(file).relative_to(folder).as_posix()
    return file


def defined_in(function) -> str:
    """The file of a function, behind its decorators."""
    return getattr(getattr(inspect.unwrap(function), "__code__", None), "co_filename", "")


def defined(function) -> str | None:
    """File and line of a function, behind its decorators."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code and f"{short(code.co_filename)}:{code.co_firstlineno}"


def tensors(value) -> list[Tensor]:
    return [leaf for _, leaf in leaves(value) if isinstance(leaf, Tensor)]
