"""Named rows by matplotlib: bars, or dots with their intervals."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.charts import Rows
from ridgeline.report.frames import Frame, Stroke
from ridgeline.report.style import INK, RULE, SOFT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["draw_rows", "inches_of"]

LONGEST = 34
"""Letters of a name; of longer ones, paths, the end is shown."""
LEAST = 2.15
"""Inches of rows of bars, which stand beside a panel of lines."""
TEXT = 6.5


def inches_of(panel: Rows) -> float:
    """Inches that rows are high, with their axis."""
    if panel.bars:
        return max(LEAST, 0.6 + 0.2 * len(panel.names))
    return 0.6 + 0.2 * len(panel.names) * (1 + 0.3 * (len(panel.series) - 1))


def draw_rows(ax: "Axes", panel: Rows, frame: Frame, symbols: "Sequence[str]") -> dict[str, Any]:
    """Draw the rows of a panel.

    Args:
        ax: Where.
        panel: What.
        frame: The same, made ready.
        symbols: Of dots, by `Stroke.dash`.

    Returns:
        By label, what the legend shows.
    """
    if panel.leading:
        ax.axhline(panel.leading - 0.5, color=RULE, lw=0.9)
    handles: dict[str, Any] = {}
    for stroke in frame.strokes:
        gid = f"s{stroke.key}"
        good = np.isfinite(stroke.x)
        if panel.bars:
            shade = {"color": stroke.colour, "alpha": 0.9}
            drawn = ax.barh(stroke.y[good], stroke.x[good], height=0.66, **shade)
            for bar in drawn:
                bar.set_gid(gid)
        else:
            look: dict[str, Any] = {"marker": symbols[stroke.dash], "ls": "none", "ms": 3.4}
            drawn = ax.plot(stroke.x[good], stroke.y[good], color=stroke.colour, gid=gid, **look)[0]
        _draw_intervals(ax, stroke, SOFT if panel.bars else stroke.colour)
        if stroke.named:
            handles.setdefault(stroke.label, drawn)
    reach = frame.x.high - frame.x.low
    for row, text in enumerate(panel.texts):
        ends = [_end(s, row) for s in frame.strokes]
        ax.text(max([0.0, *ends]) + 0.015 * reach, row, text, va="center", size=TEXT, color=INK)
    ax.set_yticks(range(len(panel.names)), [_short(name) for name in panel.names])
    for label in ax.get_yticklabels()[: panel.leading]:
        label.set_fontweight("bold")
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    return handles


def _draw_intervals(ax: "Axes", stroke: Stroke, shade: str) -> None:
    if stroke.low is None or stroke.high is None:
        return
    reach = np.nan_to_num(np.stack([stroke.x - stroke.low, stroke.high - stroke.x]))
    good = np.isfinite(stroke.x) & (reach > 0).any(0)
    ax.errorbar(
        stroke.x[good],
        stroke.y[good],
        xerr=np.maximum(reach[:, good], 0),
        fmt="none",
        ecolor=shade,
        elinewidth=0.9,
    )


def _end(stroke: Stroke, row: int) -> float:
    """Right end of a row's bar, its interval included."""
    mine = np.round(stroke.y) == row
    values = [v[mine] for v in (stroke.x, stroke.high) if v is not None]
    found = np.concatenate(values)
    return float(max([0.0, *found[np.isfinite(found)]]))


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"
