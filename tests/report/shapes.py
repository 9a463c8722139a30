"""Curves with known shapes; nothing is trained."""

import numpy as np

from ridgeline.measures import Curve
from ridgeline.profiles import Surface

T = np.linspace(0, 1, 51)


def curve(mean, n=400, *, spread=0.3, population=None, **more):
    """Values that vary by `spread` between samples, and alike at near positions."""
    mean = np.asarray(mean, float)
    t = more.pop("t", T)
    close = np.exp(-(((t[:, None] - t[None]) / 0.15) ** 2))
    bad = np.where(np.isfinite(mean), 0, n)
    return Curve(t, mean, spread**2 * close, n, population or n, bad, **more)


def bump(height, base=0.02, at=0.5, width=0.15):
    return base + height * np.exp(-(((T - at) / width) ** 2))


def descent(level, end):
    return level / (1 + np.exp((T - end) / 0.04))


def valley():
    """A surface with two minima."""
    x, y = np.linspace(-2, 12, 15), np.linspace(-2, 10, 13)
    corners = np.array([[0, 0], [10, 0], [4, 8.0]])
    away = [(x[None] - p) ** 2 + (y[:, None] - q) ** 2 for p, q in corners[1:]]
    loss = 0.002 + 3 * np.prod([1 - np.exp(-d / 12) for d in away], axis=0)
    about = {"splits": {"train": {"samples_evaluated": 400, "samples": 1000}}}
    return Surface(x, y, {"train": {"loss": loss}}, {"train": {"loss": loss / 9}}, corners, about)
