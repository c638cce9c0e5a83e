"""YOLO12 as ultralytics builds it: the n size as a checkpoint, models that it is loaded into as their state_dict. Nothing of it is committed.

usage: yolo12.py FOLDER
"""

import sys
from pathlib import Path

import torch
from ultralytics.nn.tasks import DetectionModel, intersect_dicts

out = Path(sys.argv[1])
torch.manual_seed(0)
nano = DetectionModel("yolo12n.yaml", verbose=False)
for value in nano.state_dict().values():
    if value.is_floating_point():
        value.add_(0.1 * torch.randn_like(value))  # as if trained: no norm is as it was made
torch.save({"epoch": -1, "model": nano}, out / "yolo12n.pt")


def save(file, model):
    held = nano.state_dict()
    taken = intersect_dicts(held, model.state_dict())
    model.load_state_dict(taken, strict=False)
    torch.save(model.state_dict(), out / file)
    print(f"{file}: Transferred {len(taken)}/{len(model.state_dict())} items")


save("same.pt", DetectionModel("yolo12n.yaml", verbose=False))
save("s.pt", DetectionModel("yolo12s.yaml", verbose=False))
save("depth.pt", DetectionModel("yolo12n.yaml", ch=4, verbose=False))
save("classes.pt", DetectionModel("yolo12n.yaml", nc=10, verbose=False))
