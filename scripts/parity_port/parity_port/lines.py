"""Which line of the user's code led here."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from pathlib import Path

#: Folder of parity_port.
OWN = os.path.dirname(__file__) + os.sep


def from_user(libraries: tuple[str, ...]) -> str | None:
    """File and line of the code that led here, outside of parity_port and of the folders of `libraries`."""
    frame = outside(sys._getframe(1), (OWN, "<frozen ", *libraries))
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
