"""One plain training step of a Gold-YOLO port, as its own framework makes it: gold_step.py PORT."""

import sys
from pathlib import Path

path = Path(sys.argv[1])
sys.path.insert(0, str(path.parent))
port = __import__(path.stem)
network = port.build()
network.train()
optimizer = port.optimizer(network)
losses = port.losses(network(port.inputs()), port.targets())
if path.stem == "net":
    losses["total"].backward()
    optimizer.step()
    print(losses["total"].item())
else:
    optimizer.step(losses["total"])
    print(losses["total"].item(), float(sum(p.sum() for p in network.parameters()).item()))
