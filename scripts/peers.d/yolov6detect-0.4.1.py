"""YOLOv6 as packaged by yolov6detect 0.4.1: both assigners, the four overlap losses, the whole loss in three configurations."""

import sys
import types
from importlib.metadata import version
from importlib.util import find_spec

import torch

from common import cases, fixture
from common.batch import assigned, batches, folder, gradients, pairs, value_and_gradient

# The package's own __init__ wants its whole inference stack.
root = types.ModuleType("yolov6")
root.__path__ = list(find_spec("yolov6").submodule_search_locations)
sys.modules["yolov6"] = root
torch.Tensor.float = torch.Tensor.double

from yolov6.assigners import atss_assigner, tal_assigner  # noqa: E402
from yolov6.assigners.anchor_generator import generate_anchors  # noqa: E402
from yolov6.models.losses.loss import ComputeLoss  # noqa: E402
from yolov6.utils.figure_iou import IOUloss  # noqa: E402


def main():
    versions = {name: version(name) for name in ("yolov6detect", "torch", "numpy")}
    stubs = [
        "yolov6/__init__.py (imports the inference stack) is an empty module",
        "Tensor.float answers f64, so that the casts to f32 in the class loss and in ATSS's scores run in f64",
    ]
    out = fixture.Fixture("yolov6detect-0.4.1", folder(), versions, stubs, "everything in f64; torch's default dtype is f64")
    owners = record()
    task_aligned(out, owners)
    atss(out, owners)
    whole(out, owners, "gold_yolo_n", "fine", 9, use_dfl=False, reg_max=0, iou_type="siou")
    whole(out, owners, "gold_yolo_sml", "fine", 9, use_dfl=True, reg_max=16, iou_type="giou")
    whole(out, owners, "gold_yolo_warm_up", "wide", 0, use_dfl=False, reg_max=0, iou_type="siou")
    kinds, a, b = pairs()
    for name in ("giou", "siou", "diou", "ciou"):
        loss = IOUloss(box_format="xyxy", iou_type=name, reduction="none", eps=1e-10)
        value, gradient = value_and_gradient(lambda x: loss(x, b).squeeze(-1), a)
        out.write(name, dict(value=value, gradient=gradient), kinds, eps=1e-10)
    out.close()


def record():
    """Both assigners tell which row owns an anchor to one function only: what it answered last."""
    last = {}
    for module in (tal_assigner, atss_assigner):
        settle = module.select_highest_overlaps

        def recording(*given, settle=settle):
            index, foreground, mask = settle(*given)
            last["owner"] = torch.where(foreground > 0, index, -1)
            return index, foreground, mask

        module.select_highest_overlaps = recording
    return last


def given(batch):
    """Labels, boxes and mask as ComputeLoss pads them: rows of the longest image, no row where no image has any."""
    rows = max(batch.counts)
    padding = torch.arange(rows) >= torch.tensor(batch.counts).unsqueeze(-1)
    labels = torch.where(padding, -1, batch.labels[:, :rows])
    return labels.unsqueeze(-1).double(), batch.boxes[:, :rows], batch.valid()[:, :rows].double()


def owner(batch, owners, foreground):
    """Without any row the assigners return before they settle anything."""
    found = owners.pop("owner", None)
    return torch.where(foreground.bool(), found, -1) if found is not None else torch.full((batch.images, batch.anchors), -1)


def task_aligned(out, owners):
    assigner = tal_assigner.TaskAlignedAssigner(topk=13, num_classes=cases.CLASSES, alpha=1.0, beta=6.0)
    tensors, kinds = {}, []
    for i, batch in enumerate(batches("fine")):
        labels, boxes, scores, foreground = assigner(batch.scores, batch.predicted(), batch.points, *given(batch))
        tensors |= assigned(batch, f"{i:02}", owner(batch, owners, foreground), labels.long(), boxes, scores)
        kinds.append(batch.kind)
    out.write("task_aligned", tensors, kinds)


def atss(out, owners):
    assigner = atss_assigner.ATSSAssigner(9, num_classes=cases.CLASSES)
    tensors, kinds = {}, []
    for i, batch in enumerate(batches("wide")):
        feats = [torch.zeros(1, 1, h, w) for h, w in batch.grids]
        anchors, _, counts, _ = generate_anchors(feats, list(cases.STRIDES), 5.0, 0.5)
        labels, boxes, scores, foreground = assigner(anchors, counts, *given(batch), batch.predicted())
        tensors |= assigned(batch, f"{i:02}", owner(batch, owners, foreground), labels.long(), boxes, scores)
        kinds.append(batch.kind)
    out.write("atss", tensors, kinds)


def whole(out, owners, kernel, name, epoch, **options):
    """The loss as it is trained with: epoch 0 is warm-up, epoch 9 is not."""
    tensors, kinds = {}, []
    for i, batch in enumerate(batches(name)):
        longest = max(batch.size)
        loss = ComputeLoss(num_classes=cases.CLASSES, ori_img_size=longest, warmup_epoch=4, **options)
        scores = batch.scores.clone().requires_grad_(True)
        sides = (batch.bins.flatten(2) if options["use_dfl"] else batch.sides).clone().requires_grad_(True)
        index, labels, centred = batch.rows()
        targets = torch.cat([index.unsqueeze(-1).double(), labels.unsqueeze(-1).double(), centred / longest], -1)
        taken = spy(loss, "warmup_assigner" if epoch == 0 else "formal_assigner")
        total, items = loss(([torch.zeros(batch.images, 1, h, w) for h, w in batch.grids], scores, sides), targets, epoch, 1)
        total.backward()
        assert torch.equal(taken["truth"], batch.boxes[:, : taken["truth"].shape[1]]), "the boxes did not survive normalisation"
        own = owner(batch, owners, taken["foreground"])
        tensors |= assigned(batch, f"{i:02}", own, taken["labels"].long(), taken["boxes"], taken["scores"])
        tensors |= {f"{i:02}.items": items.numpy(), f"{i:02}.total": total.detach().numpy().reshape(1)}
        tensors |= gradients(f"{i:02}", own, scores.grad, sides.grad)
        kinds.append(batch.kind)
    out.write(kernel, tensors, kinds)


def spy(loss, name):
    """What the assigner inside the loss was given and gave."""
    taken, own = {}, getattr(loss, name)

    def assign(*words):
        found = own(*words)
        taken["truth"] = words[3 if name == "warmup_assigner" else 4].clone()
        taken.update(zip(("labels", "boxes", "scores", "foreground"), (t.clone() for t in found)))
        return found

    setattr(loss, name, assign)
    return taken


main()
