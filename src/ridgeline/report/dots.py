"""Several states side by side: a dot with its interval for each, a panel for each metric."""

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from ridgeline.numerals import Z, plus_minus
from ridgeline.report.figures import Figure
from ridgeline.report.layouts import BOTTOM, TOP, axis_names, layout
from ridgeline.report.lines import unit
from ridgeline.report.merged import Scores
from ridgeline.report.style import COLUMN, RULE, canvas, colour

__all__ = ["scores_figure"]

SYMBOLS = (("o", "circle"), ("s", "square"), ("^", "triangle-up"), ("D", "diamond"))
WIDTH = 1.55 * COLUMN
LONGEST = 34
"""Letters of a name; of longer ones, paths, the end is shown."""


@dataclass(frozen=True, eq=False)
class _Cloud:
    """The states' values of one metric on one split."""

    split: str
    shade: str
    symbol: tuple[str, str]
    at: np.ndarray
    """Heights of the dots, from above."""
    mean: np.ndarray
    half: np.ndarray
    """Of the 95 % intervals; zero where it is not known."""
    level: float
    """The mean of the states that were merged."""


def scores_figure(scores: Scores, *, name: str = "merged", title: str = "Side by side") -> Figure:
    """Draw every state's loss and metrics with their 95 % intervals, what was made on top.

    Args:
        scores: What was measured.
        name: For files.
        title: Of the figure.

    Returns:
        A figure; nothing is drawn yet. What is not finite is left out, and the caption says so.
    """
    clouds = {m: [_cloud(scores, m, k, s) for k, s in enumerate(scores.splits)]
              for m in scores.metrics}  # fmt: skip
    counts = ", ".join(f"{scores.count(s):,} ({s})" for s in scores.splits)
    blank = [
        f"{n} ({metric}, {cloud.split})"
        for metric, some in clouds.items()
        for cloud in some
        for n, x in zip(scores.names, cloud.mean, strict=True)
        if not np.isfinite(x)
    ]
    return Figure(
        name=name,
        title=title,
        caption=f"Each state with its 95 % interval, what was made of the checkpoints on top; "
        f"n = {counts}. Dashed: the mean of the checkpoints."
        + f" Not finite, and left out: {', '.join(blank)}."
        * bool(blank),
        rows=scores.rows(),
        draw=lambda: _draw(scores, clouds),
        plot=lambda: _plot(scores, clouds),
        width=WIDTH,
    )


def _cloud(scores: Scores, metric: str, index: int, split: str) -> _Cloud:
    found = np.array([scores.value(n, split, metric) for n in scores.names])
    level = np.mean([scores.value(n, split, metric)[0] for n in scores.given])
    count = len(scores.splits)
    shift = 0.52 * ((index + 0.5) / count - 0.5)
    symbol = SYMBOLS[index % len(SYMBOLS)]
    at = np.arange(len(scores.names)) + shift
    half = np.nan_to_num(Z * found[:, 1], nan=0.0, posinf=0.0)
    return _Cloud(split, colour(index), symbol, at, found[:, 0], half, float(level))


def _inside(scores: Scores) -> float:
    """Height of a panel's inside in rows of text."""
    return len(scores.names) * (1 + 0.3 * (len(scores.splits) - 1))


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"


def _draw(scores: Scores, clouds: dict[str, list[_Cloud]]) -> Any:
    tall = 0.35 + len(clouds) * (0.6 + 0.2 * _inside(scores))
    figure, axes = canvas(len(clouds), (WIDTH, tall), 1)
    handles: dict[str, Any] = {}
    for ax, (metric, some) in zip(axes, clouds.items(), strict=True):
        ax.axhline(len(scores.made) - 0.5, color=RULE, lw=0.9)
        for cloud in some:
            good = np.isfinite(cloud.mean)
            shade: dict[str, Any] = {"color": cloud.shade}
            if np.isfinite(cloud.level):
                ax.axvline(cloud.level, lw=0.7, ls=(0, (3, 2.5)), alpha=0.75, **shade)
            held = cloud.mean[good], cloud.at[good]
            ax.errorbar(
                *held, xerr=cloud.half[good], fmt="none", elinewidth=0.9, ecolor=cloud.shade
            )
            dots = ax.plot(*held, marker=cloud.symbol[0], ls="none", ms=3.2, **shade)
            handles[cloud.split] = dots[0]
        ax.set_yticks(range(len(scores.names)), [_short(n) for n in scores.names])
        for label in ax.get_yticklabels()[: len(scores.made)]:
            label.set_fontweight("bold")
        ax.set(xlabel=unit(metric), ylim=(len(scores.names) - 0.5, -0.5))
        ax.margins(x=0.06)
        ax.grid(visible=False, axis="y")
        ax.tick_params(axis="y", length=0)
    columns = min(len(handles), 4)
    figure.legend(list(handles.values()), list(handles), loc="outside upper left", ncols=columns)
    return figure


def _plot(scores: Scores, clouds: dict[str, list[_Cloud]]) -> dict[str, Any]:
    data: list[dict[str, Any]] = []
    panels = []
    low, high = len(scores.names) - 0.5, -0.5
    ticks = [escape(_short(n)) for n in scores.names]
    ticks[: len(scores.made)] = [f"<b>{t}</b>" for t in ticks[: len(scores.made)]]
    for i, (metric, some) in enumerate(clouds.items()):
        on = dict(zip(("xaxis", "yaxis"), axis_names(i), strict=True)) | {"type": "scatter"}
        for cloud in some:
            data += [{**trace, **on} for trace in _traces(scores, metric, cloud, legend=i == 0)]
        across = {"title": {"text": unit(metric)}}
        names = {"tickvals": list(range(len(ticks))), "ticktext": ticks, "range": [low, high]}
        panels.append({"x": across, "y": {**names, "showgrid": False, "ticks": ""}})
    height = TOP + BOTTOM + round(24 * _inside(scores))
    found = layout(panels, height=height, columns=1) | {"hovermode": "closest"}
    return {"data": data, "layout": found}


def _traces(scores: Scores, metric: str, cloud: _Cloud, *, legend: bool) -> list[dict[str, Any]]:
    good = np.flatnonzero(np.isfinite(cloud.mean))
    shade, x = cloud.shade, cloud.mean[good].tolist()
    base = {"legendgroup": cloud.split, "name": cloud.split}
    ends = [-0.5, len(scores.names) - 0.5]
    found: list[dict[str, Any]] = []
    if np.isfinite(cloud.level):
        line = {"color": shade, "width": 1, "dash": "5px,4px"}
        quiet = {**base, "mode": "lines", "showlegend": False, "hoverinfo": "skip"}
        found.append({**quiet, "x": [cloud.level] * 2, "y": ends, "line": line, "opacity": 0.75})
    said = [plus_minus(*scores.value(scores.names[k], cloud.split, metric)) for k in good]
    found.append(
        {
            **base,
            "mode": "markers",
            "showlegend": legend,
            "x": x,
            "y": cloud.at[good].tolist(),
            "error_x": {"type": "data", "array": cloud.half[good].tolist(), "color": shade,
                        "thickness": 1.5, "width": 0},
            "marker": {"color": shade, "symbol": cloud.symbol[1], "size": 7},
            "text": [f"{escape(scores.names[k])}<br>{cloud.split} {metric} {text}"
                     for k, text in zip(good, said, strict=True)],
            "hovertemplate": "%{text}<extra></extra>",
        }
    )  # fmt: skip
    return found
