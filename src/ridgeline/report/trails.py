"""What lies on a surface: states, and the trajectories of training."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ridgeline.charts import Row
from ridgeline.errors import UsageError
from ridgeline.measures import Array
from ridgeline.report.tables import surface_rows

if TYPE_CHECKING:
    from ridgeline.profiles import Surface

__all__ = ["Points", "Trails", "arrow", "tidy", "trail_of"]

Points = dict[str, tuple[float, float]]
Trails = dict[str, Array]


def trail_of(name: str, points: ArrayLike) -> Array:
    """The first two columns of a trajectory's coordinates."""
    found = np.asarray(points, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] < 2 or not len(found):
        raise UsageError(
            "A trajectory is a list of pairs (x, y).", got=f"shape {found.shape} for {name!r}"
        )
    return found[:, :2]


def tidy(surface: "Surface", metric: str, split: str, points: Points, trails: Trails) -> list[Row]:
    """The table that a surface's figure is drawn from; ``kind`` says what a row is of."""
    grid = [
        {"kind": "surface", "label": "", **row}
        for row in surface_rows(surface)
        if row["metric"] == metric and row["split"] == split
    ]
    lines = [
        {"kind": "trajectory", "label": label, "x": float(x), "y": float(y)}
        for label, trail in trails.items()
        for x, y in trail
    ]
    marks = [{"kind": "point", "label": k, "x": x, "y": y} for k, (x, y) in points.items()]
    return grid + lines + marks


def arrow(trail: Array) -> int | None:
    """The step at the middle of a trajectory's length, where its arrow goes."""
    steps = np.linalg.norm(np.diff(trail, axis=0), axis=1)
    if not len(steps) or not steps.sum():
        return None
    return min(int(np.searchsorted(np.cumsum(steps), steps.sum() / 2)), len(steps) - 1)
