"""mmdet 3.3 with mmcv-lite: both assigners, TOOD's normalisation, the overlap losses, the class losses."""

import importlib.machinery
import sys
import types
from importlib.metadata import version

import torch

from common import cases, fixture
from common.batch import assigned, batches, distributions, elements, folder, pairs, value_and_gradient


class NoOps(types.ModuleType):
    """Stands in for mmcv._ext: every compiled operator exists, none can be called."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_, **__):
            raise NotImplementedError(f"mmcv-lite has no {name}")

        return missing


sys.modules["mmcv._ext"] = NoOps("mmcv._ext")
sys.modules["mmcv._ext"].__spec__ = importlib.machinery.ModuleSpec("mmcv._ext", None)

from mmdet.models import losses  # noqa: E402
from mmdet.models.dense_heads import TOODHead  # noqa: E402
from mmdet.models.task_modules.assigners import ATSSAssigner, TaskAlignedAssigner  # noqa: E402
from mmdet.models.task_modules.prior_generators import AnchorGenerator  # noqa: E402
from mmdet.models.task_modules.samplers import PseudoSampler  # noqa: E402
from mmdet.structures.bbox import bbox_overlaps  # noqa: E402
from mmengine.structures import InstanceData  # noqa: E402


def main():
    versions = {name: version(name) for name in ("mmdet", "mmcv-lite", "mmengine", "torch", "numpy")}
    stubs = [
        "mmcv._ext (compiled operators, absent from mmcv-lite): none is called",
        "TOOD's head is a stand-in with the attributes that its target assignment reads",
        "torch.float answers torch.float64, so that TOOD's head, which makes its scores in f32, makes them in f64",
    ]
    out = fixture.Fixture("mmdet-3.3", folder(), versions, stubs, "everything in f64; torch's default dtype is f64")
    task_aligned(out)
    atss(out)
    overlaps(out)
    elementwise(out)
    out.close()


def truth(batch, b):
    count = batch.counts[b]
    return InstanceData(bboxes=batch.boxes[b, :count], labels=batch.labels[b, :count])


def squares(batch):
    """Priors around the points that all other peers use."""
    return torch.cat([batch.points - 4 * batch.strides, batch.points + 4 * batch.strides], -1)


def task_aligned(out):
    """Owners and labels from the assigner; scores from TOOD's head, whose own labels call background `classes`."""
    torch.float = torch.float64
    settings = types.SimpleNamespace(
        num_classes=cases.CLASSES,
        alpha=1,
        beta=6,
        alignment_assigner=TaskAlignedAssigner(topk=13),
        sampler=PseudoSampler(),
    )
    settings.train_cfg = Settings(allowed_border=-1, pos_weight=-1)
    tensors, kinds = {}, []
    for i, batch in enumerate(batches("fine")):
        parts = []
        for b in range(batch.images):
            priors = squares(batch)
            predicted = InstanceData(priors=priors, scores=batch.scores[b], bboxes=batch.predicted()[b])
            found = settings.alignment_assigner.assign(predicted, truth(batch, b), None, 1, 6)
            flags = torch.ones(batch.anchors, dtype=torch.bool)
            meta = dict(img_shape=batch.size)
            head = TOODHead._get_targets_single(
                settings, batch.scores[b], batch.predicted()[b], priors, flags, truth(batch, b), meta, None, True
            )
            owner = found.gt_inds - 1
            scores = torch.zeros(batch.anchors, cases.CLASSES)
            own = (owner >= 0).nonzero().squeeze(1)
            scores[own, found.labels[own]] = head[4][own]
            parts.append((owner, found.labels, head[3], scores))
        tensors |= assigned(batch, f"{i:02}", *(torch.stack(p) for p in zip(*parts)))
        kinds.append(batch.kind)
    out.write("task_aligned", tensors, kinds)


class Settings(dict):
    __getattr__ = dict.__getitem__


def atss(out):
    """Anchors from mmdet's generator as ATSS configures it."""
    assigner = ATSSAssigner(topk=9)
    generator = AnchorGenerator(strides=list(cases.STRIDES), ratios=[1.0], octave_base_scale=8, scales_per_octave=1)
    tensors, kinds = {}, []
    for i, batch in enumerate(batches("wide")):
        parts = []
        for b in range(batch.images):
            given = InstanceData(priors=torch.cat(generator.grid_priors(batch.grids, dtype=torch.float64, device="cpu")))
            found = assigner.assign(given, [h * w for h, w in batch.grids], truth(batch, b))
            owner, scores = found.gt_inds - 1, torch.zeros(batch.anchors, cases.CLASSES)
            boxes = torch.zeros(batch.anchors, 4)
            own = (owner >= 0).nonzero().squeeze(1)
            scores[own, found.labels[own]] = 1.0
            boxes[own] = batch.boxes[b][owner[own]]
            parts.append((owner, found.labels, boxes, scores))
        tensors |= assigned(batch, f"{i:02}", *(torch.stack(p) for p in zip(*parts)))
        kinds.append(batch.kind)
    out.write("atss", tensors, kinds)


def overlaps(out):
    kinds, a, b = pairs()
    aligned = dict(is_aligned=True, eps=1e-6)
    forms = {
        "iou": lambda x: 1 - bbox_overlaps(x, b, mode="iou", **aligned),
        "giou": lambda x: losses.GIoULoss(reduction="none")(x, b),
        "diou": lambda x: losses.DIoULoss(reduction="none")(x, b),
        "ciou": lambda x: losses.CIoULoss(reduction="none")(x, b),
        "siou": lambda x: losses.SIoULoss(reduction="none")(x, b),
        "siou_paper": lambda x: losses.SIoULoss(reduction="none", neg_gamma=True)(x, b),
    }
    for name, form in forms.items():
        value, gradient = value_and_gradient(form, a)
        out.write(name, dict(value=value, gradient=gradient), kinds, eps=1e-6)


def elementwise(out):
    logit, target, positive = elements()
    kinds = ["positive" if p else "negative" for p in positive]
    column = target.unsqueeze(-1)
    forms = {
        "varifocal": lambda x: losses.VarifocalLoss(reduction="none")(x.unsqueeze(-1), column).squeeze(-1),
        "focal": lambda x: losses.FocalLoss(reduction="none")(x.unsqueeze(-1), 1 - positive.long()).squeeze(-1),
        "quality_focal": lambda x: losses.QualityFocalLoss(reduction="none")(x.unsqueeze(-1), (1 - positive.long(), target)),
    }
    for name, form in forms.items():
        value, gradient = value_and_gradient(form, logit)
        out.write(name, dict(value=value, gradient=gradient), kinds)
    bins, cell = distributions()
    value, gradient = value_and_gradient(lambda x: losses.DistributionFocalLoss(reduction="none")(x, cell), bins)
    out.write("dfl", dict(value=value, gradient=gradient), ["distribution"] * len(cell))


main()
