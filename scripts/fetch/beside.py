"""Environments of pinned packages over the torch of .native/pytorch, which all of them share."""

import shutil
import subprocess
import sys
from pathlib import Path

from . import install
from .speech import Refused, say

ROOT = Path(__file__).resolve().parent.parent.parent
PYTORCH = ROOT / ".native/pytorch"


def pytorch() -> None:
    if not (PYTORCH / "bin/python").exists():
        step("install PyTorch", ROOT / "scripts/pytorch", "python", "-c", "")


def environment(home: Path, pins: tuple) -> Path:
    """Its Python; every package is named, so pip follows no dependency. One without its stamp, or with other pins, is made anew."""
    python, stamp = home / "bin/python", home / "parity-pins"
    if stamp.is_file() and stamp.read_text() == "\n".join(pins):
        return python
    with install.alone(ROOT / ".native"):
        shutil.rmtree(home, ignore_errors=True)
        say(f"{home.name}: installing {len(pins)} packages in {home}")
        step("make the environment", PYTORCH / "bin/python", "-m", "venv", home)
        packages = [read(p, "import sysconfig; print(sysconfig.get_paths()['purelib'])") for p in (python, PYTORCH / "bin/python")]
        Path(packages[0], "pytorch.pth").write_text(packages[1] + "\n")
        step("install", python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", *pins)
        stamp.write_text("\n".join(pins))
    return python


def read(*command) -> str:
    python, code = command
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def step(what: str, *command) -> None:
    done = subprocess.run(command, stdout=sys.stderr)
    if done.returncode:
        raise Refused(
            f"could not {what} ({Path(command[0]).name} ended with {done.returncode}, its words are above); "
            "check that the package index can be reached, then run this again: the half-made environment is replaced"
        )
