"""A step of training in Flax: an `nnx.Optimizer` of a transformation of optax's.

`clip` is a transformation of optax's, or a function of the tree of gradients that returns another: what is clipped inside of the optimiser's own chain nobody sees. A
learning rate that is a function of the step needs no `schedule`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from .modular import terms_of
from .training import Training, total

#: Fields of optax's states -> the protocol's name.
SLOTS = {"trace": "momentum", "mu": "mean", "nu": "square", "nu_max": "largest"}


class Steps(Training):
    def differentiated(self, run) -> tuple:
        def whole(model):
            terms = terms_of(run(model))
            return total(terms), terms

        (_, terms), self.tree = nnx.value_and_grad(whole, argnums=nnx.DiffState(0, self.made.optimizer.wrt), has_aux=True)(self.model)
        return terms, self.by_name(self.tree)

    def by_name(self, tree) -> dict:
        names = self.network.trained(self.model)
        flat = {".".join(map(str, path)): value for path, value in nnx.to_flat_state(tree)}
        return {name: nnx.as_pure(value) for name, value in flat.items() if name in names}

    def clipped(self, gradients: dict) -> dict | None:
        clip = self.made.clip
        if clip is None:
            return None
        pure = nnx.as_pure(self.tree)
        found = clip.update(pure, clip.init(pure))[0] if hasattr(clip, "update") else clip(pure)
        # What an optimiser takes it tells by the kind of each variable.
        self.tree = jax.tree.map(lambda of, value: of.replace(value), self.tree, found, is_leaf=lambda of: isinstance(of, nnx.Variable))
        return self.by_name(self.tree)

    def moved(self, gradients: dict) -> None:
        self.made.optimizer.update(self.model, self.tree)

    def variables(self):
        """(slot, parameter, variable) of what the optimiser keeps; of a count the parameter is None."""
        names = sorted(self.network.trained(self.model), key=len, reverse=True)
        leaves, _ = jax.tree_util.tree_flatten_with_path(self.made.optimizer.opt_state, is_leaf=lambda value: isinstance(value, nnx.Variable))
        for path, variable in leaves:
            keys = [str(getattr(key, "name", getattr(key, "key", getattr(key, "idx", key)))) for key in path]
            of = next((name for name in names if keys[-name.count(".") - 1 :] == name.split(".")), None)
            if of is not None:
                keys = keys[: -of.count(".") - 1]
            slot = next((key for key in reversed(keys) if key in (*SLOTS, "count")), None)
            if slot is not None:
                yield slot, of, variable

    def slots(self) -> dict:
        found: dict[str, dict] = {}
        for slot, name, variable in self.variables():
            if name is not None:
                found.setdefault(SLOTS[slot], {})[name] = variable.get_value()
        return found

    def put(self, slots: dict, steps: int) -> None:
        for slot, name, variable in self.variables():
            held = variable.get_value()
            if name is None:
                variable.set_value(jnp.full_like(held, steps))
            elif (SLOTS[slot], name) in slots:
                variable.set_value(slots[SLOTS[slot], name].astype(held.dtype))
