"""Whether Paddle computes here."""

import numpy as np
import paddle

x = paddle.to_tensor(np.arange(4, dtype=np.float32), stop_gradient=False)
assert (x * 2 + 1).numpy().tolist() == [1, 3, 5, 7]
assert paddle.grad((x * x).sum(), [x])[0].tolist() == [0, 2, 4, 6]
