"""The worker of Paddle's programs: `.native/ports/paddle/python -m unittest discover -s scripts/parity_port/tests -p test_paddle_program.py`."""

import importlib.util
import os
import unittest

os.environ["FLAGS_enable_pir_api"] = "0"

import numpy as np  # noqa: E402
from asked import Asked, near  # noqa: E402

HAS = importlib.util.find_spec("paddle") is not None
PROGRAM = """
    import os
    os.environ["FLAGS_enable_pir_api"] = "0"
    import numpy as np
    import paddle
    from paddle import static
    def build():
        paddle.enable_static()
        program, begin = static.Program(), static.Program()
        with static.program_guard(program, begin):
            x = static.data("x", [None, 3], "float32")
            y = static.nn.fc(x, 2, weight_attr=paddle.ParamAttr("w"), bias_attr=paddle.ParamAttr("b"))
            y = paddle.nn.functional.hardsigmoid(y, 0.25, 0.5) + paddle.full([1], 0.125)
        static.Executor(paddle.CPUPlace()).run(begin)
        return [program.clone(for_test=True), ["x"], [y]]
    def inputs():
        return {"x": np.array([[1, 2, 3], [-1, 0.5, 0.1]], np.float32)}
    """


@unittest.skipUnless(HAS, "paddle is not installed here: scripts/setup_ports paddle")
class Program(Asked):
    def setUp(self):
        super().setUp()
        self.told = self.net(PROGRAM)

    def test_it_says_what_it_is_and_proves_its_f64(self):
        self.assertEqual((self.told["framework"], self.told["abilities"], self.told["lacks"]), ("paddle", ["inputs", "f64"], {}))

    def test_every_operator_is_recorded_with_what_it_is_computed_from(self):
        found = self.forward()
        kinds = [entry["op"] for entry in found.header["tensors"].values()]
        self.assertEqual(kinds, ["Input", "mul", "elementwise_add", "hard_sigmoid", "fill_constant", "elementwise_add"])
        last = found.header["calls"][0]["outputs"][0]
        self.assertEqual(found.header["tensors"][last]["op"], "elementwise_add")

    def test_it_computes_what_numpy_does_in_f64_its_constants_among_it(self):
        found = self.forward({"x": np.array([[1, 2, 3], [-4, 0.5, 0.1]])}, f64=True)
        w, b = (self.asks.network.held[name].astype(float) for name in ("w", "b"))
        expected = np.clip((found.tensors["x"] @ w + b) / 4 + 0.5, 0, 1) + 0.125
        self.assertTrue(near(found.tensors[found.header["calls"][0]["outputs"][0]], expected, 1e-12))

    def test_what_is_loaded_is_what_it_computes_with_and_the_rest_is_said(self):
        values = {"w": np.ones((3, 2), np.float32), "b": np.zeros(3, np.float32), "c": np.zeros(1, np.float32)}
        told = self.ask("load", values=self.file(values))
        self.assertEqual((told["loaded"], told["unknown"], told["unlike"]), (["w"], ["c"], [{"name": "b", "held": "f32 [2]", "given": "f32 [3]"}]))
        found = self.forward()
        product = next(name for name, entry in found.header["tensors"].items() if "w" in entry["inputs"])
        self.assertEqual(found.tensors[product].tolist(), (found.tensors["x"] @ values["w"]).tolist())

    def test_there_is_no_training_form_of_it(self):
        with self.assertRaisesRegex(ValueError, "no training form"):
            self.forward(training=True)


if __name__ == "__main__":
    unittest.main()
