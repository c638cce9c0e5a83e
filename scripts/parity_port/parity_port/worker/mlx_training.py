"""A step of training in MLX: optimisers of mlx.optimizers, alone or several in a MultiOptimizer.

`clip` is a function of the tree of gradients that returns another, as `mlx.optimizers.clip_grad_norm` does; a learning rate that is a function of the step needs no
`schedule`.
"""

from __future__ import annotations

import mlx.core as mx
import mlx.optimizers as optim
from mlx.utils import tree_flatten

from .modular import terms_of
from .training import Training, total

#: What an optimiser of a kind keeps for a parameter -> the protocol's name.
SLOTS = ((optim.SGD, {"v": "momentum"}), (optim.Adam, {"m": "mean", "v": "square"}))


class Steps(Training):
    def __init__(self, *given):
        super().__init__(*given)
        self.optimizers = getattr(self.made.optimizer, "optimizers", [self.made.optimizer])
        self.made.optimizer.init(self.model.trainable_parameters())

    def differentiated(self, run) -> tuple:
        terms = {}

        def whole(parameters):
            self.model.update(parameters)
            terms.update(terms_of(run(self.model)))
            return total(terms)

        trained = self.model.trainable_parameters()
        self.tree = mx.grad(whole)(trained)
        self.model.update(trained)
        return terms, self.by_name(self.tree)

    def by_name(self, tree) -> dict:
        names = self.network.trained(self.model)
        return {name: value for name, value in tree_flatten(tree) if name in names}

    def clipped(self, gradients: dict) -> dict | None:
        if self.made.clip is None:
            return None
        found = self.made.clip(self.tree)
        self.tree = found[0] if isinstance(found, tuple) else found
        return self.by_name(self.tree)

    def moved(self, gradients: dict) -> None:
        self.made.optimizer.update(self.model, self.tree)

    def each(self):
        """(optimiser, parameter, what it keeps for that)."""
        for optimizer in self.optimizers:
            for name in self.network.trained(self.model):
                held = optimizer.state
                for key in name.split("."):
                    held = held[int(key)] if isinstance(held, list) else (held or {}).get(key)
                if held is not None:
                    yield optimizer, name, held

    def slots(self) -> dict:
        found: dict[str, dict] = {}
        for optimizer, name, held in self.each():
            for key, slot in known(optimizer).items():
                found.setdefault(slot, {})[name] = held[key]
        return found

    def put(self, slots: dict, steps: int) -> None:
        for optimizer in self.optimizers:
            optimizer.state["step"] = mx.array(steps, mx.uint64)
        for optimizer, name, held in self.each():
            held.update({key: slots[slot, name] for key, slot in known(optimizer).items() if (slot, name) in slots})

    def rules(self) -> dict:
        return {name: told for optimizer, name, _ in self.each() if (told := rule(optimizer))}


def known(optimizer) -> dict:
    """SGD makes room for a momentum that it has not."""
    if isinstance(optimizer, optim.SGD) and optimizer.momentum <= 0:
        return {}
    return next((slots for kind, slots in SLOTS if isinstance(optimizer, kind)), {})


def rule(optimizer) -> dict:
    """Nothing where the gradient is dampened, or Adam's averages are not corrected: no such rule has a name in the protocol."""
    kind, rate = type(optimizer), optimizer.learning_rate.item()
    if kind is optim.SGD and not optimizer.dampening:
        return {"rate": rate, "decay": optimizer.weight_decay, "decoupled": 0, "momentum": optimizer.momentum, "nesterov": optimizer.nesterov}
    if kind in (optim.Adam, optim.AdamW) and optimizer.bias_correction:
        decay = getattr(optimizer, "weight_decay", 0)
        return {"rate": rate, "decay": decay, "decoupled": kind is optim.AdamW, "beta1": optimizer.betas[0], "beta2": optimizer.betas[1], "eps": optimizer.eps}
    return {}
