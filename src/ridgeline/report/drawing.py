"""Panels drawn by matplotlib, for paper and page alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.charts import Panel, Rows
from ridgeline.report.axes import name_ticks, wrapped
from ridgeline.report.frames import Frame, Stroke
from ridgeline.report.hovering import Target, targets_of
from ridgeline.report.labels import LETTER, Inside, above, heights, inside, levels
from ridgeline.report.rowed import draw_rows, inches_of
from ridgeline.report.style import COLUMN, PAPER, SOFT, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["Drawn", "draw_panels", "inside_of", "width_of"]

DASHES = ("solid", (0, (4.5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.4, 1.2, 1.4)))
SYMBOLS = ("o", "s", "^", "D")
HIGH = 2.15
"""Inches of a row of panels."""
TITLE, LEVEL, ENTRY = 0.17, 0.125, 0.145
"""Inches of a title, of a line of labels above a panel, and of a line of the legend."""
TEXT = 6.6
"""Points of the letters in a panel."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A matplotlib figure, and what in each of its panels can be pointed at."""

    canvas: "Canvas"
    panels: list[tuple["Axes", list[Target]]]


def columns_of(panels: int) -> int:
    """Panels in a row: up to three; of four, two."""
    return panels if panels <= 3 else 2 if panels == 4 else 3


def width_of(panels: Sequence[Panel | Rows], columns: int | None, *, narrow: bool = False) -> float:
    """Inches on paper: one column for one panel, both for more; one and a half for rows alone."""
    if narrow:
        return COLUMN
    if all(isinstance(panel, Rows) for panel in panels) and columns == 1:
        return 1.55 * COLUMN
    return COLUMN if (columns or len(panels)) == 1 else 2 * COLUMN


def inside_of(width: float, columns: int) -> tuple[float, float]:
    """About how large the inside of a panel is, in inches."""
    return width / columns - 0.65, HIGH - 0.6


def draw_panels(
    frames: Sequence[Frame], width: float, columns: int | None = None, *, legend: bool = True
) -> Drawn:
    """Draw panels in rows, with one legend for all.

    Args:
        frames: The panels.
        width: In inches.
        columns: Panels in a row; up to three by default.
        legend: False if no label has an entry.
    """
    columns = columns or columns_of(len(frames))
    size = inside_of(width, columns)
    lines = levels(frames, columns, size[0])
    named = {s.label: s.key for f in frames for s in f.strokes if s.named} if legend else {}
    across = _legend_columns(list(named), width) if named else 1
    titled = TITLE * any(frame.panel.title for frame in frames)
    tall = [_high(f) + titled + LEVEL * n for f, n in zip(frames, lines, strict=True)]
    rows = [max(tall[i : i + columns]) for i in range(0, len(tall), columns)]
    high = sum(rows) + ENTRY * -(-len(named) // across)
    figure, axes = canvas(len(frames), (width, high), columns, rows)
    handles: dict[str, Any] = {}
    panels: list[tuple[Axes, list[Target]]] = []
    for ax, frame, above_it in zip(axes, frames, lines, strict=True):
        written, scale = heights(frame, size)
        ready = replace(frame, y=scale)
        handles = _draw_frame(ax, ready, size, above_it, written) | handles
        panels.append((ax, targets_of(ready)))
    if named:
        _legend(figure, {label: handles[label] for label in named}, named, across)
    return Drawn(figure, panels)


def _high(frame: Frame) -> float:
    return inches_of(frame.panel) if isinstance(frame.panel, Rows) else HIGH


def _draw_frame(
    ax: "Axes", frame: Frame, size: tuple[float, float], lines: int, written: Sequence[Inside]
) -> dict[str, Any]:
    panel = frame.panel
    ax.set_xlabel(wrapped(panel.x, size[0] + 0.15))
    ax.set_xlim(frame.x.low, frame.x.high)
    ax.set_ylim(frame.y.low, frame.y.high)
    if panel.title:
        ax.set_title(panel.title, loc="left", pad=4 + 72 * LEVEL * lines, weight="bold")
    if isinstance(panel, Rows):
        handles = draw_rows(ax, panel, frame, SYMBOLS)
    else:
        handles = _draw_lines(ax, panel, frame)
    _draw_marks(ax, frame, size)
    for label in written:
        place = {"transform": ax.transAxes, "ha": "center", "va": "center", "zorder": 5}
        ax.text(label.x, label.y, label.text, color=label.colour, size=TEXT, **place)
    if frame.empty and not isinstance(panel, Rows):  # a row says what it lacks
        ax.set(xticks=[], yticks=[])
        ax.text(0.5, 0.5, "no data", transform=ax.transAxes, ha="center", va="center", color=SOFT)
    return handles


def _draw_lines(ax: "Axes", panel: Panel, frame: Frame) -> dict[str, Any]:
    ax.set_ylabel(wrapped(panel.y, HIGH - 0.4))
    if frame.x.log:
        ax.set_xscale("log")
    if frame.y.log:
        ax.set_yscale("log")
    ax.set_xlim(frame.x.low, frame.x.high)
    ax.set_ylim(frame.y.low, frame.y.high)
    name_ticks(ax, frame)
    handles: dict[str, Any] = {}
    for stroke in frame.strokes:
        if not stroke.empty:
            handle = _draw_stroke(ax, stroke)
            if stroke.named:
                handles.setdefault(stroke.label, handle)
        if panel.crossed and not stroke.series.guide:
            _draw_crosses(ax, stroke)
    for rise in panel.rises:
        shade = frame.colours.get(rise.label, SOFT)
        ax.plot((rise.x, rise.x), (rise.low, rise.high), color=shade, lw=0.7, alpha=0.75)
        ax.plot(rise.x, rise.high, "o", color=shade, ms=3.4, mec=PAPER, mew=0.5, zorder=4)
    return handles


def _draw_stroke(ax: "Axes", stroke: Stroke) -> Any:
    own = stroke.series
    shade, behind = stroke.colour, 1.8 if own.faint or own.guide else 2.3 if own.strong else 2.2
    thin: dict[str, Any] = {"alpha": 0.75 if own.guide else 0.35} if behind < 2 else {}
    gid: dict[str, Any] = {} if own.guide else {"gid": f"s{stroke.key}"}
    if own.points:
        if stroke.low is not None and stroke.high is not None:
            _bars(ax, stroke, behind)
        look = {"marker": SYMBOLS[stroke.dash], "ms": 2.2 if own.faint else 4, "ls": "none"}
        edge = {} if own.faint else {"mec": PAPER, "mew": 0.5}
        look |= {"mew": 0.0} | edge
    else:
        if stroke.low is not None and stroke.high is not None:
            band = {"color": shade, "alpha": 0.17, "linewidth": 0, "zorder": 1.6}
            ax.fill_between(stroke.x, stroke.low, stroke.high, **band, **gid)
        wide = 0.7 if own.guide else 0.6 if own.faint else 2.0 if own.strong else 1.4
        look = {"ls": (0, (3, 2.5)) if own.guide else DASHES[stroke.dash], "lw": wide}
        if _lonely(stroke):
            look |= {"marker": "o", "ms": 2.8}
    return ax.plot(stroke.x, stroke.y, color=shade, zorder=behind, **look, **thin, **gid)[0]


def _lonely(stroke: Stroke) -> bool:
    """True if a value stands between gaps, where a line alone would not show it."""
    good = np.concatenate([[False], np.isfinite(stroke.y), [False]])
    return bool((good[1:-1] & ~good[:-2] & ~good[2:]).any())


def _bars(ax: "Axes", stroke: Stroke, behind: float) -> None:
    assert stroke.low is not None
    assert stroke.high is not None
    reach = np.nan_to_num(np.stack([stroke.y - stroke.low, stroke.high - stroke.y]))
    good = np.isfinite(stroke.y)
    ax.errorbar(
        stroke.x[good],
        stroke.y[good],
        yerr=np.maximum(reach[:, good], 0),
        fmt="none",
        ecolor=stroke.colour,
        elinewidth=0.8,
        alpha=0.35 if stroke.series.faint else 0.75,
        zorder=behind - 0.1,
    )


def _draw_crosses(ax: "Axes", stroke: Stroke) -> None:
    holes = stroke.x[np.isnan(stroke.y) & np.isfinite(stroke.x)]
    if len(holes):
        look: dict[str, Any] = {"color": stroke.colour, "ms": 3, "mew": 0.9, "clip_on": False}
        ax.plot(holes, np.ones(len(holes)), "x", transform=ax.get_xaxis_transform(), **look)


def _draw_marks(ax: "Axes", frame: Frame, size: tuple[float, float]) -> None:
    line = {"lw": 0.8, "ls": (0, (3, 2.2)), "zorder": 1.7}
    for value, _, shade in frame.marked("x"):
        ax.axvline(value, color=shade, **line)
    for value, _, shade in frame.marked("y"):
        ax.axhline(value, color=shade, **line)
    for over in above(frame, size[0]):
        ax.annotate(
            over.text,
            (over.x, 1),
            xycoords="axes fraction",
            xytext=(0, 2.5 + 72 * LEVEL * over.level),
            textcoords="offset points",
            ha="center",
            va="bottom",
            size=TEXT,
        )
    for label in inside(frame, size):
        ax.text(
            label.x, label.y, label.text, transform=ax.transAxes, va="center", size=TEXT, zorder=5
        )


def _legend(figure: Any, handles: dict[str, Any], keys: dict[str, int], columns: int) -> None:
    # Entries run down the columns; they are to be read along the rows.
    order = [i for c in range(columns) for i in range(c, len(handles), columns)]
    labels = [list(handles)[i] for i in order]
    drawn = figure.legend(
        [handles[label] for label in labels],
        [_fitting(label, figure.get_size_inches()[0]) for label in labels],
        loc="outside upper left",
        ncols=columns,
        columnspacing=1.4,
        borderaxespad=0.2,
    )
    for label, text, handle in zip(labels, drawn.get_texts(), drawn.legend_handles, strict=True):
        text.set_gid(f"k{keys[label]}")
        if handle is not None:
            handle.set_gid(f"k{keys[label]}")


def _fitting(label: str, width: float) -> str:
    """A label whose middle is left out where it is longer than the figure is wide."""
    most = int((width - 0.6) / LETTER)
    return label if len(label) <= most else f"{label[: most // 2 - 1]}…{label[1 - most // 2 :]}"


def _legend_columns(labels: Sequence[str], width: float) -> int:
    """As many columns as are not wider than the figure."""
    from matplotlib.textpath import TextPath

    wide = [TextPath((0, 0), s, size=7).get_extents().width if s.strip() else 0.0 for s in labels]
    for columns in range(min(len(labels), 6), 1, -1):
        room = sum(max(wide[c::columns]) + 34 for c in range(columns))
        if room <= 72 * width - 16:
            return columns
    return 1
