"""TorchScript files with the same bytes every time."""

import tempfile
import zipfile
from pathlib import Path

import torch


def save(module: torch.nn.Module, path: Path) -> None:
    """The module without debugging symbols, which hold the path of its source, and without the digest of these."""
    with tempfile.TemporaryDirectory() as folder:
        whole = f"{folder}/{path.name}"  # the archive is called like the file
        torch.jit.script(module).save(whole)
        with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
            for entry in old.infolist():
                if not entry.filename.endswith((".debug_pkl", "serialization_id")):
                    new.writestr(entry, old.read(entry))
