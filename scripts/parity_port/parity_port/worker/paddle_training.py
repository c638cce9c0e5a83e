"""A step of training in Paddle: optimisers of paddle.optimizer, with their own `grad_clip` or a `clip` of the parameters."""

from __future__ import annotations

import paddle

from .modular import terms_of
from .training import Training, total

#: Paddle's name of what an optimiser keeps -> the protocol's.
SLOTS = {"velocity": "momentum", "moment1": "mean", "moment2": "square", "moment2_max": "largest"}
#: Powers of Adam's betas, for the next step.
POWERS = {"beta1_pow_acc": "_beta1", "beta2_pow_acc": "_beta2"}


class Steps(Training):
    def __init__(self, *given):
        super().__init__(*given)
        self.optimizer, self.trained = self.made.optimizer, self.network.trained(self.model)
        self.optimizer._create_accumulators(paddle.static.default_main_program().global_block(), [p for p, _ in self.parameters()])

    def parameters(self) -> list:
        """What the optimiser moves, each with its group."""
        groups = self.optimizer._param_groups
        if groups and isinstance(groups[0], dict):
            return [(of, group) for group in groups for of in group["params"] if not of.stop_gradient]
        return [(of, {}) for of in groups if not of.stop_gradient]

    def differentiated(self, run) -> tuple:
        terms = terms_of(run(self.model))
        for value in self.trained.values():
            value.clear_gradient(set_to_zero=False)
        total(terms).backward()
        return terms, self.gradients()

    def gradients(self) -> dict:
        return {name: paddle.zeros_like(value) if value.grad is None else value.grad.clone() for name, value in self.trained.items()}

    def clipped(self, gradients: dict) -> dict | None:
        """The optimiser clips for itself; how is seen on copies."""
        if self.made.clip is not None:
            self.made.clip(list(self.trained.values()))
        inside = self.optimizer._grad_clip
        if inside is None:
            return None if self.made.clip is None else self.gradients()
        names = {id(value): name for name, value in self.trained.items()}
        given = [(value, value.grad.clone()) for value, _ in self.parameters() if value.grad is not None]
        return self.gradients() | {names[id(of)]: gradient for of, gradient in inside(given)}

    def moved(self, gradients: dict) -> None:
        self.optimizer.step()

    def accumulators(self):
        """(Paddle's name, parameter, tensor)."""
        names = {value.name: name for name, value in self.trained.items()}
        for key, held in self.optimizer._accumulators.items():
            for of, tensor in held.items():
                if of in names:
                    yield key, names[of], tensor

    def slots(self) -> dict:
        found: dict[str, dict] = {}
        for key, name, tensor in self.accumulators():
            if key in SLOTS:
                found.setdefault(SLOTS[key], {})[name] = tensor
        return found

    def put(self, slots: dict, steps: int) -> None:
        for key, name, tensor in self.accumulators():
            if key in POWERS:
                power = getattr(self.optimizer, POWERS[key]) ** (steps + 1)
                tensor.set_value(paddle.full_like(tensor, power))
            elif (SLOTS.get(key), name) in slots:
                tensor.set_value(slots[SLOTS[key], name])
