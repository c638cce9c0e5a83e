"""The worker of JAX (Flax nnx): `.native/ports/jax/python -m unittest discover -s scripts/parity_port/tests -p test_flax.py`."""

import importlib.util
import unittest

import numpy as np
from asked import LIVE, near
from chains import Chains

HAS = importlib.util.find_spec("flax") is not None
if HAS:
    import jax
    import jax.numpy as jnp
    from flax import nnx


@unittest.skipUnless(HAS, "flax is not installed here: scripts/setup_ports jax")
class Flax(Chains):
    head = "import jax\nimport jax.numpy as jnp\nfrom flax import nnx\n"

    def test_it_says_what_it_is(self):
        told = self.start(LIVE / "small_flax.py")
        self.assertEqual((told["framework"], told["class"]), ("jax", "small_flax.Net"))
        self.assertEqual(told["abilities"], ["inputs", "targets", "postprocess", "losses", "assign", "f64", "isolation", "gradients"])
        self.assertEqual(told["inputs"], [{"name": "image", "dtype": "f32", "shape": ["batch", 3, 6, 6]}])

    def test_the_faithful_network_is_the_one_of_numpy_in_f64_and_the_default_is_not(self):
        self.check_faithful(LIVE / "small_flax.py", "gelu")

    def test_calls_and_functions_are_recorded_in_order_with_what_they_are_computed_from(self):
        self.start(LIVE / "small_flax.py")
        found = self.forward()
        self.assertEqual([call["module"] for call in found.header["calls"]][:4], ["", "level", "stem", "norm"])
        self.assertEqual((found.inputs("stem"), found.inputs("add()")), (["level"], ["silu()", "resize()"]))
        self.assertRegex(found.header["tensors"]["gelu()"]["at"], r"small_flax\.py:\d+$")
        told = found.header["modules"]["norm"]
        self.assertEqual((told["class"], told["hyper"]["epsilon"], told["training"]), ("flax.nnx.nn.normalization.BatchNorm", 2**-10, False))
        self.assertTrue(found.header["modules"]["level"]["training"])

    def test_running_statistics_are_buffers(self):
        self.start(LIVE / "small_flax.py")
        kinds = {row["name"]: (row["kind"], row["trainable"]) for row in self.written("parameters").parameters}
        self.assertEqual((kinds["norm.var"], kinds["norm.scale"]), (("buffer", False), ("parameter", True)))

    def test_gradients_are_those_of_the_framework(self):
        self.start(LIVE / "small_flax.py")
        found, port, model = self.gradients().tensors, self.asks.port, self.asks.network.model
        own = nnx.grad(lambda model: port.losses(model(port.inputs()), port.targets())["cls"])(model)
        self.assertTrue(near(found["grad.cls.stem.kernel"], np.asarray(own["stem"]["kernel"][...]), 1e-6))
        # By the sum over places, the gradient by what a norm returned is that by its bias.
        self.assertTrue(near(found["grad.cls.norm"].sum((0, 1, 2)), found["grad.cls.norm.bias"], 1e-5))
        self.assertTrue(near(found["grad.cls.mean()"], found["grad.cls.head"] @ np.asarray(model.head.kernel[...]).T, 1e-5))

    def test_functions_that_the_framework_tells_by_identity_stay_what_they_are(self):
        self.net("""
            from jax.nn import relu
            inner, rngs = nnx.Linear(4, 4, rngs=nnx.Rngs(0)), nnx.Rngs(1)
            class Net(nnx.Module):
                def __call__(self, x):
                    assert isinstance(inner, nnx.Linear) and isinstance(rngs, nnx.Rngs)
                    return relu(jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2), (1, 2), "VALID"))
            def build():
                return Net()
            def inputs():
                return jnp.ones((2, 4))
            def targets():
                return {}
            def losses(outputs, targets):
                return outputs.sum()
            """)
        found = self.gradients()
        self.assertEqual(found.inputs("relu()"), ["reduce_window()"])
        self.assertEqual(found.tensors["grad.total.reduce_window()"].tolist(), [[1, 1], [1, 1]])

    def test_a_module_that_says_what_it_computes_in_computes_in_f64_where_it_is_asked(self):
        told = self.net("def build():\n    return nnx.Embed(3, 2, rngs=nnx.Rngs(0))\ndef inputs():\n    return jnp.array([0, 2])\n")
        self.assertIn("f64", told["abilities"])
        self.assertEqual(self.forward(f64=True).tensors["output"].dtype, np.float64)

    def test_what_is_jitted_is_one_step(self):
        self.net("""
            class Net(nnx.Module):
                def __init__(self):
                    self.inner = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
                @nnx.jit
                def __call__(self, x):
                    return self.inner(x)
            def build():
                return Net()
            """)
        found = self.forward({"x": np.ones((1, 2), np.float32)})
        self.assertEqual(found.inputs("output"), ["x"])

    def test_dropout_draws_the_same_every_time_and_a_run_in_training_leaves_nothing(self):
        self.net("""
            class Net(nnx.Module):
                def __init__(self):
                    rngs = nnx.Rngs(0)
                    self.norm, self.drop = nnx.BatchNorm(3, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)
                def __call__(self, x):
                    return self.drop(self.norm(x))
            def build():
                return Net()
            """)
        self.check_dropout()

    def test_a_network_in_eval_is_put_in_training_where_that_is_asked(self):
        self.net("""
            class Net(nnx.Module):
                def __init__(self):
                    self.norm = nnx.BatchNorm(3, rngs=nnx.Rngs(0))
                def __call__(self, x):
                    return self.norm(x)
            def build():
                net = Net()
                net.eval()
                return net
            """)
        x = {"x": np.ones((4, 3), np.float32)}
        modes = [self.forward(x, training=training).header["modules"]["norm"]["training"] for training in (False, True)]
        self.assertEqual(modes, [False, True])

    def test_what_is_tied_is_one_parameter(self):
        self.net("""
            class Net(nnx.Module):
                def __init__(self):
                    rngs = nnx.Rngs(0)
                    self.a, self.b = nnx.Linear(2, 2, use_bias=False, rngs=rngs), nnx.Linear(2, 2, use_bias=False, rngs=rngs)
                    self.b.kernel = self.a.kernel
                    self.all = nnx.List([self.a])
                def __call__(self, x):
                    return self.b(self.a(x))
            def build():
                return Net()
            """)
        self.check_tied(**{"b.kernel": "a.kernel", "all.0.kernel": "a.kernel"})

    def test_a_part_runs_on_another_programs_values(self):
        self.start(LIVE / "small_flax.py")
        self.check_replay("silu()")

    def test_everything_is_put_back(self):
        held = jax.Array.__add__, type(jnp.ones(1)).__add__, nnx.Linear.__call__, vars(jax.core.Tracer).get("reshape")
        self.start(LIVE / "small_flax.py")
        self.gradients()
        self.assertEqual(held, (jax.Array.__add__, type(jnp.ones(1)).__add__, nnx.Linear.__call__, vars(jax.core.Tracer).get("reshape")))
        self.assertIs(self.asks.port.nnx, nnx)

    def test_steps_of_training_are_those_of_numpy_and_those_of_its_own_defaults_are_not(self):
        self.check_steps("steps_flax.py", {4: (3, 2, 0, 1), 2: (1, 0)}, 1e-11, [("sgd", "momentum"), ("sgd", "biased"), ("momentum", "order"), ("momentum", "clip"), ("adam", "order"), ("adam", "root"), ("adamw", "every"), ("adamw", "amount")])


if __name__ == "__main__":
    unittest.main()
