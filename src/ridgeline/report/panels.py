"""Profiles as curves: a panel for each metric, a line for each path and split."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import UnknownName, UsageError
from ridgeline.numerals import plus_minus, position
from ridgeline.report.figures import Figure
from ridgeline.report.layouts import layout
from ridgeline.report.lines import Line, caption, labels, lines, unit
from ridgeline.report.style import COLUMN, PAPER, canvas, translucent
from ridgeline.report.summary import plain
from ridgeline.report.tables import rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ridgeline.profiles import Profile

__all__ = ["profile_figure"]

DASHES = ("solid", (0, (4.5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.4, 1.2, 1.4)))
PLOTLY_DASHES = ("solid", "dash", "dot", "dashdot")
_Panels = Mapping[str, Sequence[Line]]


def profile_figure(
    profiles: Mapping[str, "Profile"],
    *,
    metrics: Sequence[str] = ("loss", "error"),
    splits: Sequence[str] | None = None,
    name: str = "profile",
    title: str = "Along the path",
    units: Mapping[str, str] | None = None,
) -> Figure:
    """Draw profiles: a panel for each metric, a line with its 95 % band for each path and split.

    The chord between the ends is dashed thin, and the top of the barrier against it is marked
    with its height; of the first split only, if a panel has more than two lines.

    Args:
        profiles: By the name of their path.
        metrics: Which; those that no profile has are left out.
        splits: Which; all by default.
        name: For files.
        title: Of the figure.
        units: By metric, for the labels of axes.

    Returns:
        A figure; nothing is drawn yet.

    Raises:
        UnknownName: If no profile has any of the metrics, or any of the splits.
        UsageError: If there is no profile.
    """
    if not profiles:
        raise UsageError("A figure is of one profile at least.", got="none")
    known = dict.fromkeys(s for p in profiles.values() for s in p.splits)
    if splits is not None and not any(s in known for s in splits):
        raise UnknownName("split", ", ".join(splits), known)
    wanted = {
        path: {s: c for s, c in p.curves.items() if splits is None or s in splits}
        for path, p in profiles.items()
    }
    panels = {m: panel for m in metrics if (panel := lines(wanted, m))}
    if not panels:
        known = dict.fromkeys(m for p in profiles.values() for c in p.curves.values() for m in c)
        raise UnknownName("metric", ", ".join(metrics), known)
    table = [
        row
        for path, profile in profiles.items()
        for row in rows(profile, path=path)
        if row["metric"] in panels and row["split"] in wanted[path]
    ]
    named = {m: unit(m, units) for m in panels}
    return Figure(
        name=name,
        title=title,
        caption=caption(panels),
        rows=table,
        draw=lambda: _draw(panels, named),
        plot=lambda: _plot(panels, named),
        width=COLUMN * len(panels),
    )


def _draw(panels: _Panels, named: Mapping[str, str]) -> Any:
    figure, axes = canvas(len(panels), (COLUMN * len(panels), 2.55))
    handles: dict[str, Any] = {}
    for ax, (metric, panel) in zip(axes, panels.items(), strict=True):
        for line in panel:
            handles[line.label] = _draw_line(ax, line)
        written, (low, high) = labels(panel)
        for label in written:
            ax.text(label.x, label.y, label.text, color=label.colour, ha="center", va="center")
        ax.set(xlabel="t (position on the path)", ylabel=named[metric], ylim=(low, high))
    columns = min(len(handles), 2 * len(panels))
    figure.legend(list(handles.values()), list(handles), loc="outside upper left", ncols=columns)
    return figure


def _draw_line(ax: "Axes", line: Line) -> Any:
    t, shown, half, shade = line.curve.t, line.shown, line.half, line.colour
    if (half > 0).any():
        ax.fill_between(t, shown - half, shown + half, color=shade, alpha=0.18, linewidth=0)
    if line.chord is not None:
        ax.plot((0, 1), line.chord, color=shade, lw=0.7, ls=(0, (3, 2.5)), alpha=0.75)
    if line.top:
        at, high, low = line.peak
        ax.plot((at, at), (low, high), color=shade, lw=0.7, alpha=0.75)
        ax.plot(at, high, "o", color=shade, ms=3.4, mec=PAPER, mew=0.5, zorder=4)
    holes = np.isnan(shown)
    if holes.any():
        top = ax.get_xaxis_transform()
        ones = np.ones(holes.sum())
        ax.plot(t[holes], ones, "x", color=shade, ms=3, mew=0.9, transform=top, clip_on=False)
    return ax.plot(t, shown, color=shade, ls=DASHES[line.dash % len(DASHES)])[0]


def _plot(panels: _Panels, named: Mapping[str, str]) -> dict[str, Any]:
    data: list[dict[str, Any]] = []
    axes = []
    seen: set[str] = set()
    for i, (metric, panel) in enumerate(panels.items()):
        on = {"xaxis": f"x{i + 1}" if i else "x", "yaxis": f"y{i + 1}" if i else "y"}
        for line in panel:
            data += [{**trace, **on} for trace in _traces(line, metric, line.label not in seen)]
            seen.add(line.label)
        written, (low, high) = labels(panel)
        data.append(
            {
                "type": "scatter",
                "mode": "text",
                "showlegend": False,
                "hoverinfo": "skip",
                "x": [label.x for label in written],
                "y": [label.y for label in written],
                "text": [label.text for label in written],
                "textfont": {"color": [label.colour for label in written], "size": 12},
                **on,
            }
        )
        across = {"title": {"text": "t (position on the path)"}}
        axes.append({"x": across, "y": {"title": {"text": named[metric]}, "range": [low, high]}})
    return {"data": data, "layout": layout(axes) | {"hovermode": "closest"}}


def _traces(line: Line, metric: str, legend: bool) -> list[dict[str, Any]]:
    curve, shown, half, shade = line.curve, line.shown, line.half, line.colour
    base = {"type": "scatter", "legendgroup": line.label, "showlegend": False}
    quiet = {**base, "mode": "lines", "hoverinfo": "skip"}
    found: list[dict[str, Any]] = []
    if (half > 0).any():
        for values, fill in ((shown - half, "none"), (shown + half, "tonexty")):
            band = {"x": plain(curve.t), "y": plain(values), "line": {"width": 0}, "fill": fill}
            found.append({**quiet, **band, "fillcolor": translucent(shade, 0.18)})
    if line.chord is not None:
        thin = {"color": shade, "width": 1, "dash": "5px,4px"}
        found.append({**quiet, "x": [0, 1], "y": plain(line.chord), "line": thin, "opacity": 0.75})
    found.append(
        {
            **base,
            "mode": "lines",
            "name": line.label,
            "showlegend": legend,
            "x": plain(curve.t),
            "y": plain(shown),
            "text": [plus_minus(m, s) for m, s in zip(curve.mean, curve.stderr, strict=True)],
            "line": {"color": shade, "width": 2, "dash": PLOTLY_DASHES[line.dash % 4]},
            "hovertemplate": f"{line.label}<br>t = %{{x:.3g}}<br>{metric} %{{text}}<extra></extra>",
        }
    )
    holes = np.isnan(shown)
    if holes.any():
        # At the bottom of the panel, where every plot has room.
        spots = {"x": plain(curve.t[holes]), "y": [_lowest(line)] * int(holes.sum())}
        mark = {"symbol": "x-thin", "size": 7, "line": {"color": shade, "width": 1.5}}
        says = "t = %{x:.3g}: not finite<extra></extra>"
        found.append({**base, **spots, "mode": "markers", "marker": mark, "hovertemplate": says})
    if line.top:
        at, high, low = line.peak
        stem = {"x": [at, at], "y": [low, high], "line": {"color": shade, "width": 1}}
        found.append({**quiet, **stem, "opacity": 0.75})
        height = plus_minus(line.top.height, line.top.stderr)
        says = f"{line.label}<br>barrier {height}<br>at t = {position(at)}<extra></extra>"
        dot = {"color": shade, "size": 8, "line": {"color": PAPER, "width": 1}}
        top = {"x": [at], "y": [high], "mode": "markers", "marker": dot, "hovertemplate": says}
        found.append({**base, **top})
    return found


def _lowest(line: Line) -> float:
    good = line.shown[np.isfinite(line.shown)]
    return float(good.min()) if len(good) else 0.0
