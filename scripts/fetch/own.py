"""Libraries that the user already has (LIBTORCH, ORT_DYLIB_PATH), and what to do where no wheel fits."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from .speech import Refused

LIBTORCH_VERSION = "2.13.0"


def libtorch(root: Path) -> Path | None:
    """The folder that LIBTORCH names, checked; None if it is unset or names this project's own copy."""
    home = named("LIBTORCH", root, root / ".native/libtorch")
    if home is None:
        return None
    missing = [name for name in ("include", "lib") if not (home / name).is_dir()]
    if missing:
        raise Refused(
            f"LIBTORCH={home}: has no {' and no '.join(missing)} folder; "
            "point it to a libtorch folder, or unset it to fetch one"
        )
    text = home / "build-version"
    version = text.read_text().strip() if text.is_file() else LIBTORCH_VERSION
    if version.split("+")[0] != LIBTORCH_VERSION:
        raise Refused(
            f"LIBTORCH={home}: is version {version}, needed is {LIBTORCH_VERSION}; "
            f"point it to a libtorch {LIBTORCH_VERSION}, or unset it to fetch one"
        )
    return home


def onnxruntime(root: Path) -> Path | None:
    """The library file that ORT_DYLIB_PATH names; None if it is unset or names this project's own copy."""
    library = named("ORT_DYLIB_PATH", root, root / ".native/onnxruntime")
    if library is not None and not library.is_file():
        raise Refused(
            f"ORT_DYLIB_PATH={library}: is no file; point it to libonnxruntime, or unset it to fetch one"
        )
    return library


def named(variable: str, root: Path, ours: Path) -> Path | None:
    """A relative value counts from the project, as in .cargo/config.toml."""
    value = os.environ.get(variable)
    if not value:
        return None
    path = Path(os.path.abspath(root / value))
    return None if path == ours or ours in path.parents else path


def require_platform() -> None:
    """The pinned wheels are for x86-64 Linux with glibc 2.28 or newer."""
    found = f"{platform.system()} {platform.machine()} with {libc()}"
    system_fits = platform.system() == "Linux" and platform.machine() in ("x86_64", "AMD64")
    if not system_fits or not libc().startswith("glibc ") or glibc_version() < (2, 28):
        raise Refused(
            f"{found}: no wheel is pinned for it (pinned: Linux x86_64 with glibc 2.28 or newer); "
            f"set LIBTORCH to a folder with libtorch {LIBTORCH_VERSION} and ORT_DYLIB_PATH to a "
            "libonnxruntime 1.31, then run this again; "
            "`cargo build --release --locked --no-default-features` needs neither"
        )


def libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "no glibc"
    except (AttributeError, ValueError, OSError):
        return "no glibc"


def glibc_version() -> tuple:
    return tuple(int(part) for part in libc().split()[1].split(".")[:2])
