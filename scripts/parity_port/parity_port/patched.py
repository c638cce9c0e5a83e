"""Records a program of a framework without hooks: for the time of a run, calls of its module classes, of a tensor's methods, and of the framework's
functions lead through the recorder.

Functions are led in the globals of the user's files only, so that the framework itself meets its own: it may tell them by identity. What a
file imports inside of a function is not seen. Everything is put back when the run is over.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import types
from collections.abc import Callable
from typing import NamedTuple

from . import lines, notes
from .identity import Identity
from .parts import leaves, replaced
from .recording import Recording
from .trace import Trace


class Patched(Recording):
    """`with Patched(framework, model, trace):` records what runs in the block. `framework` is an adapter of `worker`."""

    def __init__(self, framework, model, to: Trace, replay=None):
        super().__init__(to, Identity(self.elements), replay=replay)
        self.framework, self.module = framework, model
        self.paths: dict[int, str] = {}
        #: What gradients may be asked by.
        self.followed: dict[str, object] = {}
        self.is_apart = False

    def __enter__(self) -> Patched:
        with contextlib.ExitStack() as work:
            work.push(self.trace)
            work.push(self.leave)
            self.describe()
            modules = self.framework.modules(self.module)
            for path, module in modules.items():
                self.paths.setdefault(id(module), path)
            for kind in {type(module) for module in modules.values()}:
                if any("__call__" in vars(base) for base in kind.__mro__):
                    patch(work, kind, "__call__", functools.wraps(kind.__call__)(self.module_call(kind, kind.__call__)))
            for owner, name, method in self.framework.methods():
                patch(work, owner, name, self.function_call(name, method))
            for owner, name, held in self.globals(modules):
                patch(work, owner, name, self.as_seen(held, name))
            notes.AT_WORK.append(self)
            work.callback(notes.AT_WORK.remove, self)
            self.work = work.pop_all()
        return self

    def __exit__(self, *raised):
        return self.work.__exit__(*raised)

    def leave(self, kind, *_) -> None:
        if kind is None:
            self.trace.program.update(self.told())

    def describe(self) -> None:
        trace, framework = self.trace, self.framework
        trace.versions |= framework.versions()
        trace.threads = framework.threads()
        trace.program = {"modules": framework.described(self.module), "tied": framework.tied(self.module)}
        trace.metadata["parameters"] = json.dumps(framework.listed(self.module))
        for name, value in framework.state(self.module).items():
            self.parameter(name, value)

    def is_watching(self) -> bool:
        return not self.is_apart

    @contextlib.contextmanager
    def quietly(self):
        """What the recorder does itself calls functions, too."""
        before, self.is_apart = self.is_apart, True
        try:
            yield
        finally:
            self.is_apart = before

    def module_call(self, kind: type, call: Callable):
        """`call` of the class `kind`; where a class calls that of its base, the base's is no call of its own."""

        def led(module, *args, **kwargs):
            path = self.paths.get(id(module))
            if path is None or type(module) is not kind or self.is_apart:
                return call(module, *args, **kwargs)
            before = len(self.running)
            self.begin(path, module, args, kwargs)
            args, kwargs = self.passed(args), self.passed(kwargs)
            try:
                output = call(module, *args, **kwargs)
            except BaseException:
                del self.running[before:]  # whoever catches that goes on outside of it
                raise
            self.end(path, module, args, kwargs, output)
            return self.passed(output)

        return led

    def function_call(self, name: str, function: Callable):
        label = name.strip("_") if name.startswith("__") else name

        def led(*args, **kwargs):
            args = tuple(unwrapped(arg) for arg in args)
            kwargs = {key: unwrapped(arg) for key, arg in kwargs.items()}
            at = self.is_watching() and self.by_user()
            if not at:
                return function(*args, **kwargs)
            given = [Given.of(value, self.flow) for _, value in leaves((args, kwargs)) if self.is_tensor(value)]
            with self.quietly():
                result = function(*args, **kwargs)
            made = [(place, value) for place, value in leaves(result) if self.is_tensor(value)]
            if result is None:  # x[i] = y
                made = [("", g.value) for g in given[:1]]
            made = [(place, value) for place, value in made if self.flow.exact(value) is None]
            if made:
                self.function(label, [g.now(self.flow) for g in given], made, at)
            return self.passed(result)

        return led

    def globals(self, modules: dict) -> list[tuple]:
        """What the user's files know of the framework: its modules and functions, as (file, name, held)."""
        homes = {type(module).__module__ for module in modules.values()}
        ours = (lines.OWN, *self.framework.folders())
        files = [(name, module, getattr(module, "__file__", None) or "") for name, module in list(sys.modules.items())]
        users = [module for name, module, file in files if not file.startswith(ours) and (name in homes or "site-packages" not in file)]
        return [(user, name, held) for user in users for name, held in list(vars(user).items()) if self.as_seen(held, name) is not held]

    def as_seen(self, held, name: str):
        """`held`, as the user's code sees it while it is recorded."""
        held = unwrapped(held)
        if isinstance(held, types.ModuleType) and held.__name__.partition(".")[0] in self.framework.libraries:
            return Namespace(held, self.as_seen)
        return Proxy(held, self.function_call(name, held)) if self.framework.is_own(held) else held

    def passed(self, output):
        """What the program goes on with: what is given in the place of a tensor."""
        given = {place: self.instead(value) for place, value in leaves(output) if self.replay and self.is_tensor(value)}
        return replaced(output, given) if given else output

    def instead(self, value):
        open_names = [name for name in self.flow.names(value) if name in self.replay and name not in self.replayed]
        with self.quietly():
            held, given = self.framework.array(value), next((self.replay[name].value for name in open_names), None)
            if held is None or held[1] is not None or given is None or given.shape != held[0].shape:
                return value
            more = self.framework.like(value, given.astype(held[0].dtype))
        self.flow.keep(open_names[0], more)
        self.replayed.append(open_names[0])
        return more

    def by_user(self) -> str | None:
        """File and line, where the user's own code calls; None where the framework or the recorder does."""
        frame = lines.outside(sys._getframe(1), (__file__,))
        ours = (lines.OWN, "<frozen ", *self.framework.folders())
        return None if frame is None or frame.f_code.co_filename.startswith(ours) else lines.line_of(frame)

    def at(self) -> str | None:
        return lines.from_user(self.framework.folders())

    def forward(self) -> Callable:
        return self.framework.forward(self.module)

    def is_tensor(self, value) -> bool:
        return self.framework.is_tensor(value)

    def unwritable(self, value) -> str | None:
        return None if self.framework.array(value) else f"{getattr(value, 'dtype', type(value).__name__)} has no place in a trace"

    def as_array(self, value) -> tuple:
        return self.framework.array(value)

    def elements(self, value):
        with self.quietly():
            held = self.framework.array(value)
        return None if held is None else held[0]

    def follow(self, name: str, value) -> None:
        self.followed[name] = value


class Given(NamedTuple):
    """A tensor that a function was given, and what was known of it before it ran."""

    value: object
    exact: str | None
    parents: list[str]
    may_be_written: bool = False

    @classmethod
    def of(cls, value, flow: Identity) -> Given:
        return cls(value, flow.exact(value), flow.parents(value))

    def now(self, flow: Identity) -> Given:
        """What was known is no longer what it is where the function wrote to it."""
        return self._replace(may_be_written=self.exact != flow.exact(self.value))


class Proxy:
    """A function that is led elsewhere, with all else that it has (`jax.numpy.add.at`)."""

    def __init__(self, function: Callable, led: Callable):
        self.__wrapped__, self.led = function, led

    def __call__(self, *args, **kwargs):
        return self.led(*args, **kwargs)

    def __getattr__(self, name: str):
        return getattr(self.__wrapped__, name)


class Namespace(types.ModuleType):
    """A module of the framework, whose functions are led elsewhere."""

    def __init__(self, known: types.ModuleType, as_seen: Callable):
        super().__init__(known.__name__)
        self.__dict__.update(known=known, as_seen=as_seen)

    def __getattr__(self, name: str):
        return self.__dict__["as_seen"](getattr(self.__dict__["known"], name), name)


def unwrapped(held):
    """What the framework knows `held` by."""
    if isinstance(held, Namespace):
        return held.__dict__["known"]
    return held.__wrapped__ if isinstance(held, Proxy) else held


def patch(work: contextlib.ExitStack, owner, name: str, led: Callable) -> None:
    """`owner.name` is `led` until `work` ends."""
    before = vars(owner).get(name, MISSING)
    setattr(owner, name, led)
    work.callback(*((delattr, owner, name) if before is MISSING else (setattr, owner, name, before)))


#: No attribute of the owner itself.
MISSING = object()
