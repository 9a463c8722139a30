"""The length of a path over the distance of its ends."""

from itertools import pairwise

from ridgeline import state as states
from ridgeline.paths import Path, Polygon

__all__ = ["stretch"]

POINTS = 101
"""Positions between which a curve is taken as straight: of a half circle all but 4e-5."""


def stretch(path: Path) -> float:
    """The length of a path over the straight distance of its ends; infinite if they coincide.

    It is 1 for a straight line and no less for any path. Exact for a chain; of a curve from below.
    Scales and shifts of normalisation layers are part of both, running statistics are not.
    """
    straight = states.distance(path(0.0), path(1.0))
    if isinstance(path, Polygon):
        length = sum(states.distance(p, q) for p, q in pairwise(path.points))
    else:
        length = path.length(POINTS)
    return max(length / straight, 1.0) if straight else float("inf") if length else 1.0
