"""A number for each pair of two settings, as a heatmap with the numbers written in."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ridgeline.charts import Grid, Row
from ridgeline.measures.curve import Array
from ridgeline.numerals import number
from ridgeline.report.contours import BLACK, MAP, WHITE
from ridgeline.report.drawing import Drawn
from ridgeline.report.hovering import Target
from ridgeline.report.levels import powers, rounds
from ridgeline.report.style import COLUMN, RULE, canvas, channels, on_ramp

__all__ = ["draw_grid", "grid_notes", "grid_width", "tidy_grid"]

# Without the darkest end of the map: a cell has to be seen on a dark page too.
COLOURS = MAP[2:]
CELL = 0.5, 0.33
"""Inches of a cell: width and height."""
MANY, TOO_MANY = 13, 20
"""With more columns than these, cells lose their counts, and then their numbers."""


@dataclass(frozen=True, eq=False)
class _Ready:
    """A grid with its colours settled."""

    grid: Grid
    shares: Array
    """Places on the map, NaN where nothing is drawn."""
    ticks: list[float]
    """Values named on the bar."""
    places: list[float]
    """Where on the bar these are, from 0 to 1."""

    def text(self, i: int, j: int) -> tuple[str, str]:
        """A cell's number and its count."""
        value, many = self.grid.values[i, j], len(self.grid.columns)
        if not np.isfinite(value):
            return "", ""
        count = "" if many > MANY else f"n = {int(self.grid.counts[i, j])}"
        return (number(value, 3 if many <= 8 else 2) if many <= TOO_MANY else ""), count


def grid_notes(grid: Grid) -> list[str]:
    """Sentences on the cells that are blank or off the scale."""
    found = []
    if not np.isfinite(grid.values).all():
        found.append("Blank: not measured, or not finite.")
    if grid.log and (np.nan_to_num(grid.values, nan=1.0) <= 0).any():
        found.append("Values at or below zero have the lowest colour.")
    return found


def tidy_grid(grid: Grid) -> list[Row]:
    """The table that a grid is drawn from: a row for each cell."""
    return [
        {
            grid.y: row,
            grid.x: column,
            "value": float(grid.values[i, j]),
            "unit": grid.unit,
            "n": int(grid.counts[i, j]),
        }
        for i, row in enumerate(grid.rows)
        for j, column in enumerate(grid.columns)
    ]


def _ready(grid: Grid) -> _Ready:
    values = np.asarray(grid.values, float)
    good = values[np.isfinite(values) & ((values > 0) | (not grid.log))]
    low, high = (float(good.min()), float(good.max())) if len(good) else (0.1, 1.0)
    if low == high:
        low, high = (low / 2, high * 2) if grid.log else (low - (abs(low) / 2 or 0.5), high + 0.5)
    ticks = powers(low, high) if grid.log else rounds(low, high)
    scale: Any = np.log if grid.log else np.positive
    with np.errstate(invalid="ignore"):
        shown = np.where(np.isfinite(values), np.clip(values, low, high), np.nan)
    span = scale(high) - scale(low)
    shares = (scale(shown) - scale(low)) / span
    places = [float((scale(t) - scale(low)) / span) for t in ticks]
    return _Ready(grid, shares, ticks, places)


def grid_width(grid: Grid) -> float:
    """Inches on paper."""
    letters = max((len(r) for r in grid.rows), default=0)
    return min(max(0.95 + 0.055 * letters + CELL[0] * len(grid.columns), COLUMN), 2 * COLUMN)


def _contrast(shade: str) -> str:
    """Black or white, whichever stands out more from a colour (WCAG 2.2, relative luminance)."""
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 for c in channels(shade)]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return BLACK if (light + 0.05) / 0.056 > 1.05 / (light + 0.05) else WHITE


def draw_grid(grid: Grid, width: float) -> Drawn:
    """Draw a grid: cells coloured along one scale, each with its number and its count.

    Args:
        grid: What is shown; NaN leaves a cell blank.
        width: In inches.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    ready = _ready(grid)
    rows, columns = ready.shares.shape
    figure, (ax,) = canvas(1, (width, max(0.75 + CELL[1] * rows, 1.6)))
    colours = LinearSegmentedColormap.from_list("ridgeline-cells", COLOURS)
    masked = np.ma.masked_invalid(ready.shares)
    edges = {"edgecolors": RULE, "linewidth": 0.6}
    x, y = np.arange(columns + 1), np.arange(rows + 1)
    ax.pcolormesh(x, y, masked, cmap=colours, vmin=0, vmax=1, **edges)
    for i, j in np.ndindex(rows, columns):
        _write(ax, ready, i, j, 0.86 * (width - 1.1) / max(columns, 1))
    turned = max((len(c) for c in grid.columns), default=0) * 0.058 > 0.95 * (width - 1.1) / columns
    along = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if turned else {}
    ax.set_xticks(np.arange(columns) + 0.5, list(grid.columns), **along)
    ax.set_yticks(np.arange(rows) + 0.5, list(grid.rows))
    ax.set(xlabel=grid.x, ylabel=grid.y, xlim=(0, columns), ylim=(rows, 0))
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, 1), colours), ax=ax, label=grid.unit, aspect=18, pad=0.02
    )
    bar.set_ticks(ready.places, labels=[number(v) for v in ready.ticks])
    bar.outline.set_visible(False)  # type: ignore[operator]  # a Spine; the stub says otherwise
    bar.ax.tick_params(length=0)
    return Drawn(figure, [(ax, _targets(ready))])


def _write(ax: Any, ready: _Ready, i: int, j: int, room: float) -> None:
    value, count = ready.text(i, j)
    if not value:
        return
    shade = _contrast(on_ramp(float(ready.shares[i, j]), COLOURS))
    size = min(6.8, 72 * room / (0.62 * max(len(value), 4)))
    up = 0.4 if count else 0.5
    ax.text(j + 0.5, i + up, value, ha="center", va="center", color=shade, size=size)
    if count:
        small = min(5.2, 72 * room / (0.6 * max(len(count), 5)))
        ax.text(j + 0.5, i + 0.74, count, ha="center", va="center", color=shade, size=small)


def _targets(ready: _Ready) -> list[Target]:
    """The middles of the cells that have a number."""
    grid = ready.grid
    rows, columns = ready.shares.shape
    cells = [(i, j) for i, j in np.ndindex(rows, columns) if np.isfinite(grid.values[i, j])]
    texts = [
        f"{grid.y} {grid.rows[i]}\n{grid.x} {grid.columns[j]}\n"
        f"{grid.unit} {number(float(grid.values[i, j]), 4)}, n = {int(grid.counts[i, j])}"
        for i, j in cells
    ]
    x = np.array([(j + 0.5) / columns for _, j in cells])
    y = np.array([1 - (i + 0.5) / rows for i, _ in cells])
    return [Target("", WHITE, x, y, texts)]
