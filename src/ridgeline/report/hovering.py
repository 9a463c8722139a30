"""Names, values and intervals of what a reader points at on a page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ridgeline.charts import Rows
from ridgeline.measures.curve import Array
from ridgeline.numerals import number, position
from ridgeline.report.estimates import estimate_words
from ridgeline.report.frames import Frame, Stroke
from ridgeline.report.style import SOFT

__all__ = ["Target", "packed", "targets_of"]

DIGITS = 4
"""Of shares of a panel: finer than a dot on any screen."""


@dataclass(frozen=True, eq=False)
class Target:
    """Points of one name that can be pointed at in a panel."""

    name: str
    colour: str
    x: Array
    """Shares of the panel's width."""
    y: Array
    """Shares of its height, from below."""
    texts: Sequence[str]
    """Lines of text, one for each point."""
    key: int | None = None
    """Number of the label that stands out with it."""
    level: bool = False
    """True if it is pointed at anywhere at its height, as a row is."""


def targets_of(frame: Frame) -> list[Target]:
    """Points of a panel of lines, points or rows, each with what is said of it."""
    panel = frame.panel
    if isinstance(panel, Rows):
        return [_of_rows(frame, panel, stroke) for stroke in frame.strokes if not stroke.empty]
    across, up = panel.x.partition(" (")[0], panel.y.partition(" (")[0]
    found = []
    for stroke in frame.strokes:
        if stroke.empty or stroke.series.guide:
            continue
        good = np.flatnonzero(np.isfinite(stroke.y))
        said = _said(stroke.y, stroke.low, stroke.high)
        texts = [f"{across} {number(stroke.x[k], 4)}\n{up} {said[k]}" for k in good]
        found.append(_target(frame, stroke, good, texts))
    for rise in panel.rises:
        place = (frame.x.share(np.array([rise.x])), frame.y.share(np.array([rise.high])))
        text = f"barrier {rise.text}\nat {across} {position(rise.x)}"
        found.append(Target(rise.label, frame.colours.get(rise.label, SOFT), *place, [text]))
    return found


def _of_rows(frame: Frame, panel: Rows, stroke: Stroke) -> Target:
    good = np.flatnonzero(np.isfinite(stroke.x))
    what = panel.x.partition(" (")[0]
    said = _said(stroke.x, stroke.low, stroke.high)
    rows = [panel.names[round(float(stroke.y[k]))] for k in good]
    named = [row if row == stroke.label else f"{row}\n{stroke.label}" for row in rows]
    texts = [f"{name}\n{what} {said[k]}" for name, k in zip(named, good, strict=True)]
    return replace(_target(frame, stroke, good, texts, ""), level=True)


def _target(
    frame: Frame, stroke: Stroke, good: np.ndarray, texts: Sequence[str], name: str | None = None
) -> Target:
    own = stroke.series
    said = (own.name or own.label) if name is None else name
    place = frame.x.share(stroke.x[good]), frame.y.share(stroke.y[good])
    return Target(said, stroke.colour, *place, texts, stroke.key)


def _said(values: Array, low: Array | None, high: Array | None) -> list[str]:
    """Each value, with its interval if it has one."""
    if low is None or high is None:
        return [number(v, 4) for v in values]
    return [
        estimate_words(v, a, b) if np.isfinite([a, b]).all() else number(v, 4)
        for v, a, b in zip(values, low, high, strict=True)
    ]


def packed(panels: Sequence[Sequence[Target]], shade: Any) -> list[list[dict[str, Any]]]:
    """Targets as JSON has them, for the script of a page.

    Args:
        panels: Targets of each panel.
        shade: Makes a colour of the page of a colour.
    """
    return [
        [
            {
                "name": t.name,
                "colour": shade(t.colour),
                "key": t.key,
                "level": t.level,
                "x": np.round(t.x, DIGITS).tolist(),
                "y": np.round(t.y, DIGITS).tolist(),
                "texts": list(t.texts),
            }
            for t in targets
        ]
        for targets in panels
    ]
