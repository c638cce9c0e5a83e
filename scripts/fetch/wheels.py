"""Gets a pinned wheel: from the index that pip is set to, a ranged download continues a `.part`, sha256 decides."""

from __future__ import annotations

import ast
import contextlib
import errno
import hashlib
import html
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from .pins import Wheel
from .speech import Meter, Refused, megabytes, say

PYPI = "https://pypi.org/simple"
CHUNK = 1 << 20
ATTEMPTS = 4
TIMEOUT_S = 30
NETWORK = (
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    socket.timeout,
    ssl.SSLError,
)
UNREACHABLE = ("Retrying", "onnection", "ProxyError", "SSLError", "timed out", "resolve")


def get(wheel: Wheel, folder: Path) -> Path:
    """The verified wheel in `folder`; only what is missing of it is downloaded."""
    path = folder / wheel.filename
    if not path.exists():
        part = folder / (wheel.filename + ".part")
        folder.mkdir(parents=True, exist_ok=True)
        require_space(folder, wheel.size - size_of(part), wheel.title)
        fetch(wheel, part)
        verify(wheel, part)
        os.replace(part, path)
    else:
        verify(wheel, path)
    return path


def verify(wheel: Wheel, path: Path) -> None:
    found = sha256_of(path)
    if found != wheel.sha256:
        size = path.stat().st_size
        path.unlink()
        raise Refused(
            f"{wheel.title}: {path.name} has sha256 {found} ({size} bytes), pinned is {wheel.sha256} "
            f"({wheel.size} bytes); it was removed; run this again, and if it happens again look at "
            "the package index that `pip config list` names"
        )


def fetch(wheel: Wheel, part: Path) -> None:
    if size_of(part) > wheel.size:
        part.unlink()
    if size_of(part) == wheel.size:
        return
    with disk_full_explained(wheel.title, part.parent):
        settings = pip_settings()
        try:
            download(wheel, find(wheel, settings), part, settings)
        except (*NETWORK, LookupError) as error:
            say(f"{wheel.title}: {error}; trying `pip download`")
            pip_download(wheel, part)


def download(wheel: Wheel, url: str, part: Path, settings: dict) -> None:
    """Continues `part` until it is whole; gives up after some attempts without a new byte."""
    meter = Meter(wheel.title, wheel.size, size_of(part))
    failures = 0
    while size_of(part) < wheel.size:
        before = size_of(part)
        try:
            append(wheel, url, part, meter, settings)
        except urllib.error.HTTPError:
            raise
        except NETWORK:
            failures = 0 if size_of(part) > before else failures + 1
            if failures == ATTEMPTS:
                raise
            time.sleep(0.5 * failures)


def append(wheel: Wheel, url: str, part: Path, meter: Meter, settings: dict) -> None:
    start = size_of(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    with connect(request, settings) as response:
        continued = (response.headers.get("Content-Range") or "").startswith(f"bytes {start}-")
        meter.done = start if continued else 0
        with open(part, "ab" if continued else "wb") as out:
            for chunk in iter(lambda: response.read(CHUNK), b""):
                out.write(chunk)
                meter.add(len(chunk))
                if meter.done > wheel.size:
                    return
    if meter.done < wheel.size:
        raise ConnectionError(f"the server stopped at {meter.done} of {wheel.size} bytes")


def find(wheel: Wheel, settings: dict) -> str:
    """The wheel's URL on the first package index that lists its file name."""
    indexes = [settings.get("index-url", PYPI), *settings.get("extra-index-url", "").split()]
    if settings.get("no-index", "0").lower() not in ("0", "no", "false", "off"):
        indexes = []
    for index in indexes:
        if "@" in urllib.parse.urlsplit(index).netloc:
            raise LookupError("the index asks for a password, which pip knows how to give")
        url = f"{index.rstrip('/')}/{wheel.project}/"
        request = urllib.request.Request(url, headers={"Accept": "text/html"})
        with connect(request, settings) as response:
            page = response.read().decode("utf-8", "replace")
            base = response.geturl()
        for link in re.findall(r"""href\s*=\s*["']([^"'#]+)""", page):
            link = html.unescape(link)
            if urllib.parse.unquote(link.rsplit("/", 1)[-1]) == wheel.filename:
                return urllib.parse.urljoin(base, link)
    raise LookupError(f"{wheel.filename} is not on the package index's page")


def connect(request: urllib.request.Request, settings: dict):
    """Opens a URL, trusting the certificates that pip was told to trust, else the system's."""
    own = settings.get("cert")
    kind = "capath" if own and os.path.isdir(own) else "cafile"
    context = ssl.create_default_context(**{kind: own})
    return urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context)


def pip_settings() -> dict:
    """The user's pip configuration, files and PIP_* variables, as pip itself lists it."""
    answer = pip("config", "list")
    if answer.returncode != 0:
        raise Refused(pip_failure("pip", answer.stderr))
    ranks = {"global": 0, "install": 1, "download": 1, ":env:": 2}
    lines = [line.partition("=") for line in answer.stdout.splitlines()]
    rows = [(*key.rpartition(".")[::2], value) for key, _, value in lines]
    rows = sorted((row for row in rows if row[0] in ranks), key=lambda row: ranks[row[0]])
    return {name: ast.literal_eval(value) for _, name, value in rows}


def pip_download(wheel: Wheel, part: Path) -> None:
    """Lets pip fetch exactly this wheel, whatever Python and platform runs the script."""
    words = ["--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--retries", "2"]
    for tag in wheel.filename[: -len(".whl")].rsplit("-", 1)[-1].split("."):
        words += ["--platform", tag]
    with tempfile.TemporaryDirectory(dir=part.parent) as box:
        answer = pip("download", *words, "--dest", box, f"{wheel.project}=={wheel.version}")
        if answer.returncode != 0:
            raise Refused(pip_failure(wheel.title, answer.stderr, wheel))
        found = os.listdir(box)
        if found != [wheel.filename]:
            raise Refused(
                f"{wheel.title}: the package index gave {', '.join(found)}, pinned is "
                f"{wheel.filename}; check `pip config list`"
            )
        os.replace(os.path.join(box, wheel.filename), part)


def pip(command: str, *words: str) -> subprocess.CompletedProcess:
    call = [sys.executable, "-m", "pip", "--disable-pip-version-check", command, *words]
    quiet = dict(os.environ, PIP_QUIET="1") if command == "download" else None
    return subprocess.run(
        call, env=quiet, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True
    )


def pip_failure(what: str, stderr: str, wheel: Wheel | None = None) -> str:
    lines = stderr.strip().splitlines() or ["no message"]
    last = ([line for line in lines if line.startswith("ERROR: ")] or lines)[-1]
    if "No module named pip" in stderr:
        return f"pip is missing for {sys.executable}; install it (Debian: apt install python3-pip), then run this again"
    if "No space left" in stderr:
        return f"{what}: the disk is full; make room, then run this again"
    if wheel and any(word in stderr for word in UNREACHABLE):
        return (
            f"{what}: the package index cannot be reached (pip: {last}); check the network and "
            "`pip config list`, then run this again: it goes on where it stopped; "
            f"without a network, put {wheel.filename} into .native/wheels/ first"
        )
    return f"{what}: pip failed ({last}); check `pip config list`, then run this again"


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
