"""`watch(model)`: one line in a training loop; what the model is fed and does is written line by line, for `parity audit log` (docs/audit/log.md).

The training goes on as it would have: nothing random is drawn, no buffer moves, and what cannot be looked at is written down with the reason.
"""

from __future__ import annotations

import atexit
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from .hyper import hyper

#: Version of the format, the value of the first key of the first line.
FORMAT = 1
#: Channels of all inputs that are tried at most: each is a forward pass of one sample.
TRIED = 16
#: Classes of the largest matrix that is written.
CLASSES = 256
#: Modules and other parts whose attributes are written at most, and those of one line: readers take no longer one than a mebibyte.
PARTS, PARTS_OF_A_LINE = 5000, 200


def watch(model: nn.Module, path: str | Path = "watch.jsonl", *, every: int = 50, classes: int | None = None, ignore: int | None = None, scaler=None):
    """Watches `model` from its next forward on; every `every` steps a line. Call what is returned with what the model does not see: labels, predictions."""
    return Watch(model, Path(path), every, classes, ignore, scaler)


class Watch:
    def __init__(self, model: nn.Module, path: Path, every: int, classes: int | None, ignore: int | None, scaler) -> None:
        if every < 1:
            raise ValueError(f"every={every}: every how many steps a line is written, 1 at least")
        self.model, self.every, self.classes, self.ignore, self.scaler = model, every, classes, ignore, scaler
        self.file = path.open("w", encoding="utf-8")
        self.write({"parity_watch": FORMAT, "classes": classes, "ignore": ignore, "torch": torch.__version__})
        for some in chunks(attributes(model)):
            self.write({"attributes": some})
        self.step, self.line, self.trying, self.norms = -1, {}, False, {}
        self.modules = modules(model)
        self.hooks = [model.register_forward_pre_hook(self.before, with_kwargs=True), model.register_forward_hook(self.behind)]
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                self.hooks.append(parameter.register_post_accumulate_grad_hook(self.arrived(name)))
        atexit.register(self.close)

    def __call__(self, *, labels: Tensor | None = None, predicted: Tensor | None = None, confusion=None, **numbers: float) -> None:
        """What the loop knows of this step: labels, predicted classes, the confusion matrix so far, and numbers by name (a loss)."""
        if not self.line:
            return
        if labels is not None:
            self.guarded("labels", lambda: self.labels(labels))
        if predicted is not None:
            self.guarded("predicted", lambda: self.predicted(predicted))
        if confusion is not None:
            self.guarded("confusion", lambda: self.confusion(confusion))
        self.line.update({name: float(value.detach() if isinstance(value, Tensor) else value) for name, value in numbers.items()})

    def close(self) -> None:
        if self.file.closed:
            return
        self.flush()
        self.file.close()
        for hook in self.hooks:
            hook.remove()
        atexit.unregister(self.close)

    # Hooks.

    def before(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        """A step begins: the line of the last one is whole."""
        if self.trying or not module.training:
            return
        self.flush()
        self.step += 1
        if self.step % self.every:
            return
        self.line = {"step": self.step}
        given = dict(tensors(args, kwargs))
        if self.step == 0:
            self.guarded("inputs", lambda: self.inputs(given))
        for name, value in given.items():
            if not value.is_floating_point() and value.dim() > 0 and self.classes is not None:
                self.guarded("labels", lambda value=value: self.labels(value))
        self.guarded("moves", lambda: self.moves(given, args, kwargs))

    def behind(self, module: nn.Module, args: tuple, output) -> None:
        """Scores of classes, where an output has as many channels, are predictions."""
        if self.trying or not self.line or not module.training or self.classes is None:
            return
        for _, value in tensors((output,), {}):
            if value.is_floating_point() and value.dim() > 1 and value.shape[1] == self.classes > 1:
                self.guarded("predicted", lambda value=value: self.predicted(value.detach().argmax(1)))
                return

    def arrived(self, name: str):
        """The norm of a gradient as it is when it is whole; with accumulation, the last one counts."""

        def hook(parameter: Tensor) -> None:
            if self.line and parameter.grad is not None:
                gradient = parameter.grad.coalesce().values() if parameter.grad.is_sparse else parameter.grad
                self.norms[name] = gradient.detach().double().square().sum()

        return hook

    # What is written.

    def inputs(self, given: dict[str, Tensor]) -> None:
        self.line["inputs"] = {name: described(value) for name, value in given.items() if value.numel()}

    def labels(self, labels: Tensor) -> None:
        labels = labels.detach().reshape(-1)
        ignored = labels == self.ignore if self.ignore is not None else torch.zeros_like(labels, dtype=torch.bool)
        values, counts = labels[~ignored].unique(return_counts=True)
        shares = {str(v): c / labels.numel() for v, c in zip(values.tolist(), counts.tolist(), strict=True)}
        self.line["labels"] = {"min": labels.min().item(), "max": labels.max().item(), "shares": dict(list(shares.items())[: 4 * CLASSES])}
        self.line["ignored"] = ignored.double().mean().item()

    def predicted(self, classes: Tensor) -> None:
        values, counts = classes.detach().reshape(-1).unique(return_counts=True)
        total = max(classes.numel(), 1)
        self.line["predicted"] = {str(int(v)): c / total for v, c in zip(values.tolist(), counts.tolist(), strict=True)}

    def confusion(self, matrix) -> None:
        rows = torch.as_tensor(matrix).tolist()
        if len(rows) > CLASSES:
            raise ValueError(f"the matrix has {len(rows)} rows, and {CLASSES} are written at most")
        self.line["confusion"] = rows

    def moves(self, given: dict[str, Tensor], args: tuple, kwargs: dict) -> None:
        """By how much the output moves when one channel of an input is another: 0 where it does not matter."""
        images = {name: v for name, v in given.items() if v.is_floating_point() and v.dim() > 2}
        if sum(v.shape[1] for v in images.values()) > TRIED:
            raise ValueError(f"the inputs have more than {TRIED} channels together")
        with self.undisturbed():
            right = flat(self.model(*args, **kwargs))
            moved = {}
            for name, value in images.items():
                moved[name] = []
                for channel in range(value.shape[1]):
                    with changed(value, channel):
                        moved[name].append(distance(right, flat(self.model(*args, **kwargs))))
        if moved:
            self.line["moves"] = moved

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[None]:
        """The model in inference, without gradients; modes, buffers and random numbers are as they were behind it."""
        modes = {module: module.training for module in self.model.modules()}
        devices = list({p.device for p in self.model.parameters() if p.device.type == "cuda"})
        buffers = {name: value.clone() for name, value in self.model.named_buffers()}
        self.trying = True
        try:
            with torch.random.fork_rng(devices), torch.no_grad():
                self.model.eval()
                yield
        finally:
            self.trying = False
            for module, mode in modes.items():
                module.training = mode
            for name, value in self.model.named_buffers():
                if name in buffers:
                    value.data.copy_(buffers[name])

    def gradients(self) -> dict[str, float | None]:
        """Norms by module, None where no gradient arrived at any of its parameters."""
        scale = 1.0 if self.scaler is None else self.scaler.get_scale()
        found = {}
        for module, names in self.modules.items():
            arrived = [self.norms[name] for name in names if name in self.norms]
            found[module] = (sum(n.item() for n in arrived) ** 0.5 / scale) if arrived else None
        return found

    def flush(self) -> None:
        if not self.line:
            return
        # A forward without backward says nothing of gradients.
        if self.norms:
            self.line["grad_norm"] = self.gradients()
        self.write(self.line)
        self.line, self.norms = {}, {}

    def guarded(self, what: str, look) -> None:
        """A training never ends because it is watched."""
        try:
            look()
        except Exception as error:  # noqa: BLE001
            self.line.setdefault("not_tried", {})[what] = f"{type(error).__name__}: {error}"[:300]

    def write(self, line: dict) -> None:
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()


def modules(model: nn.Module) -> dict[str, list[str]]:
    """Trainable parameters by the first module that has siblings: `backbone`, `neck`, `head`."""
    head, inner = "", model
    while len(children := list(inner.named_children())) == 1 and not list(inner.parameters(recurse=False)):
        name, inner = children[0]
        head += f"{name}."
    found: dict[str, list[str]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            own = name[len(head) :].split(".")
            found.setdefault(head + own[0], []).append(name)
    return found


def tensors(args: tuple, kwargs: dict) -> Iterator[tuple[str, Tensor]]:
    """Tensors of a call by name: keywords and keys by theirs, others by their place."""
    pairs = [*((str(i), value) for i, value in enumerate(args)), *kwargs.items()]
    for name, value in pairs:
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, dict):
            head = "" if name.isdigit() else f"{name}."
            yield from ((f"{head}{key}", v) for key, v in value.items() if isinstance(v, Tensor))
        elif isinstance(value, (list, tuple)):
            yield from ((f"{name}.{i}", v) for i, v in enumerate(value) if isinstance(v, Tensor))


def described(value: Tensor) -> dict:
    """Shape, dtype, range, and mean and deviation of each channel."""
    numbers = value.detach().double()
    channels = numbers.transpose(0, 1).flatten(1) if value.dim() > 2 else numbers.reshape(1, -1)
    if channels.shape[0] > TRIED or not value.is_floating_point():
        channels = numbers.reshape(1, -1)
    kept = dict(shape=list(value.shape), dtype=str(value.dtype).removeprefix("torch."), min=numbers.min().item(), max=numbers.max().item())
    return kept | dict(mean=channels.mean(1).tolist(), std=channels.std(1, unbiased=False).tolist())


@contextlib.contextmanager
def changed(value: Tensor, channel: int) -> Iterator[None]:
    """One channel reversed in space and moved by its range; `data`, since autograd may need the tensor as it is again."""
    value = value.data
    held = value[:, channel].clone()
    span = (held.max() - held.min()).clamp(min=1.0)
    try:
        value[:, channel] = held.flip(-1) + span
        yield
    finally:
        value[:, channel] = held


def flat(output) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, dict):
        return [t for value in output.values() for t in flat(value)]
    if isinstance(output, (list, tuple)):
        return [t for value in output for t in flat(value)]
    return []


def distance(right: list[Tensor], moved: list[Tensor]) -> float:
    """The largest difference of all outputs that keep their shape; one that does not has moved."""
    pairs = list(zip(right, moved, strict=True))
    if any(a.shape != b.shape for a, b in pairs):
        return float("inf")
    return max((float((a.double() - b.double()).abs().max()) for a, b in pairs if a.numel()), default=0.0)


def attributes(model: nn.Module) -> dict[str, dict]:
    """Class and plain attributes of every module, and of objects that a module keeps and that are none: a sampler, a queue."""
    told = {}
    for name, module in model.named_modules():
        told[name] = attributes_of(module)
        for own, value in vars(module).items():
            if not own.startswith("_") and hasattr(value, "__dict__") and not isinstance(value, (type, Tensor, nn.Module)) and not callable(value):
                told[f"{name}.{own}".lstrip(".")] = attributes_of(value)
        if len(told) >= PARTS:
            break
    return told


def chunks(parts: dict[str, dict]) -> Iterator[dict[str, dict]]:
    names = list(parts)
    for begin in range(0, len(names), PARTS_OF_A_LINE):
        yield {name: parts[name] for name in names[begin : begin + PARTS_OF_A_LINE]}


def attributes_of(part: object) -> dict:
    kept = {name: value for name, value in vars(part).items() if not name.startswith("_") and name != "training"}
    return {"class": type(part).__name__, "values": hyper(kept)}
