"""Panels of series by plotly."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ridgeline.numerals import number
from ridgeline.report.curves import columns_of, inside_of
from ridgeline.report.layouts import axis_names, layout
from ridgeline.report.marks import above, inside, levels
from ridgeline.report.series import Frame, Scale, Stroke
from ridgeline.report.style import INK, PAPER, SOFT, translucent
from ridgeline.report.summary import plain

__all__ = ["plot_panels"]

DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "triangle-up", "diamond")
TITLE, LEVEL = 20, 16
"""Pixels of a title, and of a line of labels, above a panel."""

NOTHING: dict[str, Any] = {"type": "scatter", "x": [None], "y": [None], "showlegend": False}
"""Without any trace plotly draws no axes."""


def plot_panels(frames: Sequence[Frame]) -> dict[str, Any]:
    """The plotly figure."""
    data: list[dict[str, Any]] = []
    axes, written = [], []
    seen: set[str] = set()
    size = inside_of(len(frames))
    lift = 0
    columns = columns_of(len(frames))
    lines = levels(frames, columns, size[0])
    for i, frame in enumerate(frames):
        x, y = axis_names(i)
        on = {"xaxis": x, "yaxis": y}
        data += [_mark(frame, mark) | on for mark in _marks(frame)]
        for stroke in sorted(frame.strokes, key=lambda s: not s.faint):
            if not stroke.empty:
                named = bool(stroke.label) and not stroke.faint and stroke.label not in seen
                seen |= {stroke.label} if named else set()
                data += [trace | on for trace in _traces(frame, stroke, named)]
        data += [_labels(frame, size) | on] if inside(frame, size) else []
        data += [NOTHING | on] if frame.empty else []
        lift = max(lift, LEVEL * lines[i] + TITLE * bool(frame.panel.title))
        written += _notes(frame, x, y, size[0], lines[i])
        axes.append({"x": _axis(frame, "x"), "y": _axis(frame, "y")})
    found = layout(axes, height=380 if len(frames) < 4 else 330, columns=columns, lift=lift)
    return {"data": data, "layout": found | {"hovermode": "closest", "annotations": written}}


def _axis(frame: Frame, which: str) -> dict[str, Any]:
    scale: Scale = getattr(frame, which)
    ends = [scale.low, scale.high]
    found: dict[str, Any] = {
        "title": {"text": getattr(frame.panel, which)},
        "range": np.log10(ends).tolist() if scale.log else ends,
    }
    if frame.empty:
        found |= {"showticklabels": False, "showgrid": False, "ticks": ""}
    if scale.log:
        found |= {"type": "log", "exponentformat": "power", "dtick": _step(scale)}
    if which == "x" and frame.ticks is not None:
        found.pop("dtick", None)
        found |= {"tickvals": list(frame.ticks), "ticktext": [number(v, 4) for v in frame.ticks]}
    return found


def _step(scale: Scale) -> str | int:
    decades = np.log10(scale.high / scale.low)
    return "D2" if decades < 2.5 else max(1, int(decades // 6))


def _traces(frame: Frame, stroke: Stroke, named: bool) -> list[dict[str, Any]]:
    base: dict[str, Any] = {
        "type": "scatter",
        "legendgroup": stroke.label,
        "showlegend": False,
        "x": plain(stroke.x),
    }
    found: list[dict[str, Any]] = []
    bounded = stroke.low is not None and stroke.high is not None
    if bounded and not stroke.points:
        found += _band(stroke, base)
    mode = "markers" if stroke.points else "lines"
    trace = base | {"mode": mode, "name": stroke.label, "showlegend": named, "y": plain(stroke.y)}
    if stroke.points:
        trace["marker"] = {
            "color": stroke.colour,
            "symbol": SYMBOLS[stroke.dash],
            "size": 4 if stroke.faint else 8,
            "line": {"color": PAPER, "width": 0 if stroke.faint else 1},
        }
        if bounded:
            trace["error_y"] = _bars(stroke)
    else:
        line = {"color": stroke.colour, "width": 1 if stroke.faint else 2}
        trace["line"] = line | {"dash": DASHES[stroke.dash]}
    trace |= {"opacity": 0.35} if stroke.faint else {}
    says = f"{stroke.label}<br>{frame.panel.x} %{{x:.4~g}}<br>{frame.panel.y} %{{text}}"
    trace |= {"text": _values(stroke), "hovertemplate": says + "<extra></extra>"}
    return [*found, trace]


def _values(stroke: Stroke) -> list[str]:
    """What is said of each value: itself, with its interval if it has one."""
    if stroke.low is None or stroke.high is None:
        return [number(v, 4) for v in stroke.y]
    return [
        f"{number(v, 4)} [{number(a)}, {number(b)}]"
        for v, a, b in zip(stroke.y, stroke.low, stroke.high, strict=True)
    ]


def _band(stroke: Stroke, base: dict[str, Any]) -> list[dict[str, Any]]:
    """Closed outlines, one for each stretch without a gap: plotly would fill across gaps."""
    assert stroke.low is not None
    assert stroke.high is not None
    good = np.isfinite(stroke.low) & np.isfinite(stroke.high)
    found = []
    for piece in np.split(np.arange(len(good)), np.flatnonzero(np.diff(good)) + 1):
        if len(piece) and good[piece[0]]:
            round_ = {
                "x": plain(np.concatenate([stroke.x[piece], stroke.x[piece][::-1]])),
                "y": plain(np.concatenate([stroke.high[piece], stroke.low[piece][::-1]])),
            }
            fill = {"fill": "toself", "fillcolor": translucent(stroke.colour, 0.17)}
            quiet = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
            found.append(base | round_ | fill | quiet)
    return found


def _bars(stroke: Stroke) -> dict[str, Any]:
    assert stroke.low is not None
    assert stroke.high is not None
    return {
        "type": "data",
        "symmetric": False,
        "array": plain(np.nan_to_num(np.maximum(stroke.high - stroke.y, 0))),
        "arrayminus": plain(np.nan_to_num(np.maximum(stroke.y - stroke.low, 0))),
        "color": stroke.colour,
        "thickness": 1.2,
        "width": 0,
    }


def _marks(frame: Frame) -> list[Any]:
    return [m for m in frame.panel.marks if getattr(frame, m.axis).shows(m.value)]


def _mark(frame: Frame, mark: Any) -> dict[str, Any]:
    other: Scale = frame.y if mark.axis == "x" else frame.x
    ends, value = [other.low, other.high], [mark.value] * 2
    return {
        "type": "scatter",
        "mode": "lines",
        "showlegend": False,
        "x": value if mark.axis == "x" else ends,
        "y": ends if mark.axis == "x" else value,
        "line": {"color": SOFT, "width": 1, "dash": "5px,4px"},
        "hovertemplate": f"{mark.label} {number(mark.value, 4)}<extra></extra>".strip(),
    }


def _labels(frame: Frame, size: tuple[float, float]) -> dict[str, Any]:
    found = inside(frame, size)
    return {
        "type": "scatter",
        "mode": "text",
        "showlegend": False,
        "hoverinfo": "skip",
        "x": [frame.x.value(label.x) for label in found],
        "y": [frame.y.value(label.y) for label in found],
        "text": [label.text for label in found],
        "textposition": "middle right",
        "textfont": {"color": INK, "size": 12},
    }


def _notes(frame: Frame, x: str, y: str, width: float, lines: int) -> list[dict[str, Any]]:
    """What is written above a panel, and across one that is empty."""
    base = {"xref": f"{x} domain", "yref": f"{y} domain", "showarrow": False}
    high = base | {"y": 1, "yanchor": "bottom", "font": {"size": 12}}
    found: list[dict[str, Any]] = [
        high | {"x": a.x, "xanchor": "center", "yshift": LEVEL * a.level, "text": a.text}
        for a in above(frame, width)
    ]
    if frame.panel.title:
        text = {"x": 0, "xanchor": "left", "text": f"<b>{frame.panel.title}</b>"}
        found.append(high | text | {"yshift": LEVEL * lines + 2, "font": {"size": 13}})
    if frame.empty:
        found.append(base | {"x": 0.5, "y": 0.5, "text": "no data", "font": {"color": SOFT}})
    return found
