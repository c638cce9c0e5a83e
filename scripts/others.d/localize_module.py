"""pytest-torch's localize_divergence on two PyTorch modules."""

import net
import wrong
from pytest_torch import localize_divergence

print(localize_divergence(net.build(), wrong.build(), net.inputs()["images"]))
