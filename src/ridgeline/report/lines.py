"""What the panels of a profile's figure show, whoever draws them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ridgeline import measures
from ridgeline.errors import UsageError
from ridgeline.measures import Array, Barrier, Curve
from ridgeline.numerals import Z, plus_minus
from ridgeline.report.style import colour

__all__ = ["Label", "Line", "caption", "labels", "lines", "samples_in_words", "unit"]

UNITS = {"error": "share of samples", "accuracy": "share of samples", "loss": "mean per sample"}
CROWD = 2
"""With more lines than this, only those of the first split get a chord and a label."""
WIDE, HIGH = 0.3, 0.085
"""Room of a label, as shares of a panel."""
FLAT = 1e-9
"""Least height of a panel, as a share of its values: where these differ by rounding alone."""
ASIDE = 0.9
"""What it costs a label to be beside its top, against being above it: as much as this far up."""


@dataclass(frozen=True, eq=False)
class Line:
    """One curve of a panel."""

    label: str
    split: str
    colour: str
    dash: int
    """Which pattern: the number of the split."""
    curve: Curve
    top: Barrier | None
    """The barrier against the chord, if it is finite, above zero and shall be shown."""
    chord: Array | None
    """Values at both ends, if they are finite and the chord shall be shown."""

    @property
    def shown(self) -> Array:
        """The mean, NaN where it is not finite."""
        return np.where(np.isfinite(self.curve.mean), self.curve.mean, np.nan)

    @property
    def half(self) -> Array:
        """Half the width of the 95 % band; zero where it is not finite."""
        return np.where(np.isfinite(self.curve.stderr), Z * self.curve.stderr, 0.0)

    @property
    def peak(self) -> tuple[float, float, float]:
        """Position of the barrier's top, its value, and the chord's there."""
        assert self.top is not None
        assert self.chord is not None
        t = self.top.at
        on = self.chord[0] + (self.chord[1] - self.chord[0]) * t
        return t, float(self.curve.mean[self.curve.t == t][0]), float(on)


@dataclass(frozen=True)
class Label:
    """A barrier's height and where in the panel it is written."""

    x: float
    y: float
    text: str
    colour: str


def lines(wanted: Mapping[str, Mapping[str, Mapping[str, Curve]]], metric: str) -> list[Line]:
    """The lines of a metric's panel.

    Args:
        wanted: Curves by path, split and metric.
        metric: Which.

    Returns:
        A line for each path and split that has it: a colour for each path and a pattern for
        each split, or a colour and pattern for each split if there is one path.
    """
    splits = list(dict.fromkeys(s for curves in wanted.values() for s in curves))
    several = len(wanted) > 1
    crowded = sum(metric in m for curves in wanted.values() for m in curves.values()) > CROWD
    found = []
    for i, (path, curves) in enumerate(wanted.items()):
        for split, by_metric in curves.items():
            if metric not in by_metric:
                continue
            j = splits.index(split)
            names = [path] * several + [split] * (len(splits) > 1 or not several)
            curve = by_metric[metric]
            marked = not crowded or j == 0
            top, chord = (_top(curve), _chord(curve)) if marked else (None, None)
            shade = colour(i if several else j)
            found.append(Line(", ".join(names), split, shade, j, curve, top, chord))
    return found


def labels(panel: Sequence[Line]) -> tuple[list[Label], tuple[float, float]]:
    """Where each barrier's height is written: above its top, or beside it, where room is nearest.

    Args:
        panel: Its lines.

    Returns:
        Labels that cross neither a curve nor each other, and the panel's range of values.
    """
    edges = np.concatenate([e for p in panel for e in (p.shown - p.half, p.shown + p.half)])
    good = edges[np.isfinite(edges)]
    low, high = (float(good.min()), float(good.max())) if len(good) else (0.0, 1.0)
    span = max(high - low, FLAT * abs(high)) or 1.0
    step = span * HIGH
    found: list[Label] = []
    for line in sorted((p for p in panel if p.top), key=lambda p: p.peak[1]):
        assert line.top is not None
        t, value, _ = line.peak
        above = min(max(t, WIDE / 2), 1 - WIDE / 2)
        places = []
        for x in (above, *np.linspace(WIDE / 2, 1 - WIDE / 2, 12).tolist()):
            rows = value + step * (0.7 + 0.25 * np.arange(5 / HIGH + 8 * len(found)))
            # The last lie above all curves and labels.
            y = next((y for y in rows.tolist() if _free(x, y, step, panel, found)), rows[-1])
            places.append(((y - value) / span + ASIDE * abs(x - above), x, y))
        _, x, y = min(places)
        found.append(Label(x, y, plus_minus(line.top.height, line.top.stderr), line.colour))
    top = max([high + 0.5 * step, *(a.y + 0.8 * step for a in found)])
    return found, (low - 0.05 * span, top)


def caption(panels: Mapping[str, Sequence[Line]]) -> str:
    """What the panels show, over how many samples."""
    every = [line for panel in panels.values() for line in panel]
    what = " and ".join(panels).capitalize()
    text = f"{what} along the path; means over {samples_in_words(every)}."
    if any((line.half > 0).any() for line in every):
        text += " Bands are 95 % intervals."
    if any(line.top for line in every):
        text += (
            " Dashed thin: the chord between the ends; dots: the top of the barrier above it, "
            "with its height"
        )
        marked = {line.split for line in every if line.chord is not None}
        bare = {line.split for line in every} - marked
        text += f" (not drawn for {', '.join(sorted(bare))})." if bare else "."
    if any(np.isnan(line.shown).any() for line in every):
        text += " Crosses mark positions where the mean is not finite."
    return text


def samples_in_words(panel: Sequence[Line]) -> str:
    """How many samples: ``n = 1437 (train), 360 (test)``."""
    by_split = dict.fromkeys((line.split, line.curve.n) for line in panel)
    by_label = dict.fromkeys((line.label, line.curve.n) for line in panel)
    alike = len({split for split, _ in by_split}) == len(by_split)
    return "n = " + ", ".join(f"{n} ({name})" for name, n in (by_split if alike else by_label))


def unit(metric: str, units: Mapping[str, str] | None = None) -> str:
    """A metric's name with its unit, for an axis."""
    known = {**UNITS, **(units or {})}
    return f"{metric} ({known[metric]})" if metric in known else metric


def _top(curve: Curve) -> Barrier | None:
    if _chord(curve) is None:
        return None
    found = measures.barrier(curve)
    return found if np.isfinite(found.height) and found.height > 0 else None


def _chord(curve: Curve) -> Array | None:
    try:
        ends = curve.mean[list(curve.ends())]
    except UsageError:
        return None
    return ends if np.isfinite(ends).all() else None


def _free(x: float, y: float, step: float, panel: Sequence[Line], taken: Sequence[Label]) -> bool:
    """True if a label there covers no curve, no other label and no upright line to a top."""
    if any(abs(x - a.x) < WIDE and abs(y - a.y) < step for a in taken):
        return False
    low, high = y - step / 2, y + step / 2
    across = np.linspace(x - WIDE / 2, x + WIDE / 2, 41)
    for line in panel:
        good = np.isfinite(line.shown)
        if not good.any():
            continue
        under, over = (
            np.interp(across, line.curve.t[good], (line.shown + side * line.half)[good])
            for side in (-1, 1)
        )
        if not (under > high).all() and not (over < low).all():
            return False
        if line.top:
            at, top, foot = line.peak
            if abs(at - x) < WIDE / 2 and foot < high and top > low:
                return False
    return True
