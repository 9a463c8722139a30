"""States for tests of arithmetic on them: drawn, tied, and flat in float64."""

import numpy as np
import torch
from torch import nn

COORDINATES = ["fc1.weight", "fc1.bias", "norm.weight", "scale"]


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 3), nn.Linear(3, 5)
        self.head.weight = self.embed.weight


def draw(seed, dtype=torch.float32, scale=1.0):
    rng = torch.Generator().manual_seed(seed)
    make = lambda *shape: (torch.randn(shape, generator=rng) * scale).to(dtype)  # noqa: E731 (a name for a short function that is read in place)
    return {
        "fc1.weight": make(4, 3),
        "fc1.bias": make(4),
        "norm.weight": make(4),
        "norm.running_mean": make(4),
        "norm.num_batches_tracked": torch.tensor(seed),
        "mask": torch.tensor([True, seed % 2 == 0]),
        "scale": make(),
    }


def flat(s, names):
    return np.concatenate([s[n].double().numpy().ravel() for n in names])
