"""Every Python line of docs/RECORD.md runs, in order, and what it writes is what the document says."""

import contextlib
import os
import tempfile
import unittest

from networks import HERE, torch
from safetensors.torch import load_file
from test_recorder import Recorded

from parity_port.worker.asks import Asks

PORTS = HERE.parent.parent.parent / "docs/PORT.md"
DOCUMENT = HERE.parent.parent.parent / "docs/RECORD.md"


class Document(unittest.TestCase):
    def test_every_snippet_runs(self):
        blocks = [block.partition("```")[0] for block in DOCUMENT.read_text().split("```python\n")[1:]]
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            known = {}
            for block in blocks:
                exec(compile(block, str(DOCUMENT), "exec"), known)
            self.assertEqual(sorted(os.listdir()), [f"{name}.safetensors" for name in ("network", "port", "step", "terms")])
            network, port, step, terms = (Recorded(name) for name in sorted(os.listdir()))
        for name in ("0", "1", "2", "output"):
            floor = 4 * max(network.entries[name]["floor"]["max"])
            self.assertLessEqual((network.tensors[name] - port.tensors[name]).abs().max().item(), floor, name)
        self.assertEqual(port.header["inputs"], network.header["inputs"])
        self.assertEqual([s["tensor"] for s in step.header["losses"][0]["steps"]][::5], ["loss.box.per_element", "loss.box"])
        self.assertIn("grad.total.predictions", step.tensors)
        self.assertLessEqual({"grad.size.0.weight", "grad.sum.2.bias"}, set(terms.tensors))

    def test_the_fixtures_are_what_the_snippets_write(self):
        network = load_file(DOCUMENT.parent.parent / "tests/fixtures/recorder/network.safetensors")
        torch.manual_seed(0)
        drawn = torch.nn.Linear(4, 8)
        self.assertTrue(torch.equal(network["parameter.0.weight"], drawn.weight), "record them again: the snippets, run in their folder")


class Ports(unittest.TestCase):
    def test_every_port_file_in_the_document_answers(self):
        blocks = [block.partition("```")[0] for block in PORTS.read_text().split("```python\n")[1:]]
        self.assertEqual(len(blocks), 2)
        for i, block in enumerate(blocks):
            with tempfile.TemporaryDirectory() as folder:
                path, inputs, to = (os.path.join(folder, name) for name in (f"documented_{i}.py", "inputs", "to"))
                with open(path, "w") as file:
                    file.write(block)
                asks = Asks(path)
                self.assertIn("f64", asks.ask_hello(1, {}, 0)["abilities"])
                asks.ask_inputs(inputs)
                asks.ask_forward(inputs, f64=False, training=False, floors=False, to=to)
                self.assertTrue(Recorded(to).calls[0]["outputs"])


if __name__ == "__main__":
    unittest.main()
