"""Surfaces: an objective over a plane."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ridgeline.engine import StrategyName, evaluate
from ridgeline.errors import GridError, UnknownName
from ridgeline.measures import Array
from ridgeline.paths import Plane
from ridgeline.profiles.profile import Objectives, as_splits
from ridgeline.profiles.records import about
from ridgeline.progress import Progress, under

__all__ = ["Surface", "surface"]


@dataclass(frozen=True, eq=False)
class Surface:
    """Loss and metrics at the points of a rectangular grid on a plane."""

    x: Array
    """Coordinates along the first axis, shape (X,)."""
    y: Array
    """Coordinates along the second axis, shape (Y,)."""
    values: dict[str, dict[str, Array]]
    """Split, then metric, to means of shape (Y, X)."""
    stderr: dict[str, dict[str, Array]]
    """The same, of the means' standard errors."""
    corners: Array
    """Coordinates of the three states that the plane is through, shape (3, 2)."""
    provenance: dict[str, Any] = field(default_factory=dict)

    def value(self, metric: str = "loss", split: str | None = None) -> Array:
        """One metric of one split, shape (Y, X).

        Raises:
            UnknownName: If there is no such split or metric.
        """
        split = split or next(iter(self.values))
        if split not in self.values:
            raise UnknownName("split", split, self.values)
        if metric not in self.values[split]:
            raise UnknownName("metric", metric, self.values[split])
        return self.values[split][metric]


def surface(
    plane: Plane,
    objective: Objectives,
    *,
    points: int | tuple[Array, Array] = 25,
    margin: float | None = None,
    strategy: StrategyName = "auto",
    progress: Progress | None = None,
    interrupted: Callable[[], bool] | None = None,
) -> Surface:
    """Measure an objective over a plane.

    Args:
        plane: From coordinates to a state.
        objective: What is measured; several by split name are measured one after another.
        points: Number of points along each axis of a frame about the plane's three states, or of
            one from -1 to 1 about its centre (see `Plane.axes`); or the coordinates (x, y).
        margin: Room around that, as a share of its larger extent.
        strategy: How the engine evaluates.
        progress: Told how far the work is.
        interrupted: As in `profile`.

    Returns:
        Values and standard errors on the grid.

    Raises:
        GridError: If an axis has fewer than two points or does not increase.
    """
    axes = plane.axes(points, margin) if isinstance(points, int) else points
    x, y = (np.asarray(axis, dtype=np.float64) for axis in axes)
    for axis in (x, y):
        if axis.ndim != 1 or len(axis) < 2 or (np.diff(axis) <= 0).any():
            raise GridError("An axis has two increasing points or more.", got=f"{axis}")
    at = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    combination = plane.combination(at)
    values: dict[str, dict[str, Array]] = {}
    stderr: dict[str, dict[str, Array]] = {}
    engine: dict[str, Any] = {}
    for split, goal in as_splits(objective).items():
        found = evaluate(
            goal,
            combination,
            strategy=strategy,
            joint=False,
            places=[f"x = {p[0]:.4g}, y = {p[1]:.4g}" for p in at],
            interrupted=interrupted,
            progress=under(progress, split),
        )
        shape = (len(y), len(x))
        values[split] = {n: m.mean.reshape(shape) for n, m in found.moments.items()}
        stderr[split] = {
            n: np.sqrt(np.maximum(m.covariance, 0) / m.n).reshape(shape)
            for n, m in found.moments.items()
        }
        engine[split] = about(found) | {"objective": goal.provenance()}
        if found.stopped == "interrupted":
            break
    about_plane = {"points": [len(x), len(y)], "unit": plane.unit, "centred": plane.centred}
    record = {"plane": about_plane, "splits": engine}
    return Surface(x, y, values, stderr, plane.corners, record)
