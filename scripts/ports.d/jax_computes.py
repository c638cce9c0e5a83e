"""Whether JAX and Flax compute here, in f64 too."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

x = jnp.arange(4, dtype=jnp.float32)
assert np.asarray(x * 2 + 1).tolist() == [1, 3, 5, 7]
assert jax.grad(lambda x: (x * x).sum())(x).tolist() == [0, 2, 4, 6]
assert nnx.Linear(4, 2, rngs=nnx.Rngs(0))(x).shape == (2,)
with jax.enable_x64(True):
    assert jnp.asarray(np.float64(0.1)).item() == 0.1
