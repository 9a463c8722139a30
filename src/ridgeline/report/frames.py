"""Panels made ready: colours by label, ranges of axes, gaps, and what to say of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ridgeline.charts import Panel, Panels, Rows, Series
from ridgeline.measures.curve import Array
from ridgeline.report.style import INK, PALETTE, SOFT, on_ramp

__all__ = ["DASHES", "Frame", "Scale", "Stroke", "edges", "frames"]

DASHES = 4
"""Patterns of lines, and symbols of points, there are."""
PAD = 0.04
FEW = 8
"""With no more positions than this, each one is named on the axis."""
FLAT = 1e-9
"""Least width of an axis, as a share of its values: where these differ by rounding alone."""
BESIDE = 0.36
"""Room for what is written beside the longest bar, as a share of the axis before."""


@dataclass(frozen=True)
class Scale:
    """One axis: its range, and positions on it as shares of its length."""

    low: float
    high: float
    log: bool = False

    def share(self, values: Array | float) -> Array:
        """Where values lie: 0 at the lower end, 1 at the upper."""
        low, high, at = (self._even(np.asarray(v, float)) for v in (self.low, self.high, values))
        return (at - low) / (high - low)

    def value(self, share: float) -> float:
        """The value at a share; the inverse of `share`."""
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return float(self.low + (self.high - self.low) * share)

    def shows(self, value: float) -> bool:
        """True if a value is on the axis at all."""
        return bool(np.isfinite(value)) and (value > 0 or not self.log)

    def _even(self, values: Array) -> Array:
        if not self.log:
            return values
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log10(values)


@dataclass(frozen=True, eq=False)
class Stroke:
    """A series as it is drawn; NaN where there is a gap."""

    series: Series
    key: int
    """Number of its label: what is pointed at stands out together."""
    colour: str
    dash: int
    """From 0 to `DASHES` - 1."""
    x: Array
    y: Array
    low: Array | None
    high: Array | None

    @property
    def label(self) -> str:
        """Of its series."""
        return self.series.label

    @property
    def named(self) -> bool:
        """True if it has an entry in the legend."""
        own = self.series
        return bool(own.label) and not (own.faint or own.guide or self.empty)

    @property
    def empty(self) -> bool:
        """True if there is nothing to see."""
        return not (np.isfinite(self.x) & np.isfinite(self.y)).any()


@dataclass(frozen=True, eq=False)
class Frame:
    """A panel with everything settled before it is drawn."""

    panel: Panel | Rows
    strokes: Sequence[Stroke]
    x: Scale
    y: Scale
    ticks: Sequence[float] | None
    """Positions that are named on the horizontal axis, if they are few."""
    colours: dict[str, str]
    """By label."""

    @property
    def empty(self) -> bool:
        """True if no series has anything to see."""
        return all(stroke.empty for stroke in self.strokes)

    def marked(self, axis: str) -> Iterator[tuple[float, str, str]]:
        """Value, label and colour of each mark on an axis that has a place for it."""
        for mark in self.panel.marks:
            if mark.axis == axis and getattr(self, axis).shows(mark.value):
                yield mark.value, mark.label, self.colours.get(mark.of, SOFT)


def frames(chart: Panels) -> list[Frame]:
    """The panels of a chart, ready to be drawn.

    A label has one colour in all panels: its place on the ramp if it is given one, else the next
    of the palette. After the palette's last colour they come again with another dash.
    """
    every = [series for panel in chart.panels for series in panel.series]
    looks = _looks(every)
    keys = {label: k for k, label in enumerate(dict.fromkeys(s.label for s in every))}
    return [_frame(panel, looks, keys) for panel in chart.panels]


def edges(series: Series) -> tuple[Array | None, Array | None]:
    """Both edges of a series' band, as arrays."""
    low, high = series.low, series.high
    return (
        None if low is None else np.asarray(low, float),
        None if high is None else np.asarray(high, float),
    )


def _looks(every: Sequence[Series]) -> dict[str, tuple[str, int]]:
    """By label: its colour, and by how much its dashes are shifted."""
    group = {s.label: s.group or s.label for s in every}
    found: dict[str, tuple[str, int]] = {}
    for series in every:
        if series.strong:
            found.setdefault(group[series.label], (INK, 0))
        elif series.ordered is not None:
            found.setdefault(group[series.label], (on_ramp(series.ordered), 0))
    rest = [s for s in every if group[s.label] not in found]
    named = dict.fromkeys(group[s.label] for s in rest if not (s.faint or s.guide))
    pale = dict.fromkeys(group[s.label] for s in rest if group[s.label] not in named)
    wanted, grey = (list(named), list(pale)) if named or found else (list(pale), [])
    for i, label in enumerate(wanted):
        found[label] = (PALETTE[i % len(PALETTE)], i // len(PALETTE))
    # Single runs that no legend names stand behind what it does name.
    found |= dict.fromkeys(grey, (SOFT, 0))
    return {label: found[own] for label, own in group.items()}


def _frame(panel: Panel | Rows, looks: dict[str, tuple[str, int]], keys: dict[str, int]) -> Frame:
    log_x, log_y = (panel.log_x, panel.log_y) if isinstance(panel, Panel) else (False, False)
    floor = _floor(panel) if isinstance(panel, Panel) and log_y else None
    strokes = [
        _stroke(s, keys[s.label], looks[s.label], (log_x, log_y), floor) for s in panel.series
    ]
    colours = {label: colour for label, (colour, _) in looks.items()}
    seen = [s for s in strokes if not s.empty]
    if isinstance(panel, Rows):
        return Frame(panel, strokes, _row_scale(panel, seen), _rows(panel), None, colours)
    marks = {axis: [m.value for m in panel.marks if m.axis == axis] for axis in ("x", "y")}
    xs = [s.x[np.isfinite(s.y)] for s in seen]
    ys = [v for s in seen for v in (s.y, s.low, s.high) if v is not None]
    ys += [np.array([r.low, r.high]) for r in panel.rises]
    x = _scale([*xs, np.array(marks["x"])], log_x)
    y = _scale([*ys, np.array(marks["y"])], log_y, panel.y_range)
    return Frame(panel, strokes, x, y, _ticks(xs, x), colours)


def _row_scale(panel: Rows, seen: Sequence[Stroke]) -> Scale:
    values = [v for s in seen for v in (s.x, s.low, s.high) if v is not None]
    values += [np.array([m.value for m in panel.marks if m.axis == "x"])]
    if not panel.bars:
        return _scale(values, False)
    found = np.concatenate(values)
    found = found[np.isfinite(found)]
    low, high = min(0.0, *found, 0.0), max(1e-12, *found, 1e-12)
    return Scale(low, high + BESIDE * (high - low) * bool(panel.texts))


def _rows(panel: Rows) -> Scale:
    """From above."""
    return Scale(len(panel.names) - 0.5, -0.5)


def _stroke(
    series: Series,
    key: int,
    look: tuple[str, int],
    log: tuple[bool, bool],
    floor: float | None,
) -> Stroke:
    x, y = np.asarray(series.x, float), np.asarray(series.y, float)
    bad = ~np.isfinite(x) | ~np.isfinite(y)
    bad |= (x <= 0) if log[0] else False
    bad |= (y <= 0) if log[1] else False
    low, high = edges(series)
    if low is not None or high is not None:
        # A band with one edge ends at its line.
        low, high = (_cut(y if e is None else e, bad, floor) for e in (low, high))
    return Stroke(
        series=series,
        key=key,
        colour=look[0],
        dash=(series.dash + look[1]) % DASHES,
        x=x,
        y=np.where(bad, np.nan, y),
        low=low,
        high=high,
    )


def _cut(edge: Array, bad: np.ndarray, floor: float | None) -> Array:
    shown = np.where(bad | ~np.isfinite(edge), np.nan, edge)
    return shown if floor is None else np.maximum(shown, floor)


def _floor(panel: Panel) -> float:
    """Where a band that reaches zero is cut on a logarithm's scale."""
    every = [np.asarray(v, float) for s in panel.series for v in (s.y, *edges(s)) if v is not None]
    values = np.concatenate([*every, [m.value for m in panel.marks if m.axis == "y"]])
    good = values[np.isfinite(values) & (values > 0)]
    return float(good.min()) if len(good) else 1.0


def _scale(every: list[Array], log: bool, given: tuple[float, float] | None = None) -> Scale:
    values = np.concatenate(every) if every else np.zeros(0)
    good = values[np.isfinite(values) & ((values > 0) | (not log))]
    low, high = (float(good.min()), float(good.max())) if len(good) else (1.0, 1.0)
    if given is not None and given[0] < given[1] and (given[0] > 0 or not log):
        return Scale(float(given[0]), float(given[1]), log)
    if high - low <= FLAT * max(abs(low), abs(high)):
        half = abs(low) / 2 or 0.5
        low, high = (low / 2, high * 2) if log else (low - half, high + half)
    if log:
        by = (high / low) ** PAD
        return Scale(low / by, high * by, log)
    by = PAD * (high - low)
    return Scale(low - by, high + by, log)


def _ticks(xs: list[Array], scale: Scale) -> list[float] | None:
    """The positions themselves, if they are few and apart, and round or on a logarithm's scale."""
    values = np.unique(np.concatenate(xs)) if xs else np.zeros(0)
    if not 2 <= len(values) <= FEW or not (scale.log or (values == np.round(values)).all()):
        return None
    return values.tolist() if np.diff(scale.share(values)).min() > 0.09 else None
