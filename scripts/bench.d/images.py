"""A data set of YOLO's for bench_data: images.py FOLDER NUMBER; every image has a pattern of its own, so that none is nearly another, 64 x 64."""

import sys
from pathlib import Path
from random import Random

from PIL import Image

SIDE, BOXES = 64, 10


def main(root: Path, number: int) -> None:
    for split, numbers in (("train", range(number * 49 // 50)), ("val", range(number * 49 // 50, number))):
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        for i in numbers:
            one(root, split, i)
    names = "".join(f"  {c}: class{c}\n" for c in range(BOXES))
    (root / "data.yaml").write_text(f"path: {root}\ntrain: images/train\nval: images/val\nnames:\n{names}")


def one(root: Path, split: str, i: int) -> None:
    draw = Random(i)
    noise = Image.frombytes("RGB", (SIDE, SIDE), draw.randbytes(3 * SIDE * SIDE))
    pattern = Image.frombytes("RGB", (16, 16), draw.randbytes(768)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    Image.blend(noise, pattern, 0.7).save(root / f"images/{split}/{i:06}.jpg", quality=90)
    rows = [f"{c} {draw.uniform(0.1, 0.9):.6f} {draw.uniform(0.1, 0.9):.6f} 0.1 0.15\n" for c in range(BOXES)]
    (root / f"labels/{split}/{i:06}.txt").write_text("".join(rows))


main(Path(sys.argv[1]), int(sys.argv[2]))
