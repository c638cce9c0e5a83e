"""What the tests of training have in common: chains of steps, each from what the one before wrote, held against those of plain numpy."""

import os
import sys
import unittest.mock

import numpy as np
from asked import LIVE, Asked, Written, near

KINDS = ("sgd", "momentum", "nesterov", "adam", "adamw")


class Chains(Asked):
    def chain(self, count=3, f64=False):
        """What so many steps lead to."""
        state = self.written("state").path
        for step in range(count):
            found = self.step(state, step, f64)
            state = found.path
        return found

    def step(self, state, step, f64=False):
        targets = self.file()
        self.ask("targets", to=targets)
        files = [str(state), self.given(), targets]
        if f64:  # as parity gives them
            widen = lambda value: value.astype(np.float64) if value.dtype.kind == "f" else value  # noqa: E731
            files = [self.file({name: widen(value) for name, value in Written(path).tensors.items()}) for path in files]
        return self.written("step", state=files[0], inputs=files[1], targets=files[2], step=step, f64=f64)

    def trained(self, port, kind, careless="", f64=False):
        """The chain of one of the networks that train."""
        with unittest.mock.patch.dict(os.environ, STEPS_KIND=kind, STEPS_CARELESS=careless):
            sys.modules.pop("steps", None)
            self.start(LIVE / port)
            return self.chain(f64=f64).tensors

    def check_steps(self, port, axes, limit, careless, f64=True):
        """Three steps of every optimiser are those that numpy makes, and what is careless in one place (`careless`: kind and place) makes others.

        `axes` are the orders in which the framework's own lie in PyTorch's, by how many there are.
        """
        for kind, place in [*((kind, "") for kind in KINDS), *careless]:
            with self.subTest(kind=kind, careless=place):
                wanted = self.trained("steps_numpy.py", kind, f64=f64)
                found = self.trained(port, kind, place, f64=f64)
                found = {named(name, self.asks.port): value.transpose(axes.get(value.ndim, range(value.ndim))) for name, value in found.items()}
                state = [name for name in wanted if name.startswith(("value.", "optimizer.", "ema.", "loss.", "clipped."))]
                self.assertEqual(set(state) - set(found), set())
                off = [name for name in state if not near(found[name], wanted[name], limit)]
                self.assertEqual(bool(off), bool(place), off)


def named(name, port):
    """As PyTorch calls it."""
    *kind, last = name.split(".")
    return ".".join([*kind, getattr(port, "NAMES", {}).get(last, last)])
