"""Panels as a table, and what of them is not drawn in words."""

from collections.abc import Sequence

import numpy as np

from ridgeline.charts import Panel, Panels, Row, Rows
from ridgeline.report.frames import Frame, edges

__all__ = ["notes", "tidy_panels"]


def notes(every: Sequence[Frame]) -> list[str]:
    """Sentences on what is not drawn: labels without a number, gaps, values off the axis."""
    strokes = [(frame, stroke) for frame in every for stroke in frame.strokes]
    shown = {s.label for _, s in strokes if not s.empty}
    nothing = dict.fromkeys(s.label or "a series" for _, s in strokes if s.label not in shown)
    found = [f"Nothing to draw for {', '.join(nothing)}."] if nothing else []
    gaps = [(f.panel, s) for f, s in strokes if not s.empty and np.isnan(s.y).any()]
    if any(isinstance(panel, Panel) and panel.crossed for panel, _ in gaps):
        found.append("Crosses mark positions where the mean is not finite.")
    elif gaps:
        off = any(_lost(frame) for frame in every)
        found.append(
            "Gaps: not finite, or not above zero on a logarithm's scale."
            if off
            else "Gaps: not finite."
        )
    return found


def tidy_panels(chart: Panels) -> list[Row]:
    """The table that a chart of panels is drawn from: a row for each value, and for each mark."""
    found: list[Row] = []
    for k, panel in enumerate(chart.panels):
        up = panel.y if isinstance(panel, Panel) else ""
        about = {"panel": k + 1, "title": panel.title, "x_axis": panel.x, "y_axis": up}
        for series in panel.series:
            ends = [v if v is not None else [None] * len(series.x) for v in edges(series)]
            for x, y, low, high in zip(series.x, series.y, *ends, strict=True):
                value = {"x": float(x), "y": float(y), "low": _number(low), "high": _number(high)}
                if isinstance(panel, Rows):
                    value["y"] = panel.names[round(float(y))]
                found.append({**about, "kind": "series", "label": series.label, **value})
        for mark in panel.marks:
            place = {"x": None, "y": None, mark.axis: float(mark.value)}
            found.append({**about, "kind": "mark", "label": mark.label, **place})
    return found


def _number(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]  # a number then


def _lost(frame: Frame) -> bool:
    """True if a logarithm's scale has no place for some value."""
    panel = frame.panel
    return isinstance(panel, Panel) and any(
        (panel.log_x and bool((np.asarray(s.x) <= 0).any()))
        or (panel.log_y and bool((np.asarray(s.y) <= 0).any()))
        for s in panel.series
    )
