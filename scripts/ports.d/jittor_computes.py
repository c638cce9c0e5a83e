"""Whether Jittor computes here; the first time it compiles its core, which takes minutes."""

import numpy as np

assert int(np.__version__.split(".")[0]) < 2, f"Jittor gives wrong elements with numpy {np.__version__}, and says nothing"

import jittor as jt  # noqa: E402

x = jt.array(np.arange(4, dtype=np.float32))
assert (x * 2 + 1).numpy().tolist() == [1, 3, 5, 7], "elements do not come back"
assert jt.grad((x * x).sum(), x).numpy().tolist() == [0, 2, 4, 6], "gradients do not come back"
nan = jt.array(np.array([np.nan], np.float32))
assert (nan != nan).numpy().tolist() == [True], "kernels are compiled as if there were no NaN: cc_flags has to be -O2"
with jt.flag_scope(auto_convert_64_to_32=0):
    assert jt.array(np.array([0.1])).numpy()[0] == 0.1, "f64 does not stay f64"
