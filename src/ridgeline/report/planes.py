"""Surfaces over a plane, with states and trajectories of training, as charts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from ridgeline.charts import Landscape
from ridgeline.report.contours import DISTANCE, trail_of
from ridgeline.report.figures import Figure
from ridgeline.report.panels import unit

if TYPE_CHECKING:
    from ridgeline.profiles import Surface

__all__ = ["surface_figure"]


def surface_figure(
    surface: "Surface",
    *,
    metric: str = "loss",
    split: str | None = None,
    trajectories: Mapping[str, ArrayLike] | None = None,
    points: Mapping[str, tuple[float, float]] | None = None,
    name: str = "surface",
    title: str = "On the plane",
    units: Mapping[str, str] | None = None,
    lines: str = "training, projected onto the plane, in the direction of the arrows",
) -> Figure:
    """Draw a surface as filled contours, with labelled states and trajectories.

    Args:
        surface: From `ridgeline.surface`.
        metric: Which.
        split: Which; the first by default.
        trajectories: Coordinates on the plane by name, shape (S, 2) or more columns, of which
            the first two are used.
        points: Coordinates of states by their label; the corners as a, b and c by default.
        name: For files.
        title: Of the figure.
        units: By metric, for the label of the scale.
        lines: What the trajectories are, for the caption.

    Returns:
        A figure; nothing is drawn yet. Its table has a column ``kind``: surface, trajectory or
        point.

    Raises:
        UnknownName: If the surface lacks the metric or split.
        UsageError: If no value is finite, or a trajectory is not of pairs.
    """
    split = split or next(iter(surface.values))
    surface.value(metric, split)  # refuses what it lacks
    corners = dict(zip("abc", surface.corners, strict=True))
    marked = corners if points is None else points
    n = surface.provenance.get("splits", {}).get(split, {}).get("samples_evaluated")
    seen = f", means over n = {n} samples" if n else ""
    axis = surface.provenance.get("plane", {}).get("unit", DISTANCE)
    where = "distances in weight space from the first state" if axis == DISTANCE else axis
    caption = (
        f"{metric.capitalize()} on {split} over the plane{seen}; axes are {where}. Colours are "
        "those of the levels, straight between the points that were measured."
    )
    if trajectories:
        caption += f" Lines: {lines}."
    return Figure(
        Landscape(
            name=name,
            title=title,
            caption=caption,
            surface=surface,
            metric=metric,
            split=split,
            unit=unit(metric, units),
            points={k: (float(v[0]), float(v[1])) for k, v in marked.items()},
            trajectories={k: trail_of(k, v) for k, v in (trajectories or {}).items()},
        )
    )
