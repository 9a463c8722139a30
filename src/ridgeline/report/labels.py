"""Places of the labels in a panel, where they cover no curve and no other label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ridgeline.charts import Panel, Rise
from ridgeline.measures.curve import Array
from ridgeline.report.frames import Frame, Scale
from ridgeline.report.style import SOFT

__all__ = ["LETTER", "Above", "Inside", "above", "heights", "inside", "levels"]

LETTER, LINE = 0.054, 0.125
"""Inches that a letter is wide and a line of text is high, in a panel."""
STEPS = 400
"""Positions on a curve at which it is asked whether a label covers it."""
ASIDE = 0.9
"""Cost of a label beside its top, against one above it: as much as this far up."""


@dataclass(frozen=True)
class Above:
    """A label over the panel, of an upright line."""

    x: float
    """Its middle, as a share of the panel's width."""
    level: int
    """In which line of text, counted from the panel."""
    text: str


@dataclass(frozen=True)
class Inside:
    """A label within the panel: of a level line, or of a height."""

    x: float
    """Its left end, of a height its middle, as a share of the panel's width."""
    y: float
    """Its middle, as a share of the panel's height."""
    text: str
    colour: str = ""


def above(frame: Frame, width: float) -> list[Above]:
    """Labels of upright lines, in as few lines of text as hold them apart.

    Args:
        frame: The panel.
        width: Of its inside, in inches.
    """
    found: list[tuple[Above, float]] = []
    for value, text, _ in sorted(mark for mark in frame.marked("x") if mark[1]):
        half = LETTER * len(text) / width / 2
        x = float(frame.x.share(value))
        x = min(max(x, half), max(1 - half, half))
        level = 0
        while any(a.level == level and abs(a.x - x) < half + h + 0.02 for a, h in found):
            level += 1
        found.append((Above(x, level, text), half))
    return [label for label, _ in found]


def levels(frames: Sequence[Frame], columns: int, width: float) -> list[int]:
    """How many lines of labels stand above each panel; in a row as many above all.

    Args:
        frames: The panels, row by row.
        columns: Panels in a row.
        width: Of a panel's inside, in inches.
    """
    own = [1 + max((a.level for a in above(frame, width)), default=-1) for frame in frames]
    rows = [own[i - i % columns : i - i % columns + columns] for i in range(len(own))]
    return [max(row) for row in rows]


def inside(frame: Frame, size: tuple[float, float]) -> list[Inside]:
    """Labels of level lines: above or below their line, where least is covered.

    Args:
        frame: The panel.
        size: Of its inside, in inches.
    """
    cover = _cover(frame)
    high = LINE / size[1]
    found: list[Inside] = []
    taken: list[Array] = []
    for value, text, _ in frame.marked("y"):
        if not text:
            continue
        wide = LETTER * len(text) / size[0]
        at = float(frame.y.share(value))
        places = [
            (x, at + side * 0.62 * high)
            for side in (1, -1)
            for x in np.linspace(max(0.99 - wide, 0.01), 0.01, 12)
        ]
        boxes = [np.array([x, x + wide, y - high / 2, y + high / 2]) for x, y in places]
        costs = [_cost(box, cover, taken) for box in boxes]
        best = int(np.argmin(costs))
        found.append(Inside(*places[best], text))
        taken.append(boxes[best])
    return found


def heights(frame: Frame, size: tuple[float, float]) -> tuple[list[Inside], Scale]:
    """Labels of heights: above their top, or beside it, where room is nearest.

    Args:
        frame: The panel.
        size: Of its inside, in inches.

    Returns:
        Labels, with shares of the second: the vertical axis with room for all of them.
    """
    panel = frame.panel
    if not isinstance(panel, Panel) or not panel.rises:
        return [], frame.y
    step = LINE / size[1]
    cover = _cover(frame)
    stems = [
        np.stack([np.full(STEPS, frame.x.share(r.x)),
                  np.linspace(float(frame.y.share(r.low)), float(frame.y.share(r.high)), STEPS)], 1)
        for r in panel.rises
    ]  # fmt: skip
    cover = np.concatenate([cover, *stems])
    found: list[Inside] = []
    taken: list[Array] = []
    for rise in sorted(panel.rises, key=lambda r: r.high):
        box, x, y = _beside(rise, frame, step, size[0], cover, taken)
        found.append(Inside(x, y, rise.text, frame.colours.get(rise.label, SOFT)))
        taken.append(box)
    top = max([1.0, *(label.y + 0.7 * step for label in found)])
    scale = Scale(frame.y.low, frame.y.value(top), frame.y.log)
    return [Inside(a.x, a.y / top, a.text, a.colour) for a in found], scale


def _beside(
    rise: Rise, frame: Frame, step: float, width: float, cover: Array, taken: Sequence[Array]
) -> tuple[Array, float, float]:
    """The box, and its middle, that is nearest to the top of a height and free."""
    half = min(LETTER * (len(rise.text) + 1) / width, 1) / 2
    t, top = float(frame.x.share(rise.x)), float(frame.y.share(rise.high))
    above = min(max(t, half), 1 - half)
    places = []
    for x in (above, *np.linspace(half, 1 - half, 12).tolist()):
        column = cover[(cover[:, 0] > x - half) & (cover[:, 0] < x + half), 1]
        others = [b for b in taken if x - half < b[1] and b[0] < x + half]
        # The last lie above all curves and labels.
        rows = top + step * (0.8 + 0.25 * np.arange(5 / step + 8 * len(taken)))
        y = next((y for y in rows.tolist() if _free(y, step / 2, column, others)), rows[-1])
        places.append((y - top + ASIDE * abs(x - above), x, y))
    _, x, y = min(places)
    return np.array([x - half, x + half, y - step / 2, y + step / 2]), x, y


def _free(y: float, half: float, column: Array, others: Sequence[Array]) -> bool:
    """True if a label there covers neither what is drawn in its column nor another label."""
    if any(y - half < b[3] and b[2] < y + half for b in others):
        return False
    return not ((column > y - half) & (column < y + half)).any()


def _cover(frame: Frame) -> Array:
    """What is drawn, as points in shares of the panel, shape (P, 2)."""
    found = [np.zeros((0, 2))]
    for stroke in frame.strokes:
        if stroke.empty:
            continue
        x, y = frame.x.share(stroke.x), frame.y.share(stroke.y)
        for edge in (y, *(frame.y.share(e) for e in (stroke.low, stroke.high) if e is not None)):
            along = (x, edge) if stroke.series.points else _dense(x, edge)
            found.append(np.stack(along, 1))
    found += [
        np.stack([np.full(STEPS, frame.x.share(value)), np.linspace(0, 1, STEPS)], 1)
        for value, _, _ in frame.marked("x")
    ]
    return np.concatenate(found)


def _dense(x: Array, y: Array) -> tuple[Array, Array]:
    """Points along a line, close enough that none of its stretches hides between two."""
    if len(x) < 2:
        return x, y
    at = np.linspace(0, len(x) - 1, max(STEPS, len(x)))
    return np.interp(at, np.arange(len(x)), x), np.interp(at, np.arange(len(x)), y)


def _cost(box: Array, cover: Array, taken: Sequence[Array]) -> float:
    left, right, low, high = box
    hit = (cover[:, 0] > left) & (cover[:, 0] < right) & (cover[:, 1] > low) & (cover[:, 1] < high)
    out = 1e4 if low < 0 or high > 1 else 0.0
    for a, b, c, d in taken:
        out += 1e3 if left < b and a < right and low < d and c < high else 0.0
    return float(hit.sum()) + out
