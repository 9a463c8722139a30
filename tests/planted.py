"""Pairs of networks whose alignment is known."""

import numpy as np
import torch
from torch import nn

from ridgeline import state as states
from ridgeline.symmetry import Group, Place, Sighting, Symmetry
from ridgeline.testing.symmetries import of_chain
from zoo import Mlp


def planted(seed=0, noise=0.0, widths=(6, 12, 9, 4), scale=1.0, copies=1):
    """A network, its symmetry, its state a, permuted copies with noise, and these unpermuted.

    With one copy both are states, else lists of states.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Mlp(*widths)
    linear = [n for n, m in model.named_children() if hasattr(m, "weight")]
    symmetry = of_chain(model, linear, ["relu", "relu_1", "relu_2"][: len(linear) - 1])
    a = {n: scale * x for n, x in states.capture(model).items()}
    draw = torch.Generator().manual_seed(seed + 1)
    plain = [
        {n: x + noise * torch.randn(x.shape, generator=draw) for n, x in a.items()}
        for _ in range(copies)
    ]
    moved = [symmetry.random(100 * seed + i)(x) for i, x in enumerate(plain)]
    if copies == 1:
        return model, symmetry, a, moved[0], plain[0]
    return model, symmetry, a, moved, plain


class Channels(nn.Module):
    """Channels, their normalisation, and a flattening; inputs of shape (N, 2, 4, 4)."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5)
        self.head = nn.Linear(5 * 4, 3)

    def forward(self, x):
        return self.head(self.norm(self.conv(x)).relu().flatten(1))


def normalised(flattened=False, seed=0):
    """A network with running statistics, its symmetry, its state a, and a permuted copy."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Channels().eval()
        model.norm.running_mean.normal_()
        model.norm.running_var.uniform_(0.5, 2)
        model.norm.weight.data.normal_()
    one, wide = np.arange(5)[None, :, None], np.arange(20).reshape(1, 5, 4)
    names = [n for n in model.state_dict() if n.startswith(("conv", "norm")) and "num" not in n]
    places = (*(Place(n, 0, one) for n in names), Place("head.weight", 1, wide))
    seen = Sighting("flatten", 1, wide) if flattened else Sighting("relu", 1, one)
    shapes = {n: tuple(x.shape) for n, x in model.state_dict().items()}
    symmetry = Symmetry((Group("conv", places, sightings=(seen,)),), shapes)
    a = states.capture(model)
    return model, symmetry, a, symmetry.random(seed + 3)(a)


class Heads(nn.Module):
    """Three heads of four channels, scaled by what each head says as a whole."""

    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(6, 12), nn.Linear(12, 2)

    def forward(self, x):
        h = self.up(x).tanh().reshape(-1, 3, 4)
        h = h * h.sum(2, keepdim=True)
        return self.down(h.reshape(-1, 12))


def headed(seed=0):
    """A network of channels inside heads, its symmetry, its state a, and a permuted copy."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Heads()
    channels, heads = np.arange(12).reshape(3, 4, 1), np.arange(12).reshape(1, 3, 4)

    def places(index):
        stands = (("up.weight", 0), ("up.bias", 0), ("down.weight", 1))
        return tuple(Place(n, axis, index) for n, axis in stands)

    seen = (Sighting("tanh", 1, channels),)
    inner = Group("channels", places(channels), inside="heads", sightings=seen)
    shapes = {n: tuple(x.shape) for n, x in model.state_dict().items()}
    symmetry = Symmetry((inner, Group("heads", places(heads))), shapes)
    a = states.capture(model)
    return model, symmetry, a, symmetry.random(seed)(a)
