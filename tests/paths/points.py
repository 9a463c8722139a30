"""States with tensors of every kind, and paths of every kind through them."""

import numpy as np
import torch

from ridgeline.paths import Bezier, Line, Polygon, Power


def draw(seed, dtype=torch.float64):
    rng = torch.Generator().manual_seed(seed)
    make = lambda *shape: torch.randn(shape, generator=rng, dtype=torch.float64).to(dtype)  # noqa: E731 (a name for a short function that is read in place)
    made = {
        "fc1.weight": make(3, 2),
        "fc1.bias": make(3),
        "cls_token": make(1, 4),
        "norm.running_mean": make(3),
        "norm.num_batches_tracked": torch.tensor(100 + seed),
        "fc2.weight": make(2, 3),
        "frozen": torch.arange(3.0).to(dtype),
    }
    made["fc1.bias"][0] = -0.0
    made["fc1.bias"][1] = 1e-3 * 10.0 ** (seed % 7)
    return made


def make_path(kind, points):
    if kind == "line":
        return Line(points[0], points[-1])
    if kind == "rates":
        rates = {"fc1.bias": Power(1), "fc2.weight": Power(2), "cls_token": Power(3.5)}
        return Line(points[0], points[-1], rates=rates)
    if kind == "knots":
        knots = np.linspace(0, 1, len(points)) ** 1.7
        return Polygon(*points, knots=knots)
    return {"polygon": Polygon, "bezier": Bezier}[kind](*points)
