"""Scalars in both forms, beside a histogram, a text and a picture: event files of torch.utils.tensorboard and of tensorboardX."""

import shutil
from pathlib import Path

import numpy as np
import tensorboardX
from torch.utils.tensorboard import SummaryWriter

Path("logs").mkdir()
writer = SummaryWriter("torch")
for step in range(12):
    writer.add_scalar("loss/total", 10 / (step + 1), step)
    writer.add_scalar("loss/cls", 0.0, step)
    writer.add_scalar("metrics/new", 0.05 * step, step, new_style=True)
writer.add_histogram("weights", np.arange(10.0), 11)
writer.add_text("note", "hello", 11)
writer.close()
shutil.copy(next(Path("torch").glob("events*")), "logs/torch.tfevents")

writer = tensorboardX.SummaryWriter("x")
for step in range(5):
    writer.add_scalar("loss", 5.0 - step, step)
    writer.add_image("image", np.zeros((3, 4, 4), dtype=np.uint8), step)
writer.close()
shutil.copy(next(Path("x").glob("events*")), "logs/x.tfevents")
