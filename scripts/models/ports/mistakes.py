"""What ports and exports get wrong: each changes the network where its row says, and leaves every weight it does not name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from .network import Network, Pad


class Mistake(NamedTuple):
    name: str
    #: Path of the module that is no longer the same.
    module: str
    change: Callable[[Network], None]


def train_mode(network: Network) -> None:
    network.body.norm.train()


def align_corners(network: Network) -> None:
    network.up.align_corners = True


def eps(network: Network) -> None:
    network.body.norm.eps = 1e-5


def cubic(network: Network) -> None:
    network.cubic.mode = "bilinear"


def ceil_mode(network: Network) -> None:
    network.pool.ceil_mode = True


def pad_side(network: Network) -> None:
    network.pad = Pad((1, 0, 1, 0))


def tanh_gelu(network: Network) -> None:
    network.encoder.act = nn.GELU(approximate="tanh")


def no_scale(network: Network) -> None:
    network.encoder.attention.scale = 1.0


def swapped_concat(network: Network) -> None:
    network.swapped = True


def stale_weights(network: Network) -> None:
    torch.manual_seed(1)
    nn.init.uniform_(network.merge.conv.weight, -0.1, 0.1)


def dropped_bias(network: Network) -> None:
    network.encoder.grow.bias = None


def wrong_axis(network: Network) -> None:
    network.encoder.attention.axis = -2


def layer_eps(network: Network) -> None:
    network.encoder.behind.eps = 1e-3


def relu(network: Network) -> None:
    network.stem.act = nn.ReLU()


ALL = (
    Mistake("train_mode", "body.norm", train_mode),
    Mistake("align_corners", "up", align_corners),
    Mistake("eps", "body.norm", eps),
    Mistake("cubic", "cubic", cubic),
    Mistake("ceil_mode", "pool", ceil_mode),
    Mistake("pad_side", "pad", pad_side),
    Mistake("tanh_gelu", "encoder.act", tanh_gelu),
    Mistake("no_scale", "encoder.attention", no_scale),
    Mistake("swapped_concat", "", swapped_concat),
    Mistake("stale_weights", "merge.conv", stale_weights),
    Mistake("dropped_bias", "encoder.grow", dropped_bias),
    Mistake("wrong_axis", "encoder.attention", wrong_axis),
    Mistake("layer_eps", "encoder.behind", layer_eps),
    Mistake("relu", "stem.act", relu),
)
