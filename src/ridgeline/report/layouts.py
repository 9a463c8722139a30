"""Plotly's layout for panels in rows, in the look of `ridgeline.report.style`."""

from collections.abc import Sequence
from typing import Any

from ridgeline.report.style import INK, PAPER, RULE, SOFT

__all__ = ["GAP", "axis_names", "layout"]

GAP = {1: 0.0, 2: 0.12, 3: 0.085}
"""Between columns of panels, as a share of the width."""
TOP, BOTTOM = 24, 48
BELOW = 62
"""Pixels between two rows, for the label and the numbers of the upper one's axis."""
AXIS: dict[str, Any] = {
    "title": {"font": {"size": 13}},
    "gridcolor": RULE,
    "linecolor": SOFT,
    "tickcolor": SOFT,
    "zeroline": False,
    "showline": True,
    "ticks": "outside",
    "ticklen": 4,
    "automargin": True,
}


def layout(
    panels: Sequence[dict[str, dict[str, Any]]],
    *,
    height: int = 380,
    columns: int | None = None,
    lift: int = 0,
) -> dict[str, Any]:
    """Plotly's layout for panels side by side, or in rows.

    ``meta`` says what a narrow page needs to stack the panels.

    Args:
        panels: For each, settings of its ``x`` and ``y`` axis.
        height: Of the first row, in pixels, with its margins.
        columns: Panels in a row; all by default.
        lift: Pixels above each panel for what is written there.

    Returns:
        A plain dict.
    """
    columns = columns or len(panels)
    count = -(-len(panels) // columns)
    row = height - TOP - BOTTOM
    between = BELOW + lift
    inner = count * row + (count - 1) * between
    gap = GAP.get(columns, 0.06)
    width = (1 - gap * (columns - 1)) / columns
    found: dict[str, Any] = {
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"bgcolor": PAPER, "bordercolor": RULE, "font": {"color": INK}},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": SOFT, "activecolor": INK},
        "margin": {"l": 56, "r": 16, "t": TOP + lift, "b": BOTTOM},
        "height": TOP + lift + inner + BOTTOM,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": round(1 + (12 + lift) / inner, 4),
            "yanchor": "bottom",
        },
        "meta": {"panels": len(panels), "columns": columns, "lift": lift},
    }
    for i, panel in enumerate(panels):
        x, y = axis_names(i)
        left = (i % columns) * (width + gap)
        top = 1 - (i // columns) * (row + between) / inner
        across = [round(left, 4), round(min(left + width, 1), 4)]
        up = [round(max(top - row / inner, 0), 4), round(top, 4)]
        found["xaxis" + x[1:]] = {**_merged(AXIS, panel["x"]), "domain": across, "anchor": y}
        found["yaxis" + y[1:]] = {**_merged(AXIS, panel["y"]), "domain": up, "anchor": x}
    return found


def axis_names(index: int) -> tuple[str, str]:
    """Plotly's names of a panel's axes, counted from zero: ``("x", "y")``, ``("x2", "y2")``."""
    n = str(index + 1) if index else ""
    return "x" + n, "y" + n


def _merged(axis: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {**axis, **more, "title": {**axis["title"], **more.get("title", {})}}
