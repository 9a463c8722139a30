"""Profiles as charts: a panel for each metric, a line for each path and split."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ridgeline import measures
from ridgeline.charts import Panel, Panels, Rise, Series
from ridgeline.errors import UnknownName, UsageError
from ridgeline.measures import Array, Barrier, Curve
from ridgeline.numerals import Z, plus_minus
from ridgeline.report.figures import Figure
from ridgeline.report.tables import rows

if TYPE_CHECKING:
    from ridgeline.profiles import Profile

__all__ = ["ACROSS", "curve_series", "profile_figure", "unit"]

ACROSS = "t (position on the path)"
UNITS = {"error": "share of samples", "accuracy": "share of samples", "loss": "mean per sample"}
CROWD = 2
"""With more lines than this, only those of the first split get a chord and a label."""
Curves = Mapping[str, Mapping[str, Mapping[str, Curve]]]
"""By path, split and metric."""


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
    having = dict.fromkeys(m for curves in wanted.values() for c in curves.values() for m in c)
    shown = [m for m in metrics if m in having]
    if not shown:
        known = dict.fromkeys(m for p in profiles.values() for c in p.curves.values() for m in c)
        raise UnknownName("metric", ", ".join(metrics), known)
    panels = [_panel(wanted, metric, unit(metric, units)) for metric in shown]
    table = [
        row
        for path, profile in profiles.items()
        for row in rows(profile, path=path)
        if row["metric"] in shown and row["split"] in wanted[path]
    ]
    caption = _caption(wanted, shown, panels)
    return Figure(Panels(name=name, title=title, caption=caption, panels=panels, table=table))


def curve_series(
    curve: Curve, *, label: str, dash: int = 0, ordered: float | None = None, strong: bool = False,
    group: str = "",
) -> Series:  # fmt: skip
    """A curve as a series: its mean, NaN where it is not finite, in its 95 % band.

    Args:
        curve: What is drawn.
        label: See `Series`, as all others.
        dash: The pattern of the line.
        ordered: A place on the ramp of colours.
        strong: True if it is drawn thick.
        group: Whose colour it has.
    """
    shown = np.where(np.isfinite(curve.mean), curve.mean, np.nan)
    half = np.where(np.isfinite(curve.stderr), Z * curve.stderr, 0.0)
    bounded = bool((half > 0).any())
    return Series(
        label=label,
        x=curve.t,
        y=shown,
        low=shown - half if bounded else None,
        high=shown + half if bounded else None,
        dash=dash,
        ordered=ordered,
        strong=strong,
        group=group,
    )


def unit(metric: str, units: Mapping[str, str] | None = None) -> str:
    """A metric's name with its unit, for an axis."""
    known = {**UNITS, **(units or {})}
    return f"{metric} ({known[metric]})" if metric in known else metric


def _panel(wanted: Curves, metric: str, named: str) -> Panel:
    """A line for each path and split that has the metric.

    A path has a colour and a split a pattern, or each split both if there is one path.
    """
    splits = list(dict.fromkeys(s for curves in wanted.values() for s in curves))
    crowded = _crowded(wanted, metric)
    series: list[Series] = []
    rises: list[Rise] = []
    for path, curves in wanted.items():
        for split, by_metric in curves.items():
            if metric not in by_metric:
                continue
            label, curve = _label(wanted, path, split, splits), by_metric[metric]
            dash, group = splits.index(split), path if len(wanted) > 1 else ""
            series.append(curve_series(curve, label=label, dash=dash, group=group))
            chord = None if crowded and dash else _chord(curve)
            if chord is None:
                continue
            series.append(Series(label=label, x=[0, 1], y=chord, guide=True, group=group))
            top = measures.barrier(curve)
            if np.isfinite(top.height) and top.height > 0:
                rises.append(_rise(label, curve, chord, top))
    return Panel(x=ACROSS, y=named, series=series, rises=rises, crossed=True)


def _label(wanted: Curves, path: str, split: str, splits: Sequence[str]) -> str:
    several = len(wanted) > 1
    return ", ".join([path] * several + [split] * (len(splits) > 1 or not several))


def _crowded(wanted: Curves, metric: str) -> bool:
    return sum(metric in m for curves in wanted.values() for m in curves.values()) > CROWD


def _rise(label: str, curve: Curve, chord: Array, top: Barrier) -> Rise:
    """The height of a barrier above the chord."""
    foot = float(chord[0] + (chord[1] - chord[0]) * top.at)
    peak = float(curve.mean[curve.t == top.at][0])
    text = plus_minus(top.height, top.stderr)
    return Rise(x=top.at, low=foot, high=peak, text=text, label=label)


def _chord(curve: Curve) -> Array | None:
    """Values at both ends, if they are finite."""
    try:
        ends = curve.mean[list(curve.ends())]
    except UsageError:
        return None
    return ends if np.isfinite(ends).all() else None


def _caption(wanted: Curves, shown: Sequence[str], panels: Sequence[Panel]) -> str:
    """What the panels show, over how many samples."""
    what = " and ".join(shown).capitalize()
    text = f"{what} along the path; means over {_samples(wanted, shown)}."
    if any(s.low is not None for panel in panels for s in panel.series):
        text += " Bands are 95 % intervals."
    if any(panel.rises for panel in panels):
        text += (
            " Dashed thin: the chord between the ends; dots: the top of the barrier above it, "
            "with its height"
        )
        splits = list(dict.fromkeys(s for curves in wanted.values() for s in curves))
        bare = splits[1:] if all(_crowded(wanted, metric) for metric in shown) else []
        text += f" (not drawn for {', '.join(sorted(bare))})." if bare else "."
    return text


def _samples(wanted: Curves, shown: Sequence[str]) -> str:
    """How many samples: ``n = 1437 (train), 360 (test)``."""
    splits = list(dict.fromkeys(s for curves in wanted.values() for s in curves))
    every = [
        (split, _label(wanted, path, split, splits), by_metric[metric].n)
        for metric in shown
        for path, curves in wanted.items()
        for split, by_metric in curves.items()
        if metric in by_metric
    ]
    by_split = dict.fromkeys((split, n) for split, _, n in every)
    by_label = dict.fromkeys((label, n) for _, label, n in every)
    alike = len({split for split, _ in by_split}) == len(by_split)
    return "n = " + ", ".join(f"{n} ({name})" for name, n in (by_split if alike else by_label))
