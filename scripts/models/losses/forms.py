"""The losses: a form that is exported to ONNX, the same in another order for TorchScript, and what ports of it get wrong."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Iou(nn.Module):
    """1 − IoU of boxes, row by row."""

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        low = torch.maximum(pred[:, :2], target[:, :2])
        high = torch.minimum(pred[:, 2:], target[:, 2:])
        inter = (high - low).clamp(min=0).prod(1)
        areas = (pred[:, 2:] - pred[:, :2]).prod(1) + (target[:, 2:] - target[:, :2]).prod(1)
        return 1 - inter / (areas - inter + 1e-7)


class IouByCorners(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        a, b, c, d = pred.unbind(1)
        x, y, z, w = target.unbind(1)
        width = torch.relu(torch.minimum(c, z) - torch.maximum(a, x))
        height = torch.relu(torch.minimum(d, w) - torch.maximum(b, y))
        union = (z - x) * (w - y) + ((c - a) * (d - b) - width * height) + 1e-7
        return self.guarded(1 - height * (width / union), c - a)

    def guarded(self, loss: Tensor, width: Tensor) -> Tensor:
        return loss


class IouOfFlatBoxes(IouByCorners):
    """Without width there is nothing to learn: a guard that the original lacks."""

    def guarded(self, loss: Tensor, width: Tensor) -> Tensor:
        return torch.where(width == 0, torch.zeros_like(loss), loss)


class CrossEntropy(nn.Module):
    """Of probabilities that are kept off 0 and 1."""

    def forward(self, p: Tensor, t: Tensor) -> Tensor:
        p = p.clamp(0.0009765625, 1 - 0.0009765625)
        return -(t * p.log() + (1 - t) * (1 - p).log()).mean()


class CrossEntropyInOrder(nn.Module):
    def forward(self, p: Tensor, t: Tensor) -> Tensor:
        p = self.kept(p)
        each = t * (torch.log(1 - p) - torch.log(p)) - torch.log(1 - p)
        return self.reduced(each)

    def kept(self, p: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(p, torch.full_like(p, 0.0009765625)), torch.full_like(p, 1 - 0.0009765625))

    def reduced(self, each: Tensor) -> Tensor:
        return each.sum() / each.numel()


class Unclamped(CrossEntropyInOrder):
    def kept(self, p: Tensor) -> Tensor:
        return p


class Summed(CrossEntropyInOrder):
    def reduced(self, each: Tensor) -> Tensor:
        return each.sum()


class Log(nn.Module):
    """−log of a probability, with an eps inside."""

    def forward(self, p: Tensor) -> Tensor:
        return -(p + 1e-6).log()


class LogOfQuotient(nn.Module):
    def forward(self, p: Tensor) -> Tensor:
        return (1 / (1e-6 + p)).log()


class LogOutside(nn.Module):
    def forward(self, p: Tensor) -> Tensor:
        return -(p.log() + 1e-6)


class Classes(nn.Module):
    """Softmax cross entropy, weighted row by row."""

    def forward(self, logits: Tensor, label: Tensor, weight: Tensor) -> Tensor:
        each = -functional.log_softmax(logits, 1).gather(1, label[:, None])[:, 0]
        return (each * weight).sum()


class ClassesByLogSumExp(nn.Module):
    def forward(self, logits: Tensor, label: Tensor, weight: Tensor) -> Tensor:
        own = logits.gather(1, self.column(label, logits)[:, None])[:, 0]
        return self.reduced(torch.logsumexp(logits, 1) - own, weight)

    def column(self, label: Tensor, logits: Tensor) -> Tensor:
        return label

    def reduced(self, each: Tensor, weight: Tensor) -> Tensor:
        return (weight * each).flip(0).sum()


class NextClass(ClassesByLogSumExp):
    """Labels as they are where background is class 0."""

    def column(self, label: Tensor, logits: Tensor) -> Tensor:
        return (label + 1) % logits.shape[1]


class WeightedBehind(ClassesByLogSumExp):
    def reduced(self, each: Tensor, weight: Tensor) -> Tensor:
        return each.sum() * weight.mean()


class Masked(nn.Module):
    """L1 over the rows that count."""

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        kept = mask.to(pred.dtype)
        return ((pred - target).abs() * kept[:, None]).sum() / kept.sum().clamp(min=1)


class MaskedByWhere(nn.Module):
    def forward(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        rows = (target - pred).abs().sum(1)
        return self.kept(rows, mask).sum() / mask.sum().clamp(min=1)

    def kept(self, rows: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask, rows, torch.zeros_like(rows))


class Unmasked(MaskedByWhere):
    def kept(self, rows: Tensor, mask: Tensor) -> Tensor:
        return rows


class Charbonnier(nn.Module):
    """A root that is round at 0."""

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return ((pred - target) ** 2 + 1e-6).sqrt().sum()


class CharbonnierInOrder(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        d = target - pred
        return torch.pow(1e-6 + d * d, 0.5).flip(0).sum()


class CharbonnierOutside(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        d = target - pred
        return (torch.sqrt(d * d) + 1e-6).sum()


class Levels(nn.Module):
    """Errors that count half as much from level to level."""

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        return x * x * torch.pow(2.0, -level.to(x.dtype) / 2)


class LevelsByPower(nn.Module):
    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        return torch.pow(x * torch.pow(0.5, self.half(level).to(x.dtype) / 2), 2)

    def half(self, level: Tensor) -> Tensor:
        return level / 2


class LevelsInWholes(LevelsByPower):
    """/ of integers where the original's is a division of numbers."""

    def half(self, level: Tensor) -> Tensor:
        return level // 2


class Focal(nn.Module):
    """A weight by which nothing is trained."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        weight = self.weight((torch.sigmoid(x) - t) ** 2)
        return (weight * -(t * functional.logsigmoid(x) + (1 - t) * functional.logsigmoid(-x))).sum()

    def weight(self, w: Tensor) -> Tensor:
        return w.detach()


class FocalInOrder(Focal):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        weight = self.weight((t - 1 / (1 + torch.exp(-x))) ** 2)
        each = (1 - t) * functional.softplus(x, threshold=200.0) + t * functional.softplus(-x, threshold=200.0)
        return (each * weight).flip(0).sum()


class FocalTrained(FocalInOrder):
    def weight(self, w: Tensor) -> Tensor:
        return w


class Narrow(CrossEntropyInOrder):
    """The same, but that a part of it computes in f32 whatever it is given."""

    def kept(self, p: Tensor) -> Tensor:
        return p.float().clamp(0.0009765625, 1 - 0.0009765625)
