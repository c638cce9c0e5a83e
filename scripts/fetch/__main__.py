"""python -m fetch FOLDER NAME...: installs native libraries below a folder; what parity runs where it was installed without its checkout."""

from __future__ import annotations

import sys
from pathlib import Path

from . import install, own, pins, speech

#: What a run needs of libtorch: its libraries, not its headers.
LIBTORCH = pins.LIBTORCH._replace(takes=tuple(take for take in pins.LIBTORCH.takes if not take.to.startswith("include/")), size=400_000_000)
BUNDLES = {"libtorch": LIBTORCH, "onnxruntime": pins.ONNXRUNTIME}


def main() -> None:
    folder, *names = sys.argv[1:]
    own.require_platform()
    for name in names:
        install.ensure_bundle(BUNDLES[name], Path(folder))


if __name__ == "__main__":
    sys.exit(speech.run(main, "parity"))
