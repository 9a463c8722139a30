"""The works that are timed: networks, two states of each, and data."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

import ridgeline as rl
from ridgeline.nets import fcn, resnet20, transformer


@dataclass
class Work:
    """One question: a line, K points, N samples."""

    name: str
    model: nn.Module
    a: dict
    b: dict
    data: tuple
    points: int = 25
    wanted: float = 1.0
    """The ratio to the obvious loop that was set as a goal beforehand."""
    options: dict[str, Any] | None = None
    flops: float = 0.0
    """Of one forward pass of one sample, in matrix products."""


def _states(make: Any) -> list[dict]:
    return [{k: x.clone() for k, x in make(seed).state_dict().items()} for seed in (0, 1)]


def _mlp(name: str, widths: tuple[int, ...], n: int, **more: Any) -> Work:
    draw = torch.Generator().manual_seed(0)
    data = torch.randn(n, widths[0], generator=draw), torch.randint(0, 10, (n,), generator=draw)
    flops = 2.0 * sum(i * o for i, o in pairwise(widths))
    make = lambda seed: fcn(*widths, seed=seed)  # noqa: E731
    return Work(name, fcn(*widths), *_states(make), data, flops=flops, **more)


def works() -> list[Work]:
    """All works but the layer-wise one and the sampling."""
    draw = torch.Generator().manual_seed(0)
    pictures = torch.randn(1000, 3, 32, 32, generator=draw)
    labels = torch.randint(0, 10, (1000,), generator=draw)
    tokens = torch.randint(0, 64, (500, 32), generator=draw)
    digits = rl.data.load("digits")["train"]
    small = Work(
        "MLP 64-64-64-10, digits, 51 points",
        fcn(64, 64, 64, 10),
        *_states(lambda seed: fcn(64, 64, 64, 10, seed=seed)),
        tuple(digits),
        points=51,
        wanted=5.0,
        flops=2.0 * (64 * 64 * 2 + 640),
    )
    res = _states(lambda seed: resnet20(seed=seed))
    former = _states(lambda seed: transformer(64, 32, seed=seed))
    return [
        _mlp("MLP 784-256-256-10, 10,000 samples", (784, 256, 256, 10), 10_000, wanted=2.5),
        _mlp("MLP 784-512-512-512-10, 10,000", (784, 512, 512, 512, 10), 10_000, wanted=1.4),
        small,
        Work(
            "ResNet-20, 1,000 images, statistics kept",
            resnet20(),
            *res,
            (pictures, labels),
            options={"statistics": "keep"},
        ),
        Work("ResNet-20, statistics recomputed", resnet20(), *res, (pictures, labels), points=9),
        Work(
            "Transformer, 2 layers, 500 x 32 tokens",
            transformer(64, 32),
            *former,
            (tokens, torch.roll(tokens, -1, 1)),
        ),
    ]


def deep() -> Work:
    """Eight hidden layers, for the layer-wise profile."""
    return _mlp("MLP 784-128x8-10, every layer", (784, *[128] * 8, 10), 5_000, wanted=1.8)
