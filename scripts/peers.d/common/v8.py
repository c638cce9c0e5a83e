"""The ultralytics peers: the assigner on exact boxes, the whole v8 loss, the similarities, and the focal losses."""

import os
from importlib.metadata import version
from types import SimpleNamespace

import torch

from . import cases, fixture
from .batch import assigned, batches, distributions, elements, folder, gradients, pairs, value_and_gradient

os.environ.setdefault("YOLO_CONFIG_DIR", str(fixture.FOLDER.parents[2] / ".native/peers/config"))
os.environ.setdefault("YOLO_VERBOSE", "false")
F64 = "everything in f64; torch's default dtype is f64, so that the tensors the package makes itself are f64 too"
FLOAT = "Tensor.float answers f64, so that VarifocalLoss, which casts to f32, runs in f64"


def run(peer, predictions):
    """`predictions(feats, scores, bins)` is what the loss of this version takes."""
    import ultralytics.utils.loss as losses
    from ultralytics.utils.metrics import bbox_iou
    from ultralytics.utils.tal import TaskAlignedAssigner

    versions = {name: version(name) for name in ("ultralytics", "torch", "numpy")}
    out = fixture.Fixture(peer, folder(), versions, [FLOAT, "the model is a stand-in with the attributes that v8DetectionLoss reads"], F64)
    assigner = TaskAlignedAssigner(topk=10, num_classes=cases.CLASSES, alpha=0.5, beta=6.0)
    tensors, kinds = {}, []
    for i, b in enumerate(batches("fine")):
        given = b.scores, b.predicted(), b.points, b.labels.unsqueeze(-1), b.boxes, b.valid()
        labels, boxes, scores, foreground, index = assigner(*given)
        owner = torch.where(foreground.bool(), index.long(), -1)
        tensors |= assigned(b, f"{i:02}", owner, labels.long(), boxes, scores)
        kinds.append(b.kind)
    out.write("task_aligned", tensors, kinds)
    detection(out, losses.v8DetectionLoss, predictions)
    similarity(out, bbox_iou)
    elementwise(out, losses)
    out.close()


def detection(out, loss, predictions):
    tensors, kinds = {}, []
    for i, b in enumerate(batches("fine")):
        head = SimpleNamespace(stride=torch.tensor([8.0, 16.0, 32.0]), nc=cases.CLASSES, reg_max=16)
        parameters = lambda: iter([torch.zeros(1)])
        gains = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5)
        criterion = loss(SimpleNamespace(parameters=parameters, args=gains, model=[head]))
        taken = record(criterion)
        scores = b.logits.transpose(1, 2).contiguous().requires_grad_(True)
        bins = b.bins[..., :16].reshape(b.images, b.anchors, 64).transpose(1, 2).contiguous().requires_grad_(True)
        feats = [torch.zeros(b.images, 1, h, w) for h, w in b.grids]
        index, labels, centred = b.rows()
        scale = torch.tensor([b.size[1], b.size[0], b.size[1], b.size[0]])
        batch = dict(batch_idx=index.double(), cls=labels.double(), bboxes=centred / scale)
        total, items = criterion(predictions(feats, scores, bins), batch)
        total.sum().backward()
        items = torch.stack(list(items.values())) if isinstance(items, dict) else items
        assert torch.equal(taken["boxes"], b.boxes[:, : taken["boxes"].shape[1]]), "the boxes did not survive normalisation"
        owner = torch.where(taken["foreground"].bool(), taken["index"].long(), -1)
        tensors |= assigned(b, f"{i:02}", owner, taken["labels"].long(), taken["targets"], taken["scores"])
        tensors |= {f"{i:02}.items": items.detach().numpy(), f"{i:02}.total": total.sum().detach().numpy().reshape(1)}
        tensors |= gradients(f"{i:02}", owner, scores.grad.transpose(1, 2), bins.grad.transpose(1, 2))
        kinds.append(b.kind)
    out.write("v8_detection", tensors, kinds)


def record(criterion):
    """What the assigner inside the loss was given and gave."""
    taken, own = {}, criterion.assigner

    def assign(scores, boxes, points, labels, truth, mask):
        out = own(scores, boxes, points, labels, truth, mask)
        copies = [t.detach().clone() for t in (truth, *out)]
        taken.update(zip(("boxes", "labels", "targets", "scores", "foreground", "index"), copies))
        return out

    criterion.assigner = assign
    return taken


def similarity(out, bbox_iou):
    kinds, a, b = pairs()
    for name in ("IoU", "GIoU", "DIoU", "CIoU"):
        chosen = {} if name == "IoU" else {name: True}
        value, gradient = value_and_gradient(lambda x: bbox_iou(x, b, xywh=False, **chosen).squeeze(-1), a)
        out.write(name.lower(), dict(value=value, gradient=gradient), kinds, eps=1e-7)


def elementwise(out, losses):
    logit, target, positive = elements()
    kinds = ["positive" if p else "negative" for p in positive]
    real, torch.Tensor.float = torch.Tensor.float, torch.Tensor.double
    one = lambda f: lambda x: torch.stack([f(i, x[i].reshape(1, 1)) for i in range(len(x))])
    varifocal = lambda i, x: losses.VarifocalLoss(gamma=2.0, alpha=0.75)(x, target[i].reshape(1, 1), positive[i].double().reshape(1, 1))
    value, gradient = value_and_gradient(one(varifocal), logit)
    torch.Tensor.float = real
    out.write("varifocal", dict(value=value, gradient=gradient), kinds)
    focal = lambda i, x: losses.FocalLoss(gamma=1.5, alpha=0.25)(x, positive[i].double().reshape(1, 1))
    value, gradient = value_and_gradient(one(focal), logit)
    out.write("focal", dict(value=value, gradient=gradient), kinds, alpha=0.25, gamma=1.5)
    bins, cell = distributions()
    one_side = lambda x: losses.DFLoss(16)(x, cell.clone().unsqueeze(-1)).squeeze(-1)
    value, gradient = value_and_gradient(one_side, bins[:, :16])
    out.write("dfl", dict(value=value, gradient=gradient), ["distribution"] * len(cell))
