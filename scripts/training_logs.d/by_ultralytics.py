"""Three epochs of a small YOLO on eight pictures of coloured boxes, one of them without a label, begun from a checkpoint of another size."""

import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from ultralytics import YOLO, __version__

ROOT = Path("data").resolve()


def picture(draw: np.random.Generator) -> tuple:
    pixels, lines = draw.integers(0, 60, (64, 64, 3), dtype=np.uint8), []
    for colour in range(2):
        x, y = draw.integers(4, 36, 2)
        size = int(draw.integers(16, 28))
        pixels[y : y + size, x : x + size, colour] = 220
        lines.append(f"{colour} {(x + size / 2) / 64:.4f} {(y + size / 2) / 64:.4f} {size / 64:.4f} {size / 64:.4f}\n")
    return Image.fromarray(pixels), "".join(lines)


def dataset() -> Path:
    draw = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4)):
        for kind in ("images", "labels"):
            (ROOT / kind / split).mkdir(parents=True)
        for i in range(count):
            image, label = picture(draw)
            image.save(ROOT / "images" / split / f"{i}.png")
            if (split, i) != ("train", 7):
                (ROOT / "labels" / split / f"{i}.txt").write_text(label)
    file = ROOT / "data.yaml"
    file.write_text(f"path: {ROOT}\ntrain: images/train\nval: images/val\nnames: {{0: red, 1: green}}\n")
    return file


family = "yolov8" if __version__.startswith("8.2") else "yolo12"
torch.save({"model": YOLO(f"{family}n.yaml").model}, "n.pt")
model = YOLO(f"{family}s.yaml").load("n.pt")
model.train(data=str(dataset()), epochs=3, imgsz=64, batch=4, workers=0, project="runs", name="r", device="cpu", plots=False, seed=0)
Path("logs").mkdir()
shutil.copy(Path(model.trainer.save_dir) / "results.csv", "logs")
