"""Surfaces as filled contours, with the states and trajectories that lie on them."""

import numpy as np
from numpy.typing import ArrayLike

from ridgeline.charts import Landscape, Row
from ridgeline.errors import UsageError
from ridgeline.measures.curve import Array
from ridgeline.numerals import number
from ridgeline.report.drawing import Drawn
from ridgeline.report.frames import Scale
from ridgeline.report.hovering import Target
from ridgeline.report.levels import levels, named_levels
from ridgeline.report.style import COLUMN, RULE, canvas
from ridgeline.report.tables import surface_rows

__all__ = [
    "BLACK",
    "DISTANCE",
    "MAP",
    "WHITE",
    "WIDTH",
    "draw_landscape",
    "landscape_notes",
    "landscape_rows",
    "places",
    "trail_of",
]

# Lightness rises evenly, by about 8.5 of CIE L* from one to the next, which every reader sees.
MAP = (
    *("#1b1030", "#2e1e4f", "#3b2f6e", "#3e4a8c", "#38659e", "#357f9f", "#3498a6", "#3fb2ab"),
    *("#63ccad", "#a1dfb9", "#def5e5"),
)
# On the map, whatever the page's theme.
WHITE, BLACK = "#ffffff", "#101418"
TRAILS = ("#ff7a45", "#ffd23f", "#ff9ecf", "#ffffff")

WIDTH = 1.25 * COLUMN
DISTANCE = "distance in weight space"


def places(values: Array, at: Array) -> Array:
    """The number of each value's level and how far it is to the next: never smoothed.

    Args:
        values: Of the surface, shape (Y, X).
        at: The levels, increasing.
    """
    inside = np.interp(values, at, np.arange(len(at), dtype=float))
    return np.where(np.isfinite(values), inside, np.nan)


def draw_landscape(chart: Landscape, width: float = WIDTH) -> Drawn:
    """Draw a surface, its states and its trajectories.

    Args:
        chart: What is shown.
        width: In inches.

    Raises:
        UnknownName: If the surface lacks the metric or split.
        UsageError: If no value is finite, or a trajectory is not of pairs.
    """
    from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap
    from matplotlib.patheffects import withStroke

    surface = chart.surface
    split = chart.split or next(iter(surface.values))
    values = surface.value(chart.metric, split)
    trails = {name: trail_of(name, trail) for name, trail in chart.trajectories.items()}
    x, y, steps = surface.x, surface.y, levels(values)
    at = np.arange(len(steps))
    inner = width - 1.05  # of the panel, without what stands beside it
    tall = inner * (y[-1] - y[0]) / (x[-1] - x[0]) + (0.72 if trails else 0.5)
    figure, (ax,) = canvas(1, (width, min(max(tall, 1.8), 6.5)))
    masked = np.ma.masked_invalid(places(values, steps))
    axis = surface.provenance.get("plane", {}).get("unit", DISTANCE)
    unit = chart.unit or chart.metric
    colours = LinearSegmentedColormap.from_list("ridgeline", MAP)
    scale = {"cmap": colours, "norm": BoundaryNorm(at, 256)}
    ax.set_facecolor(RULE)
    filled = ax.contourf(x, y, masked, at, **scale)
    ax.contour(x, y, masked, at, colors=BLACK, linewidths=0.25, alpha=0.4)
    ax.set(aspect="equal", xlabel=axis, ylabel=axis)
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    ax.grid(visible=False)
    beside = ax.inset_axes((1.035, 0.0, 0.035, 1.0))  # as tall as the panel, whatever its aspect
    bar = figure.colorbar(filled, cax=beside, label=unit, spacing="uniform")
    named = named_levels(steps)
    bar.set_ticks(np.interp(named, steps, at).tolist(), labels=[number(v) for v in named])
    bar.outline.set_visible(False)  # type: ignore[operator]  # a Spine; the stub says otherwise
    bar.minorticks_off()
    beside.tick_params(length=0)
    dark = withStroke(linewidth=2.6, foreground=BLACK, alpha=0.8)
    for i, (name, trail) in enumerate(trails.items()):
        shade = TRAILS[i % len(TRAILS)]
        ax.plot(*trail.T, color=shade, lw=1.3, label=name, path_effects=[dark])
        k = _arrow(trail)
        if k is not None:
            shape = {"arrowstyle": "-|>", "color": BLACK, "fc": shade, "mutation_scale": 9}
            # Only the head: the line is there already.
            near = trail[k] + 0.98 * (trail[k + 1] - trail[k])
            shape |= {"lw": 0.6, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", trail[k + 1], near, arrowprops=shape)
    if trails:
        figure.legend(loc="outside upper left", ncols=len(trails))
    middle = (y[0] + y[-1]) / 2, (x[0] + x[-1]) / 2
    for name, (px, py) in chart.points.items():
        ax.plot(px, py, "o", ms=4.5, color=WHITE, mec=BLACK, mew=0.9, zorder=5)
        ax.annotate(
            name,
            (px, py),
            xytext=(5 if px < middle[1] else -5, 5 if py > middle[0] else -5),
            textcoords="offset points",
            ha="left" if px < middle[1] else "right",
            va="bottom" if py > middle[0] else "top",
            color=WHITE,
            size=7.2,
            weight="bold",
            zorder=6,
            path_effects=[dark],
        )
    return Drawn(figure, [(ax, _targets(chart, values, trails, unit))])


def _targets(chart: Landscape, values: Array, trails: dict[str, Array], unit: str) -> list[Target]:
    surface = chart.surface
    x, y = Scale(surface.x[0], surface.x[-1]), Scale(surface.y[0], surface.y[-1])
    what = unit.partition(" (")[0]

    def target(name: str, shade: str, points: Array, texts: list[str]) -> Target:
        return Target(name, shade, x.share(points[:, 0]), y.share(points[:, 1]), texts)

    across, up = np.meshgrid(surface.x, surface.y)
    grid = np.stack([across.ravel(), up.ravel()], 1)
    good = np.isfinite(values).ravel()
    told = [
        f"x {number(a)}, y {number(b)}\n{what} {number(v, 4)}"
        for (a, b), v in zip(grid[good], values.ravel()[good], strict=True)
    ]
    found = [target("", WHITE, grid[good], told)]
    for i, (name, trail) in enumerate(trails.items()):
        states = [f"kept state {k}" for k in range(len(trail))]
        found.append(target(name, TRAILS[i % len(TRAILS)], trail, states))
    for name, point in chart.points.items():
        place = ", ".join(f"{axis} {number(v)}" for axis, v in zip("xy", point, strict=False))
        found.append(target(name, BLACK, np.array([point], float), [place]))
    return found


def trail_of(name: str, points: ArrayLike) -> Array:
    """The first two columns of a trajectory's coordinates."""
    found = np.asarray(points, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] < 2 or not len(found):
        raise UsageError(
            "A trajectory is a list of pairs (x, y).", got=f"shape {found.shape} for {name!r}"
        )
    return found[:, :2]


def _arrow(trail: Array) -> int | None:
    """The step at the middle of a trajectory's length, where its arrow goes."""
    steps = np.linalg.norm(np.diff(trail, axis=0), axis=1)
    if not len(steps) or not steps.sum():
        return None
    return min(int(np.searchsorted(np.cumsum(steps), steps.sum() / 2)), len(steps) - 1)


def landscape_notes(chart: Landscape) -> list[str]:
    """Sentences on what is left blank, and on states that are not on the plane's piece."""
    surface = chart.surface
    values = surface.value(chart.metric, chart.split or next(iter(surface.values)))
    found = [] if np.isfinite(values).all() else ["Left blank: not finite."]
    x, y = surface.x, surface.y
    out = [
        name
        for name, (a, b) in chart.points.items()
        if not (x[0] <= a <= x[-1] and y[0] <= b <= y[-1])
    ]
    return found + ([f"Outside of what is shown: {', '.join(out)}."] if out else [])


def landscape_rows(chart: Landscape) -> list[Row]:
    """The table that a landscape is drawn from; ``kind`` says what a row is of."""
    split = chart.split or next(iter(chart.surface.values))
    grid = [
        {"kind": "surface", "label": "", **row}
        for row in surface_rows(chart.surface)
        if row["metric"] == chart.metric and row["split"] == split
    ]
    lines = [
        {"kind": "trajectory", "label": label, "x": float(x), "y": float(y)}
        for label, trail in chart.trajectories.items()
        for x, y in trail_of(label, trail)
    ]
    marks = [{"kind": "point", "label": k, "x": x, "y": y} for k, (x, y) in chart.points.items()]
    return grid + lines + marks
