"""Random numbers as they were: the generators of Python, numpy and, where it is loaded, torch."""

from __future__ import annotations

import contextlib
import random
import sys


def random_state() -> list:
    """How each generator is set, and to what."""
    numpy, torch = sys.modules["numpy"].random, sys.modules.get("torch")
    states = [(random.setstate, random.getstate()), (numpy.set_state, numpy.get_state())]
    if torch is None:
        return states
    states.append((torch.set_rng_state, torch.get_rng_state()))
    cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    return states + ([(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())] if cuda else [])


@contextlib.contextmanager
def as_before(states: list):
    """Random numbers as they were drawn then; as they are now afterwards."""
    now = random_state()
    try:
        put(states)
        yield
    finally:
        put(now)


def put(states: list) -> None:
    for setting, state in states:
        setting(state)


def seed(value: int) -> None:
    """Sets every generator."""
    random.seed(value)
    sys.modules["numpy"].random.seed(value % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(value)
