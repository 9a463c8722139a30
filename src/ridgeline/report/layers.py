"""Layers one at a time: the height of each one's barrier, and its curve."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.charts import Panel, Panels, Rows, Series
from ridgeline.errors import UsageError
from ridgeline.measures import Barrier
from ridgeline.numerals import Z, plus_minus
from ridgeline.report.figures import Figure
from ridgeline.report.heights import WHOLE, layer_barriers
from ridgeline.report.panels import ACROSS, curve_series, unit
from ridgeline.report.tables import rows

if TYPE_CHECKING:
    from ridgeline.profiles import Profile

__all__ = ["layers_figure"]


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
    heights, against = layer_barriers(layers, whole, metric, split)
    bars = [_bar(row, label, heights[label], len(layers)) for row, label in enumerate(named)]
    curves = [
        curve_series(p.curve(metric, split), label=n, ordered=bar.ordered, strong=bar.strong)
        for (n, p), bar in zip(named.items(), bars, strict=True)
    ]
    n = next(iter(layers.values())).curve(metric, split).n
    return Figure(
        Panels(
            name=name,
            title=title,
            caption=f"Left: the barrier in {metric} when only that layer moves from a to b, "
            f"against {against}, with its 95 % interval; n = {n} ({split}). Right: the {metric} "
            "along these paths" + (f"; thick: {WHOLE} move." if whole is not None else "."),
            table=[
                row
                for label, p in named.items()
                for row in rows(p, layer=label)
                if row["metric"] == metric and row["split"] == split
            ],
            panels=[
                Rows(
                    x=f"barrier in {metric}",
                    names=list(named),
                    series=bars,
                    bars=True,
                    texts=[plus_minus(heights[x].height, heights[x].stderr) for x in named],
                ),
                Panel(x=ACROSS, y=unit(metric, units), series=curves),
            ],
            legend=False,
        )
    )


def _bar(row: int, label: str, barrier: Barrier, layers: int) -> Series:
    """One that is not finite has no bar, and its text says so."""
    height = barrier.height if np.isfinite(barrier.height) else np.nan
    half = Z * barrier.stderr if np.isfinite(barrier.stderr) else 0.0
    place = row / max(layers - 1, 1) if label != WHOLE else None
    return Series(
        label=label,
        x=[height],
        y=[row],
        low=[height - half],
        high=[height + half],
        ordered=place,
        strong=place is None,
    )
