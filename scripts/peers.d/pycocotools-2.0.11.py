"""pycocotools 2.0.11 on generated detections: AP and recall by class, size, overlap and number of detections, and the twelve numbers of its summary."""

import contextlib
import io
import json
import os
import random
from pathlib import Path

import numpy
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SETS = 24
MOST = [1, 10, 100]


def main():
    sets = [answered(generated(random.Random(seed), seed)) for seed in range(SETS)]
    text = json.dumps({"peer": "pycocotools 2.0.11", "most": MOST, "sets": sets}, separators=(",", ":"))
    Path(os.environ["PARITY_PEERS_OUT"], "pycocotools-2.0.11.json").write_text(text + "\n")


def generated(draw, seed):
    """Images with objects of every size; detections near objects, doubled, of the wrong class, anywhere; scores that are often equal."""
    classes = 1 + seed % 4
    images = [] if seed == 23 else list(range(1, 3 + seed % 5))
    truth, found = [], []
    for image in images:
        for _ in range(draw.choice([0, 1, 4, 9])):
            box = placed(draw)
            crowd = int(seed % 3 == 1 and draw.random() < 0.15)
            # A mask fills a part of its box, and areas lie on the edges of sizes too.
            area = draw.choice([1024.0, 9216.0]) if draw.random() < 0.05 else round(box[2] * box[3] * draw.choice([1, 1, 0.7]), 2)
            own = dict(image_id=image, category_id=draw.randrange(classes) + 1, bbox=box, area=area, iscrowd=crowd)
            truth.append(own)
            if draw.random() < 0.1:  # Two objects in one place: the overlaps are equal.
                truth.append(dict(own, iscrowd=0, area=round(area * draw.choice([1, 0.5]), 2)))
            if draw.random() < 0.2:  # An overlap of exactly a half.
                found.append(dict(image_id=image, category_id=own["category_id"], bbox=[*box[:3], box[3] / 2], score=score(draw)))
            for _ in range(draw.choice([0, 1, 1, 2])):
                found.append(detected(draw, own, classes))
        for _ in range(draw.choice([0, 2, 5])):
            found.append(dict(image_id=image, category_id=draw.randrange(classes) + 1, bbox=placed(draw), score=score(draw)))
    if seed == 7:  # More than a hundred of one class in one image.
        found += [dict(image_id=1, category_id=1, bbox=placed(draw), score=score(draw)) for _ in range(130)]
    if seed == 11:
        found = []
    draw.shuffle(found)
    return dict(seed=seed, classes=classes, images=images, truth=truth, found=found)


def placed(draw):
    side = draw.choice([6, 20, 32, 60, 96, 200])
    w, h = (round(side * draw.uniform(0.6, 1.6), draw.choice([0, 2])) for _ in range(2))
    return [round(draw.uniform(0, 500), 1), round(draw.uniform(0, 300), 1), w, h]


def detected(draw, own, classes):
    by = draw.choice([0, 0.02, 0.1, 0.3])
    x, y, w, h = own["bbox"]
    box = [x + w * draw.uniform(-by, by), y + h * draw.uniform(-by, by), w * draw.uniform(1 - by, 1 + by), h * draw.uniform(1 - by, 1 + by)]
    category = own["category_id"] if draw.random() < 0.9 else draw.randrange(classes) + 1
    return dict(image_id=own["image_id"], category_id=category, bbox=[round(v, 2) for v in box], score=score(draw))


def score(draw):
    return round(draw.random(), draw.choice([1, 3]))


def answered(one):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = dict(
            images=[dict(id=i) for i in one["images"]],
            categories=[dict(id=c + 1) for c in range(one["classes"])],
            annotations=[dict(own, id=i + 1) for i, own in enumerate(one["truth"])],
        )
        coco.createIndex()
        results = coco.loadRes([dict(own) for own in one["found"]]) if one["found"] else empty(coco)
        run = COCOeval(coco, results, "bbox")
        run.params.maxDets = MOST
        run.evaluate()
        run.accumulate()
        run.summarize()
    # [overlap, recall, class, size, most] without the recalls; -1 is what has no objects.
    ap = run.eval["precision"].mean(axis=1)
    flat = [one.pop(key) for key in ("truth", "found")]
    rows = [[[o["image_id"], o["category_id"], *o["bbox"], o["area"], o["iscrowd"]] for o in flat[0]]]
    rows.append([[o["image_id"], o["category_id"], *o["bbox"], o["score"]] for o in flat[1]])
    many = {"ap": numpy.moveaxis(ap, 0, -1)[:, :, 2].tolist(), "recall": numpy.moveaxis(run.eval["recall"], 0, -1).tolist()}
    return dict(one, truth=rows[0], found=rows[1], stats=run.stats.tolist(), **many)


def empty(coco):
    """loadRes refuses a list of nothing."""
    results = COCO()
    results.dataset = dict(images=coco.dataset["images"], categories=coco.dataset["categories"], annotations=[])
    results.createIndex()
    return results


if __name__ == "__main__":
    main()
