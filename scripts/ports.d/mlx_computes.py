"""Whether MLX computes here."""

import mlx.core as mx
import numpy as np

x = mx.array(np.arange(4, dtype=np.float32))
assert np.array(x * 2 + 1).tolist() == [1, 3, 5, 7]
assert mx.grad(lambda x: (x * x).sum())(x).tolist() == [0, 2, 4, 6]
