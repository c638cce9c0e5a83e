"""The user's file: `build()`, and what else it may define."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

#: Functions that a port file may define besides `build`; each is an ability of the same name.
OPTIONAL = ("inputs", "targets", "preprocess", "postprocess", "losses", "assign", "optimizer")


def load(path: str) -> ModuleType:
    """Imports the file as `python FILE` would: what lies beside it can be imported."""
    file = Path(path).resolve()
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, "build", None)):
        raise TypeError(f"{path} has no function build(), which makes the network")
    return module


def function(module: ModuleType, name: str):
    """One of the optional functions, or None."""
    found = getattr(module, name, None)
    if found is not None and not callable(found):
        raise TypeError(f"'{name}' of the port is no function")
    return found
