"""Random numbers as they were: the generators of Python, numpy and every framework that is loaded."""

from __future__ import annotations

import contextlib
import random
import sys


def random_state() -> list:
    """How each generator is set, and to what."""
    numpy = sys.modules["numpy"].random
    states = [(random.setstate, random.getstate()), (numpy.set_state, numpy.get_state())]
    return states + [pair for name, state in STATES.items() if name in sys.modules for pair in state(sys.modules[name])]


def of_torch(torch) -> list:
    cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    own = [(torch.set_rng_state, torch.get_rng_state())]
    return own + ([(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())] if cuda else [])


def of_mlx(mx) -> list:
    high, low = mx.random.state[0].tolist()
    return [(mx.random.seed, high << 32 | low)]


def of_paddle(paddle) -> list:
    return [(paddle.set_rng_state, paddle.get_rng_state())]


def of_jittor(jittor) -> list:
    """Jittor tells its seed, not how far it has drawn."""
    return [(jittor.set_seed, jittor.get_seed())]


#: Frameworks that have a generator of their own, with its state (Flax's lie in the network).
STATES = {"torch": of_torch, "mlx.core": of_mlx, "paddle": of_paddle, "jittor": of_jittor}
SEEDS = {"torch": lambda m: m.manual_seed, "mlx.core": lambda m: m.random.seed, "paddle": lambda m: m.seed, "jittor": lambda m: m.set_seed}


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


def drew(before: list) -> bool:
    """Whether one of the generators of `before` has drawn since. Jittor's does not tell, and Flax's lie in the network."""
    return any(told(old) != told(new) for (_, old), (_, new) in zip(before, random_state()))


def told(state):
    """A generator's state as it can be compared; where Paddle's lies is no part of it."""
    if isinstance(state, (list, tuple)):
        return [told(part) for part in state]
    held = state.numpy() if hasattr(state, "numpy") else state
    return held.tobytes() if hasattr(held, "tobytes") else [word for word in str(held).split() if not word.startswith("0x")]


def seed(value: int) -> None:
    """Sets every generator."""
    random.seed(value)
    sys.modules["numpy"].random.seed(value % 2**32)
    for name, seeding in SEEDS.items():
        if name in sys.modules:
            seeding(sys.modules[name])(value)
