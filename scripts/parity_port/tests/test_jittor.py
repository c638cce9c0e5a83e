"""The worker of Jittor: `.native/ports/jittor/python -m unittest discover -s scripts/parity_port/tests -p test_jittor.py`."""

import importlib
import importlib.util
import unittest
import unittest.mock

import numpy as np
from asked import LIVE, Asked, near

HAS = importlib.util.find_spec("jittor") is not None
if HAS:
    import jittor as jt
    from jittor import nn


@unittest.skipUnless(HAS, "jittor is not installed here: scripts/setup_ports jittor")
class Jittor(Asked):
    head = "import jittor as jt\nfrom jittor import nn\n"

    def test_it_says_what_it_is(self):
        told = self.start(LIVE / "small_jittor.py")
        self.assertEqual((told["framework"], told["class"], told["lacks"]), ("jittor", "small_jittor.Net", {}))
        self.assertEqual(told["abilities"], ["inputs", "targets", "postprocess", "losses", "assign", "optimizer", "f64", "isolation", "gradients", "state", "step"])

    def test_the_faithful_network_is_the_one_of_numpy_in_f64_and_the_default_is_not(self):
        self.check_faithful(LIVE / "small_jittor.py", "interpolate")

    def test_calls_and_functions_are_recorded_in_order_with_what_they_are_computed_from(self):
        self.start(LIVE / "small_jittor.py")
        found = self.forward()
        self.assertEqual([call["module"] for call in found.header["calls"]][:4], ["", "level", "stem", "norm"])
        self.assertEqual((found.inputs("stem"), found.inputs("add()"), found.inputs("softmax()")), (["level"], ["act", "up"], ["truediv()"]))
        self.assertRegex(found.header["tensors"]["softmax()"]["at"], r"small_jittor\.py:\d+$")
        told = found.header["modules"]["norm"]
        self.assertEqual((told["hyper"]["eps"], told["training"]), (2**-10, False))
        self.assertTrue(found.header["modules"]["level"]["training"])

    def test_running_statistics_are_parameters_that_do_not_train_in_a_copy_either(self):
        self.start(LIVE / "small_jittor.py")
        kinds = {row["name"]: (row["kind"], row["trainable"]) for row in self.written("parameters").parameters}
        self.assertEqual((kinds["norm.running_var"], kinds["norm.weight"]), (("parameter", False), ("parameter", True)))
        kinds = {row["name"]: row["trainable"] for row in self.forward().parameters}
        self.assertEqual((kinds["norm.running_var"], kinds["norm.weight"]), (False, True))

    def test_gradients_are_those_of_the_framework(self):
        self.start(LIVE / "small_jittor.py")
        found, port, model = self.gradients().tensors, self.asks.port, self.asks.network.model
        own = jt.grad(port.losses(model(port.inputs()), port.targets())["cls"], model.stem.weight)
        self.assertTrue(near(found["grad.cls.stem.weight"], own.numpy(), 1e-6))
        # By the sum over places, the gradient by what a norm returned is that by its bias.
        self.assertTrue(near(found["grad.cls.norm"].sum((0, 2, 3)), found["grad.cls.norm.bias"], 1e-5))

    def test_a_run_in_training_leaves_nothing(self):
        self.start(LIVE / "small_jittor.py")
        with self.nothing_stays():
            self.assertTrue(self.forward(training=True).header["modules"]["norm"]["training"])

    def test_numpy_2_is_refused(self):
        network = importlib.import_module("parity_port.worker.jittor")
        with unittest.mock.patch.object(np, "__version__", "2.1.0"), self.assertRaisesRegex(ImportError, "numpy 2.1.0.*install numpy<2"):
            importlib.reload(network)

    def test_a_number_beside_f64_is_f64(self):
        network = importlib.import_module("parity_port.worker.jittor")
        self.assertIsNone(network.Network.off(None))
        with unittest.mock.patch("parity_port.worker.taped.NUMBERS", []):
            self.assertRegex(network.Network.off(None), "a number is off by .*e-0[78] in f64")

    def test_sixty_four_bits_stay(self):
        self.net("""
            class Net(nn.Module):
                def execute(self, x, n):
                    return x + 1, n
            def build():
                return Net()
            """)
        found = self.forward({"x": np.array([0.1]), "n": np.array([2**40])}, f64=True).tensors
        self.assertEqual((found["output:0"].tolist(), found["output:1"].tolist()), ([1.1], [2**40]))

    def test_a_number_beside_integers_is_f64_in_a_run_in_f64(self):
        self.net("""
            class Net(nn.Module):
                def execute(self, x):
                    return x + 0.5, x / 2
            def build():
                return Net()
            """)
        self.check_numbers()

    def test_what_is_shared_is_listed_once_with_its_other_names(self):
        self.net("""
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a, self.b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
                    self.b.weight = self.a.weight
                def execute(self, x):
                    return self.b(self.a(x))
            def build():
                return Net()
            """)
        self.check_tied(**{"b.weight": "a.weight"})

    def test_a_part_runs_on_another_programs_values(self):
        self.start(LIVE / "small_jittor.py")
        self.check_replay("act")

    def test_everything_is_put_back(self):
        held = jt.Var.__add__, nn.Linear.__call__, nn.Module.__call__
        self.start(LIVE / "small_jittor.py")
        self.forward()
        self.assertEqual(held, (jt.Var.__add__, nn.Linear.__call__, nn.Module.__call__))
        self.assertIs(self.asks.port.nn, nn)


if __name__ == "__main__":
    unittest.main()
