"""Recording adds at most twice the largest tensor to a run's own peak: measured as the process's, in a process for each run."""

import subprocess
import sys
import unittest

from networks import HERE

MIB = 1 << 20
LARGEST = 64 * MIB
RUN = f"""
import resource, sys, tempfile
sys.path.insert(0, {str(HERE)!r})
from networks import nn, torch
from parity_port import record
import parity_port.recorder

class Layer(nn.Module):
    def forward(self, x):
        return (x.mT * 0.5).mT + 1  # no row-major order in the middle

class Net(nn.Sequential):
    def forward(self, x):
        return super().forward(x).mean()

model, x = Net(*(Layer() for _ in range(8))), torch.ones(4096, {LARGEST // 4 // 4096}, requires_grad=TRAINS)
warm = torch.ones(3, requires_grad=True).sum().backward()
with tempfile.TemporaryDirectory(dir={str(HERE)!r}) as folder, torch.set_grad_enabled(TRAINS):
    found = record(model, x, folder + "/x.safetensors", **OPTIONS) if RECORDS else model(x)
    if TRAINS and not RECORDS:
        found.backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def peak(records, trains):
    options = "{'loss': lambda y: y}" if trains else "{}"
    code = RUN.replace("TRAINS", str(trains)).replace("RECORDS", str(records)).replace("OPTIONS", options)
    return int(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout)


class Peak(unittest.TestCase):
    def check(self, trains):
        plain, recorded = peak(False, trains), peak(True, trains)
        self.assertGreater(plain, 2 * LARGEST, "the run itself was to need some")
        self.assertLessEqual(recorded - plain, 2 * LARGEST + 16 * MIB, f"{plain // MIB} MiB, recorded {recorded // MIB} MiB")

    def test_of_inference(self):
        self.check(trains=False)

    def test_of_a_training_step(self):
        self.check(trains=True)


if __name__ == "__main__":
    unittest.main()
