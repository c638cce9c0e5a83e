"""The tools of docs/OTHERS.md: what a user writes for each (scripts/others.d), what is run, and how what it prints is read."""

import ast
import re
import sys
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from . import Said

ROOT = Path(__file__).resolve().parent.parent.parent
SNIPPETS = ROOT / "scripts/others.d"
PORT = ROOT / "scripts/models/net.py"
PINS = ("polygraphy==0.53.6", "pytest-torch==1.1.1")
sys.path.append(str(SNIPPETS))


class Tool(NamedTuple):
    name: str
    #: Files of SNIPPETS that the user writes, beside the port file.
    files: tuple
    #: Run one after the other in a folder of their own; each is a line that the user types.
    commands: tuple
    #: (what it prints, path of the export) -> what it says; None where it did not get that far.
    read: Callable[[str, Path], Optional[Said]]


def parity(text: str, _: Path) -> Optional[Said]:
    if re.search(r"^AGREE", text, re.MULTILINE):
        return Said(False)
    head = re.search(r"^DIVERGE (?:at module '(.*?)'|at the model (itself)|first at tensor '(.*?)'|.*)", text, re.MULTILINE)
    if not head:
        return None
    listed = re.search(r"^  reference   (.*)$", text, re.MULTILINE)
    # The stretch is listed in the order of the computation: what is said first, then the rest, the latest first.
    names = [module(name) for name in re.findall(r"'(.*?)'", listed[1])][::-1] if listed else []
    named, itself, tensor = head.groups()
    first = [named or ("" if itself else module(tensor))] if named or itself or tensor else []
    return Said(True, tuple(dict.fromkeys([*first, *names])))


def module(tensor: str) -> str:
    """Of `encoder.attention.softmax()`, of a later call `body.act:1`, or of a step inside `body.act (gate)`, the module in whose code it is."""
    path = re.sub(r" \(.*\)$|:\d+$", "", tensor)
    return path.rpartition(".")[0] if path.endswith(")") else path


def localize(text: str, _: Path) -> Optional[Said]:
    if re.search(r"^No divergence", text, re.MULTILINE):
        return Said(False)
    first = re.search(r"^Divergence: .* First: '(.*?)'", text, re.MULTILINE)
    name = first and first[1].replace("<root>", "")
    return first and Said(True, (name,), "already receives different inputs" in text)


def mismatched(text: str) -> Optional[list]:
    """Tensors of the export that Polygraphy holds to be others, in its order; None where it compared nothing."""
    failed = re.search(r"FAILED \| simple \| Mismatched outputs: (\[.*\])", text)
    if failed:
        return ast.literal_eval(failed[1])
    return [] if re.search(r"^\[I\] PASSED \| Runtime", text, re.MULTILINE) else None


def outputs(text: str, _: Path) -> Optional[Said]:
    found = mismatched(text)
    return None if found is None else Said(bool(found))


def polygraphy(text: str, export: Path) -> Optional[Said]:
    from names import tensors  # what the user has written knows which module a tensor belongs to
    from net import build

    found = mismatched(text)
    if not found:
        return outputs(text, export)
    modules = {tensor: name for name, tensor in tensors(export, build()).items()}
    return Said(True, (modules[found[0]],))


RUN = "{polygraphy} run {export} --onnxrt --load-inputs inputs.json --load-outputs outputs.json"

#: The port is an export.
EXPORTS = (
    Tool("parity", (), ("{parity} run {port} {export}",), parity),
    Tool("localize_divergence", ("names.py", "localize_export.py"), ("{python} {snippets}/localize_export.py {export}",), localize),
    Tool(
        "Polygraphy, every module",
        ("names.py", "polygraphy_modules.py"),
        ("{python} {snippets}/polygraphy_modules.py {export}", RUN + " --onnx-outputs $(cat names.txt)"),
        polygraphy,
    ),
    Tool("Polygraphy, outputs", ("polygraphy_outputs.py",), ("{python} {snippets}/polygraphy_outputs.py", RUN), outputs),
)
#: The port is a PyTorch module with the names of the original.
MODULES = (
    Tool("parity", (), ("{parity} run {port} {snippets}/wrong.py",), parity),
    Tool("localize_divergence", ("localize_module.py",), ("{python} {snippets}/localize_module.py",), localize),
)
