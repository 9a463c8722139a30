"""What a study shows, drawn: one figure for each of its charts."""

from ridgeline.charts import Chart, Grid, Landscape, Panels
from ridgeline.errors import UsageError
from ridgeline.report.figures import Figure

__all__ = ["chart_figure"]


def chart_figure(chart: Chart) -> Figure:
    """Draw a chart: panels of series and rows, a grid of numbers, or a landscape.

    Panels stand side by side, more than three in two rows. A label has one colour, and one entry
    in the legend, in all of them. What is not finite is a gap; a label without any number is
    named in the caption.

    Args:
        chart: What is shown.

    Returns:
        A figure; nothing is drawn yet. Its table has a row for each number that is drawn.

    Raises:
        UsageError: If it is a chart of another kind.
    """
    if not isinstance(chart, Panels | Grid | Landscape):
        raise UsageError(
            "A chart is of panels, a grid or a landscape.", got=f"a {type(chart).__name__}"
        )
    return Figure(chart)
