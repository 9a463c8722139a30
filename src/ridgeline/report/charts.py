"""What a study shows, drawn: one figure for each of its charts."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.report.contours import surface_figure
from ridgeline.report.curves import draw_panels, width_of
from ridgeline.report.figures import Figure
from ridgeline.report.heatmaps import grid_figure
from ridgeline.report.series import frames, notes, tidy_panels
from ridgeline.report.traces import plot_panels

if TYPE_CHECKING:
    from ridgeline.charts import Chart, Landscape, Panels

__all__ = ["chart_figure"]


def chart_figure(chart: "Chart") -> Figure:
    """Draw a chart of a study: panels of series, a grid of numbers, or a landscape.

    Panels stand side by side, more than three in two rows. A label has one colour, and one entry
    in the legend, in all of them. What is not finite is a gap; a label without any number is
    named in the caption.

    Args:
        chart: From a study's finding.

    Returns:
        A figure; nothing is drawn yet. Its table has a row for each number that is drawn.

    Raises:
        UsageError: If it is a chart of another kind, or a landscape without a finite value.
        UnknownName: If a landscape's surface lacks the metric.
    """
    from ridgeline.charts import Grid, Landscape, Panels

    match chart:
        case Panels():
            return _panels(chart)
        case Grid():
            return grid_figure(chart)
        case Landscape():
            return _landscape(chart)
    raise UsageError(
        "A chart is of panels, a grid or a landscape.", got=f"a {type(chart).__name__}"
    )


def _panels(chart: "Panels") -> Figure:
    ready = frames(chart)
    return Figure(
        name=chart.name,
        title=chart.title,
        caption=" ".join([chart.caption, *notes(ready)]).strip(),
        rows=tidy_panels(chart),
        draw=lambda: draw_panels(ready),
        plot=lambda: plot_panels(ready),
        width=width_of(len(ready)),
    )


def _landscape(chart: "Landscape") -> Figure:
    figure = surface_figure(
        chart.surface,
        metric=chart.metric,
        points=chart.points,
        trajectories={name: np.asarray(trail) for name, trail in chart.trajectories.items()},
        name=chart.name,
        title=chart.title,
    )
    blank = not np.isfinite(chart.surface.value(chart.metric)).all()
    return replace(figure, caption=chart.caption + " Left blank: not finite." * blank)
