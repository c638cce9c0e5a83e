"""Runs a PyTorch model once and records it: the five lines that most need."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from . import floors as spreads
from .parts import arguments
from .recorder import Recorder


def record(model: nn.Module, inputs, path: str | Path, *, loss=None, floors: bool = False, **options):
    """Runs `model` once on `inputs` and records it at `path`; returns what the model returns.

    `inputs` is a tensor, a tuple of arguments, or a dict of arguments by name. `loss`, if given, makes a scalar of the outputs, or a dict
    of scalars by term; the gradients of each are recorded too. With `floors` the model is run up to seventeen times more, as copies in
    f64, for how far a correct port may be off. Other `options` are those of `Recorder`.
    """
    return record_call(model, *arguments(inputs), path, loss=loss, floors=floors, **options)


def record_call(model: nn.Module, args: tuple, kwargs: dict, path: str | Path, *, loss=None, floors: bool = False, **options):
    """`record` of a call with arguments of both kinds."""
    start = spreads.Start(model, args, kwargs, loss) if floors else None
    with Recorder(model, path, **options) as recorder:
        if start is not None:
            recorder.last.append(lambda: spreads.add(start, recorder))
        found = model(*args, **kwargs)
        if loss is not None:
            recorder.gradients(recorder.values(loss(found)))
    return found
