"""Gets pinned wheels: pip downloads them from the index that it is set to and takes no other bytes than the pinned sha256."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .pins import Wheel
from .speech import Refused, megabytes, say

CHUNK = 1 << 20
UNREACHABLE = ("Retrying", "onnection", "ProxyError", "SSLError", "timed out", "resolve")


def get(wanted: Sequence[Wheel], folder: Path) -> dict[Wheel, Path]:
    """The wanted wheels in `folder`; pip is asked for those that are missing or have another sha256, all at once."""
    missing = [wheel for wheel in wanted if not is_here(wheel, folder)]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        what, size = ", ".join(wheel.title for wheel in missing), sum(wheel.size for wheel in missing)
        require_space(folder, 2 * size, what)  # pip copies what it downloaded
        say(f"{what}: fetching {megabytes(size)}")
        download(missing, folder, what)
    return {wheel: folder / wheel.filename for wheel in wanted}


def is_here(wheel: Wheel, folder: Path) -> bool:
    path = folder / wheel.filename
    return size_of(path) == wheel.size and sha256_of(path) == wheel.sha256


def download(wheels: Sequence[Wheel], folder: Path, what: str) -> None:
    """Exactly these wheels, whatever Python and platform runs the script."""
    call = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-cache-dir"]
    call += ["--no-deps", "--only-binary=:all:", "--require-hashes", "--implementation=cp", "--python-version=3.11"]
    call += sorted({f"--platform={tag}" for wheel in wheels for tag in wheel.platforms})
    pins = "".join(f"{wheel.project}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in wheels)
    # As variables, since a pip older than 25.1 does not know the first; torch need not fit into /tmp.
    settings = {**os.environ, "PIP_RESUME_RETRIES": "5", "TMPDIR": str(folder)}
    answer = subprocess.run(
        [*call, "--dest", str(folder), "--requirement", "/dev/stdin"],
        env=settings, input=pins, stdout=2, stderr=subprocess.PIPE, universal_newlines=True,
    )  # fmt: skip
    if answer.returncode != 0:
        raise Refused(f"{what}: {failure(answer.stderr)}")


def failure(stderr: str) -> str:
    """What pip complains of, and what to do about it."""
    lines = stderr.strip().splitlines() or ["no message"]
    said = next((line for line in reversed(lines) if line.startswith("ERROR: ")), lines[-1])
    if "No module named pip" in stderr:
        return f"pip is missing for {sys.executable}; install it (Debian: apt install python3-pip), then run this again"
    if "No space left" in stderr:
        return "the disk is full; make room, then run this again"
    if "DO NOT MATCH THE HASHES" in stderr:
        found = "; ".join(line.strip() for line in lines[lines.index(said) + 1 :] if line.strip())
        return f"the package index gave other bytes than pinned ({found}); look at the index that `pip config list` names"
    if any(word in stderr for word in UNREACHABLE):
        return (
            f"the package index cannot be reached (pip: {said}); check the network and `pip config list`, then run this "
            "again; without a network, put the wheels that scripts/fetch/pins.py names into .native/wheels/ first"
        )
    return f"pip failed ({said}); check `pip config list` and that pip is 20.3 or newer, then run this again"


@contextlib.contextmanager
def disk_full_explained(what: str, folder: Path):
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = megabytes(shutil.disk_usage(folder).free)
        raise Refused(
            f"{what}: the disk is full ({free} free in {folder}); make room, then run this again: "
            "what is downloaded is kept"
        ) from error


def require_space(folder: Path, needed: int, what: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Refused(
            f"{what}: needs {megabytes(needed)} in {folder}, only {megabytes(free)} are free; "
            "make room, then run this again"
        )


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()
