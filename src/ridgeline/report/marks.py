"""Where the labels of reference lines are written, so that they cover no curve and no other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ridgeline.measures import Array
from ridgeline.report.series import Frame

__all__ = ["Above", "Inside", "above", "inside", "levels"]

LETTER, LINE = 0.054, 0.125
"""Inches that a letter is wide and a line of text is high, in a panel."""
STEPS = 400
"""Positions on a curve at which it is asked whether a label covers it."""


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
    """A label within the panel, of a level line."""

    x: float
    """Its left end, as a share of the panel's width."""
    y: float
    """Its middle, as a share of the panel's height."""
    text: str


def above(frame: Frame, width: float) -> list[Above]:
    """Labels of upright lines, in as few lines of text as hold them apart.

    Args:
        frame: The panel.
        width: Of its inside, in inches.
    """
    found: list[tuple[Above, float]] = []
    marks = [m for m in frame.panel.marks if m.axis == "x" and m.label and frame.x.shows(m.value)]
    for mark in sorted(marks, key=lambda m: m.value):
        half = LETTER * len(mark.label) / width / 2
        x = float(frame.x.share(mark.value))
        x = min(max(x, half), max(1 - half, half))
        level = 0
        while any(a.level == level and abs(a.x - x) < half + h + 0.02 for a, h in found):
            level += 1
        found.append((Above(x, level, mark.label), half))
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
    for mark in frame.panel.marks:
        if mark.axis != "y" or not mark.label or not frame.y.shows(mark.value):
            continue
        wide = LETTER * len(mark.label) / size[0]
        at = float(frame.y.share(mark.value))
        places = [
            (x, at + side * 0.62 * high)
            for side in (1, -1)
            for x in np.linspace(max(0.99 - wide, 0.01), 0.01, 12)
        ]
        boxes = [np.array([x, x + wide, y - high / 2, y + high / 2]) for x, y in places]
        costs = [_cost(box, cover, taken) for box in boxes]
        best = int(np.argmin(costs))
        found.append(Inside(*places[best], mark.label))
        taken.append(boxes[best])
    return found


def _cover(frame: Frame) -> Array:
    """What is drawn, as points in shares of the panel, shape (P, 2)."""
    found = [np.zeros((0, 2))]
    for stroke in frame.strokes:
        if stroke.empty:
            continue
        x, y = frame.x.share(stroke.x), frame.y.share(stroke.y)
        if not stroke.points and len(x) > 1:
            at = np.linspace(0, len(x) - 1, max(STEPS, len(x)))
            x, y = (np.interp(at, np.arange(len(x)), v) for v in (x, y))
        found.append(np.stack([x, y], 1))
    found += [
        np.stack([np.full(STEPS, frame.x.share(m.value)), np.linspace(0, 1, STEPS)], 1)
        for m in frame.panel.marks
        if m.axis == "x" and frame.x.shows(m.value)
    ]
    return np.concatenate(found)


def _cost(box: Array, cover: Array, taken: Sequence[Array]) -> float:
    left, right, low, high = box
    hit = (cover[:, 0] > left) & (cover[:, 0] < right) & (cover[:, 1] > low) & (cover[:, 1] < high)
    out = 1e4 if low < 0 or high > 1 else 0.0
    for a, b, c, d in taken:
        out += 1e3 if left < b and a < right and low < d and c < high else 0.0
    return float(hit.sum()) + out
