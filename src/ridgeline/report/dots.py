"""Several states side by side: a dot with its interval for each, a panel for each metric."""

import numpy as np

from ridgeline.charts import Mark, Panels, Rows, Series
from ridgeline.numerals import Z
from ridgeline.report.figures import Figure
from ridgeline.report.merged import Scores
from ridgeline.report.panels import unit

__all__ = ["scores_figure"]

APART = 0.52
"""Height, in rows, over which the splits of one state are spread."""


def scores_figure(scores: Scores, *, name: str = "merged", title: str = "Side by side") -> Figure:
    """Draw every state's loss and metrics with their 95 % intervals, what was made on top.

    Args:
        scores: What was measured.
        name: For files.
        title: Of the figure.

    Returns:
        A figure; nothing is drawn yet. What is not finite is left out, and the caption says so.
    """
    panels = [_panel(scores, metric) for metric in scores.metrics]
    counts = ", ".join(f"{scores.count(s):,} ({s})" for s in scores.splits)
    blank = [
        f"{state} ({panel.x.partition(' (')[0]}, {series.label})"
        for panel in panels
        for series in panel.series
        for state, x in zip(scores.names, np.asarray(series.x), strict=True)
        if not np.isfinite(x)
    ]
    return Figure(
        Panels(
            name=name,
            title=title,
            caption=f"Each state with its 95 % interval, what was made of the checkpoints on top; "
            f"n = {counts}. Dashed: the mean of the checkpoints."
            + f" Not finite, and left out: {', '.join(blank)}."
            * bool(blank),
            panels=panels,
            columns=1,
            table=scores.rows(),
        )
    )


def _panel(scores: Scores, metric: str) -> Rows:
    series, marks = [], []
    for k, split in enumerate(scores.splits):
        found = np.array([scores.value(n, split, metric) for n in scores.names])
        shift = APART * ((k + 0.5) / len(scores.splits) - 0.5)
        at = np.arange(len(scores.names), dtype=np.float64) + np.float64(shift)
        half = np.nan_to_num(Z * found[:, 1], nan=0.0, posinf=0.0)
        mean = np.where(np.isfinite(found[:, 0]), found[:, 0], np.nan)
        series.append(
            Series(
                label=split, x=mean, y=at, low=mean - half, high=mean + half, points=True, dash=k
            )
        )
        level = float(np.mean([scores.value(n, split, metric)[0] for n in scores.given]))
        marks.append(Mark(level, of=split))
    return Rows(
        x=unit(metric),
        names=scores.names,
        series=series,
        marks=marks,
        leading=len(scores.made),
    )
