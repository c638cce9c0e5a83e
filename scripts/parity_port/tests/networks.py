"""Small networks, each with something that a recorder is easily wrong about."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

torch.set_num_threads(1)


class Block(nn.Module):
    """Writes into what it computed: an in-place ReLU, `+=`, and through a view."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.act = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(inplace=True)

    def forward(self, x, shift=None):
        y = self.act(self.bn(self.conv(x)))
        y += x
        y[:, 0] = 0.5
        return y if shift is None else y + shift


class Twice(nn.Module):
    """One block called twice, the second time by keyword."""

    def __init__(self):
        super().__init__()
        self.block = Block()

    def forward(self, image):
        return self.block(x=self.block(image), shift=image)


class Between(nn.Module):
    """What it computes lies between its modules."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)

    def forward(self, x):
        up = F.interpolate(self.a(x), scale_factor=2.0)
        return torch.cat([up, F.relu(self.b(up))], dim=1)


class Shared(nn.Module):
    """The decoder's weight is the encoder's."""

    def __init__(self):
        super().__init__()
        self.encode, self.decode = nn.Linear(3, 3), nn.Linear(3, 3)
        self.decode.weight = self.encode.weight

    def forward(self, x):
        return self.decode(self.encode(x))


class Structured(nn.Module):
    """Gives and takes dicts, tuples and None."""

    def __init__(self):
        super().__init__()
        self.part = Part()

    def forward(self, x, mask=None):
        return self.part((x, None), options={"bias": x.new_ones(3)})


class Part(nn.Module):
    def forward(self, pair, options):
        x, nothing = pair
        return {"scores": x + options["bias"], "nothing": nothing, "levels": (x * 2, [x * 3])}


class Raises(nn.Module):
    """Its part fails; with `catch` it goes on without it."""

    def __init__(self, catch=False):
        super().__init__()
        self.first, self.part, self.last, self.catch = nn.Linear(3, 3), Fails(), nn.Linear(3, 3), catch

    def forward(self, x):
        x = self.first(x)
        try:
            x = self.part(x)
        except ArithmeticError:
            if not self.catch:
                raise
        return self.last(x + 1)


class Fails(nn.Module):
    def forward(self, x):
        raise ArithmeticError("as it was made to")


class Checkpointed(nn.Module):
    """Runs its part again while gradients are computed."""

    def __init__(self, reentrant=False):
        super().__init__()
        self.part, self.reentrant = nn.Sequential(nn.Linear(3, 3), nn.Tanh()), reentrant

    def forward(self, x):
        return checkpoint(lambda y: self.part(y * 2) + 1, x, use_reentrant=self.reentrant).sum()


class Trains(nn.Module):
    """Draws numbers and keeps statistics."""

    def __init__(self):
        super().__init__()
        self.fc, self.bn, self.drop = nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.bn(self.fc(x)))


class Everything(nn.Module):
    """Layers of every kind of arithmetic, with functions between them."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.SiLU())
        self.down, self.norm, self.up = nn.AvgPool2d(2), nn.GroupNorm(2, 8), nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.attend, self.layer, self.act = nn.MultiheadAttention(8, 2, batch_first=True), nn.LayerNorm(8), nn.GELU()
        self.recur, self.drop, self.head = nn.LSTM(8, 8, batch_first=True), nn.Dropout(0.2), nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x)
        y = F.interpolate(self.norm(self.down(x)), scale_factor=2.0, mode="bilinear") + self.up(self.down(x))
        y = torch.cat([y, x], dim=2).flatten(2).transpose(1, 2)
        y = self.layer(y + self.attend(y, y, y)[0])
        y = torch.einsum("bnc,bnc->bn", y, self.act(y)).unsqueeze(-1) * y
        y, _ = self.recur(y[:, :6])
        return F.log_softmax(self.head(self.drop(y).mean(dim=1)), dim=-1)
