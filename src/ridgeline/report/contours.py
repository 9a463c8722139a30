"""Surfaces as filled contours, with the states and trajectories that lie on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ridgeline.measures import Array
from ridgeline.numerals import number
from ridgeline.report.figures import Figure
from ridgeline.report.layouts import layout
from ridgeline.report.levels import levels, named_levels
from ridgeline.report.lines import unit
from ridgeline.report.style import COLUMN, RULE, SOFT, canvas
from ridgeline.report.summary import plain
from ridgeline.report.trails import Points, Trails, arrow, tidy, trail_of

if TYPE_CHECKING:
    from ridgeline.profiles import Surface

__all__ = ["surface_figure"]

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

    Returns:
        A figure; nothing is drawn yet. Its table has a column ``kind``: surface, trajectory or
        point.

    Raises:
        UnknownName: If the surface lacks the metric or split.
        UsageError: If no value is finite, or a trajectory is not of pairs.
    """
    split = split or next(iter(surface.values))
    values = surface.value(metric, split)
    at = levels(values)
    corners = dict(zip("abc", surface.corners, strict=True))
    marked: Points = {
        k: (float(v[0]), float(v[1])) for k, v in (corners if points is None else points).items()
    }
    trails = {k: trail_of(k, v) for k, v in (trajectories or {}).items()}
    n = surface.provenance.get("splits", {}).get(split, {}).get("samples_evaluated")
    seen = f", means over n = {n} samples" if n else ""
    axis = surface.provenance.get("plane", {}).get("unit", DISTANCE)
    where = "distances in weight space from the first state" if axis == DISTANCE else axis
    caption = (
        f"{metric.capitalize()} on {split} over the plane{seen}; axes are {where}. Colours are "
        "those of the levels, straight between the points that were measured."
    )
    if trails:
        caption += " Lines: training, projected onto the plane, in the direction of the arrows."
    if not np.isfinite(values).all():
        caption += " Left blank: not finite."
    label = unit(metric, units)
    drawn = _Drawn(surface.x, surface.y, values, at, label, axis)
    return Figure(
        name=name,
        title=title,
        caption=caption,
        rows=tidy(surface, metric, split, marked, trails),
        draw=lambda: _draw(drawn, marked, trails),
        plot=lambda: _plot(drawn, marked, trails),
        width=WIDTH,
    )


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What the page and the paper draw alike: positions among the levels, never smoothed."""

    x: Array
    y: Array
    values: Array
    levels: Array
    label: str
    axis: str

    @cached_property
    def places(self) -> Array:
        """The number of each value's level and how far it is to the next, shape (Y, X)."""
        numbers = np.arange(len(self.levels), dtype=float)
        inside = np.interp(self.values, self.levels, numbers)
        return np.where(np.isfinite(self.values), inside, np.nan)

    @property
    def ticks(self) -> tuple[Array, list[str]]:
        """Where levels are named, and how."""
        named = named_levels(self.levels)
        numbers = np.arange(len(self.levels), dtype=float)
        return np.interp(named, self.levels, numbers), [number(v) for v in named]


def _draw(drawn: _Drawn, points: Points, trails: Trails) -> Any:
    from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap
    from matplotlib.patheffects import withStroke

    x, y, at = drawn.x, drawn.y, np.arange(len(drawn.levels))
    width = WIDTH - 1.05  # of the panel, without what stands beside it
    tall = width * (y[-1] - y[0]) / (x[-1] - x[0]) + (0.72 if trails else 0.5)
    figure, (ax,) = canvas(1, (WIDTH, min(max(tall, 1.8), 6.5)))
    masked = np.ma.masked_invalid(drawn.places)
    colours = LinearSegmentedColormap.from_list("ridgeline", MAP)
    scale = {"cmap": colours, "norm": BoundaryNorm(at, 256)}
    ax.set_facecolor(RULE)
    filled = ax.contourf(x, y, masked, at, **scale)
    ax.contour(x, y, masked, at, colors=BLACK, linewidths=0.25, alpha=0.4)
    ax.set(aspect="equal", xlabel=drawn.axis, ylabel=drawn.axis)
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    ax.grid(visible=False)
    beside = ax.inset_axes((1.035, 0.0, 0.035, 1.0))  # as tall as the panel, whatever its aspect
    bar = figure.colorbar(filled, cax=beside, label=drawn.label, spacing="uniform")
    ticks, named = drawn.ticks
    bar.set_ticks(ticks.tolist(), labels=named)
    bar.outline.set_visible(False)  # type: ignore[operator]  # a Spine; the stub says otherwise
    bar.minorticks_off()
    beside.tick_params(length=0)
    dark = withStroke(linewidth=2.6, foreground=BLACK, alpha=0.8)
    for i, (name, trail) in enumerate(trails.items()):
        shade = TRAILS[i % len(TRAILS)]
        ax.plot(*trail.T, color=shade, lw=1.3, label=name, path_effects=[dark])
        k = arrow(trail)
        if k is not None:
            shape = {"arrowstyle": "-|>", "color": BLACK, "fc": shade, "mutation_scale": 9}
            # Only the head: the line is there already.
            near = trail[k] + 0.98 * (trail[k + 1] - trail[k])
            shape |= {"lw": 0.6, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", trail[k + 1], near, arrowprops=shape)
    if trails:
        figure.legend(loc="outside upper left", ncols=len(trails))
    middle = (y[0] + y[-1]) / 2, (x[0] + x[-1]) / 2
    for name, (px, py) in points.items():
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
    return figure


def _plot(drawn: _Drawn, points: Points, trails: Trails) -> dict[str, Any]:
    # Plotly's contours are equally spaced: draw the number of the level, name it by its value.
    ticks, named = drawn.ticks
    scale = {
        "title": {"text": drawn.label, "side": "right", "font": {"size": 13}},
        "tickvals": plain(ticks),
        "ticktext": named,
        "thickness": 14,
        "outlinewidth": 0,
        "len": 1,
    }
    data: list[dict[str, Any]] = [
        {
            "type": "contour",
            "x": plain(drawn.x),
            "y": plain(drawn.y),
            "z": plain(drawn.places),
            "text": [[number(v) for v in line] for line in drawn.values],
            "zmin": 0,
            "zmax": len(drawn.levels) - 1,
            "contours": {"start": 0, "end": len(drawn.levels) - 1, "size": 1},
            "line": {"width": 0.4, "color": "rgba(16,20,24,0.4)", "smoothing": 0},
            "colorscale": [[i / (len(MAP) - 1), c] for i, c in enumerate(MAP)],
            "colorbar": scale,
            "hovertemplate": "x %{x:.3g}, y %{y:.3g}<br>" + drawn.label + " %{text}<extra></extra>",
        }
    ]
    for i, (name, trail) in enumerate(trails.items()):
        both = {"type": "scatter", "x": plain(trail[:, 0]), "y": plain(trail[:, 1])}
        halo = {"color": "rgba(16,20,24,0.7)", "width": 4.5}
        line = {"color": TRAILS[i % len(TRAILS)], "width": 2.2}
        quiet = {"mode": "lines", "hoverinfo": "skip", "showlegend": False}
        data.append({**both, **quiet, "line": halo})
        data.append(
            {
                **both,
                "mode": "lines",
                "name": name,
                "line": line,
                "hovertemplate": f"{name}, kept state %{{pointNumber}}<extra></extra>",
            }
        )
        k = arrow(trail)
        if k is not None:
            # The first of the two points only gives the direction.
            step = {"x": plain(trail[k : k + 2, 0]), "y": plain(trail[k : k + 2, 1])}
            head = {"symbol": "arrow", "angleref": "previous", "size": [0, 13], "opacity": 1}
            edge = {"color": line["color"], "line": {"color": BLACK, "width": 1}}
            data.append({**both, **step, **quiet, "mode": "markers", "marker": head | edge})
    middle = (drawn.x[0] + drawn.x[-1]) / 2, (drawn.y[0] + drawn.y[-1]) / 2
    data.append(
        {
            "type": "scatter",
            "mode": "markers+text",
            "showlegend": False,
            "x": [p[0] for p in points.values()],
            "y": [p[1] for p in points.values()],
            "text": [f"<b>{name}</b>" for name in points],
            "textposition": [
                ("top " if p[1] > middle[1] else "bottom ")
                + ("right" if p[0] < middle[0] else "left")
                for p in points.values()
            ],
            "textfont": {"color": WHITE, "size": 13, "shadow": ", ".join([f"0 0 3px {BLACK}"] * 3)},
            "marker": {"color": WHITE, "size": 9, "line": {"color": BLACK, "width": 1.5}},
            "hovertemplate": "%{text}<extra></extra>",
        }
    )
    frame = {"title": {"text": drawn.axis}, "showgrid": False, "linecolor": SOFT}
    square = {"scaleanchor": "x", "scaleratio": 1, "constrain": "domain"}
    axes = [{"x": {**frame, "constrain": "domain"}, "y": {**frame, **square}}]
    aspect = (drawn.y[-1] - drawn.y[0]) / (drawn.x[-1] - drawn.x[0])
    height = round(min(max(110 + 500 * aspect, 320), 820))  # fills the width at equal aspect
    return {"data": data, "layout": layout(axes, height=height) | {"hovermode": "closest"}}
