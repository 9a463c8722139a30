"""Layers one at a time: the height of each one's barrier, and its curve."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.measures import Barrier, Curve
from ridgeline.numerals import Z, plus_minus
from ridgeline.report.figures import Figure
from ridgeline.report.heights import WHOLE, layer_barriers
from ridgeline.report.layouts import layout
from ridgeline.report.lines import unit
from ridgeline.report.style import COLUMN, INK, SOFT, canvas, ramp
from ridgeline.report.summary import plain
from ridgeline.report.tables import rows

if TYPE_CHECKING:
    from ridgeline.profiles import Profile

__all__ = ["layers_figure"]

_Bars = list[tuple[str, str, Curve, Barrier]]


def layers_figure(
    layers: Mapping[str, "Profile"],
    whole: "Profile | None" = None,
    metric: str = "loss",
    *,
    split: str | None = None,
    name: str = "layers",
    title: str = "Layer by layer",
    units: Mapping[str, str] | None = None,
) -> Figure:
    """Draw the barrier of each layer as a bar with its 95 % interval, beside the curves.

    The barrier is that of Adilova et al. (2023): the layer halfway, against the mean of both whole
    networks. Without t = 1/2 on the grid it is against the chord of the layer's own path.

    Args:
        layers: Profiles of the layers in the network's order, from `layerwise`.
        whole: The profile on which every layer moves.
        metric: Which.
        split: Which; the first by default.
        name: For files.
        title: Of the figure.
        units: By metric, for the labels of axes.

    Returns:
        A figure; nothing is drawn yet.

    Raises:
        UnknownName: If a profile lacks the metric or split.
        UsageError: If there is no layer, or a grid lacks an end.
    """
    if not layers:
        raise UsageError("A figure of layers has one at least.", got="none")
    split = split or next(iter(layers.values())).splits[0]
    named = dict(layers) | ({WHOLE: whole} if whole is not None else {})
    colours = [*ramp(len(layers)), INK]
    heights, against = layer_barriers(layers, whole, metric, split)
    bars: _Bars = [
        (label, shade, p.curve(metric, split), heights[label])
        for (label, p), shade in zip(named.items(), colours, strict=False)
    ]
    table = [
        row
        for label, p in named.items()
        for row in rows(p, layer=label)
        if row["metric"] == metric and row["split"] == split
    ]
    return Figure(
        name=name,
        title=title,
        caption=f"Left: the barrier in {metric} when only that layer moves from a to b, against "
        f"{against}, with its 95 % interval; n = {bars[0][2].n} ({split}). Right: the {metric} "
        "along these paths" + (f"; thick: {WHOLE} move." if whole is not None else "."),
        rows=table,
        draw=lambda: _draw(bars, metric, unit(metric, units)),
        plot=lambda: _plot(bars, metric, unit(metric, units)),
        width=2 * COLUMN,
    )


def _half(barrier: Barrier) -> float:
    return Z * barrier.stderr if np.isfinite(barrier.stderr) else 0.0


def _height(barrier: Barrier) -> float:
    """For a bar: one that is not finite has none, and its label says so."""
    return barrier.height if np.isfinite(barrier.height) else 0.0


def _reach(bars: _Bars) -> list[float]:
    """The range of heights, with room for a label beyond the highest."""
    ends = [(_height(b) - _half(b), _height(b) + _half(b)) for *_, b in bars]
    low, high = min(0.0, *(e[0] for e in ends)), max(1e-12, *(e[1] for e in ends))
    return [low, high + 0.34 * (high - low)]


def _draw(bars: _Bars, metric: str, named: str) -> Any:
    figure, (left, right) = canvas(2, (2 * COLUMN, max(2.3, 0.7 + 0.2 * len(bars))))
    places = np.arange(len(bars))
    heights = np.array([_height(b) for *_, b in bars])
    halves = np.array([_half(b) for *_, b in bars])
    colours = [shade for _, shade, *_ in bars]
    left.barh(places, heights, height=0.66, color=colours, alpha=0.9)
    some = halves > 0
    left.errorbar(
        heights[some], places[some], xerr=halves[some], fmt="none", ecolor=SOFT, elinewidth=0.9
    )
    low, high = _reach(bars)
    for place, height, half, (*_, barrier) in zip(
        range(len(bars)), heights, halves, bars, strict=True
    ):
        text = plus_minus(barrier.height, barrier.stderr)
        left.text(
            max(height + half, 0.0) + 0.015 * (high - low), place, text, va="center", size=6.5
        )
    left.set_yticks(places, [label for label, *_ in bars])
    left.set_xlim(low, high)
    left.set_ylim(len(bars) - 0.4, -0.6)
    left.grid(visible=False, axis="y")
    left.tick_params(axis="y", length=0)
    left.set_xlabel(f"barrier in {metric}")
    for label, shade, curve, _ in bars:
        shown = np.where(np.isfinite(curve.mean), curve.mean, np.nan)
        whole = label == WHOLE
        right.plot(curve.t, shown, color=shade, lw=1.8 if whole else 1.2, zorder=2 + 0.1 * whole)
    right.set(xlabel="t (position on the path)", ylabel=named)
    return figure


def _plot(bars: _Bars, metric: str, named: str) -> dict[str, Any]:
    data: list[dict[str, Any]] = []
    for label, shade, curve, barrier in bars:
        height = plus_minus(barrier.height, barrier.stderr)
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "showlegend": False,
                "legendgroup": label,
                "x": [_height(barrier)],
                "y": [label],
                "marker": {"color": shade},
                "error_x": {"type": "data", "array": [_half(barrier)], "color": SOFT, "width": 0},
                "hovertemplate": f"{label}<br>barrier {height}"
                f"<br>at t = {barrier.at:.3g}<extra></extra>",
            }
        )
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "showlegend": False,
                "legendgroup": label,
                "xaxis": "x2",
                "yaxis": "y2",
                "x": plain(curve.t),
                "y": plain(curve.mean),
                "line": {"color": shade, "width": 3 if label == WHOLE else 2},
                "text": [plus_minus(m, s) for m, s in zip(curve.mean, curve.stderr, strict=True)],
                "hovertemplate": f"{label}<br>t = %{{x:.3g}}<br>{metric} %{{text}}<extra></extra>",
            }
        )
    data.append(
        {
            "type": "scatter",
            "mode": "text",
            "showlegend": False,
            "hoverinfo": "skip",
            "x": [max(_height(b) + _half(b), 0.0) for *_, b in bars],
            "y": [label for label, *_ in bars],
            "text": [" " + plus_minus(b.height, b.stderr) for *_, b in bars],
            "textposition": "middle right",
            "textfont": {"color": INK, "size": 12},
        }
    )
    axes = [
        {
            "x": {"title": {"text": f"barrier in {metric}"}, "range": _reach(bars)},
            "y": {"autorange": "reversed", "type": "category", "showgrid": False, "ticks": ""},
        },
        {
            "x": {"title": {"text": "t (position on the path)"}},
            "y": {"title": {"text": named}},
        },
    ]
    height = max(360, 110 + 26 * len(bars))
    return {"data": data, "layout": layout(axes, height=height) | {"hovermode": "closest"}}
