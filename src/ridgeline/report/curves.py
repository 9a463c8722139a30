"""Panels of series by matplotlib."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.numerals import number
from ridgeline.report.marks import above, inside, levels
from ridgeline.report.series import Frame, Stroke
from ridgeline.report.style import COLUMN, PAPER, SOFT, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["columns_of", "draw_panels", "inside_of", "width_of"]

DASHES = ("solid", (0, (4.5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.4, 1.2, 1.4)))
SYMBOLS = ("o", "s", "^", "D")
HIGH = 2.15
"""Inches of a row of panels."""
TITLE, LEVEL, ENTRY = 0.17, 0.125, 0.145
"""Inches of a title, of a line of labels above a panel, and of a line of the legend."""
TEXT = 6.6
"""Points of the letters in a panel."""


def columns_of(panels: int) -> int:
    """Panels in a row: up to three; of four, two."""
    return panels if panels <= 3 else 2 if panels == 4 else 3


def width_of(panels: int) -> float:
    """Inches on paper: one column for one panel, both for more."""
    return COLUMN if panels == 1 else 2 * COLUMN


def inside_of(panels: int) -> tuple[float, float]:
    """About how large the inside of a panel is, in inches."""
    return width_of(panels) / columns_of(panels) - 0.65, HIGH - 0.6


def draw_panels(frames: Sequence[Frame]) -> Any:
    """The matplotlib figure."""
    columns = columns_of(len(frames))
    rows = -(-len(frames) // columns)
    width = width_of(len(frames))
    size = inside_of(len(frames))
    lines = levels(frames, columns, size[0])
    labels = dict.fromkeys(
        s.label for f in frames for s in f.strokes if s.label and not s.faint and not s.empty
    )
    across = _legend_columns(list(labels), width) if labels else 1
    over = sum(lines[::columns])
    titled = any(frame.panel.title for frame in frames)
    tall = rows * (HIGH + TITLE * titled) + LEVEL * over + ENTRY * -(-len(labels) // across)
    figure, axes = canvas(len(frames), (width, tall), columns)
    handles: dict[str, Any] = {}
    for ax, frame, above_it in zip(axes, frames, lines, strict=True):
        handles = _draw_frame(ax, frame, size, above_it) | handles
    if labels:
        _legend(figure, {label: handles[label] for label in labels}, across)
    return figure


def _draw_frame(ax: "Axes", frame: Frame, size: tuple[float, float], lines: int) -> dict[str, Any]:
    panel = frame.panel
    ax.set(xlabel=panel.x, ylabel=panel.y)
    if frame.x.log:
        ax.set_xscale("log")
    if frame.y.log:
        ax.set_yscale("log")
    ax.set_xlim(frame.x.low, frame.x.high)
    ax.set_ylim(frame.y.low, frame.y.high)
    _name_ticks(ax, frame)
    handles: dict[str, Any] = {}
    for stroke in frame.strokes:
        if not stroke.empty:
            handle = _draw_stroke(ax, stroke)
            if not stroke.faint:
                handles.setdefault(stroke.label, handle)
    _draw_marks(ax, frame, size)
    if panel.title:
        ax.set_title(panel.title, loc="left", pad=4 + 72 * LEVEL * lines, weight="bold")
    if frame.empty:
        ax.set(xticks=[], yticks=[])
        ax.text(0.5, 0.5, "no data", transform=ax.transAxes, ha="center", va="center", color=SOFT)
    return handles


def _draw_stroke(ax: "Axes", stroke: Stroke) -> Any:
    shade, behind = stroke.colour, 1.8 if stroke.faint else 2.2
    thin: dict[str, Any] = {"alpha": 0.35} if stroke.faint else {}
    if stroke.points:
        if stroke.low is not None and stroke.high is not None:
            _bars(ax, stroke, behind)
        look = {"marker": SYMBOLS[stroke.dash], "ms": 2.2 if stroke.faint else 4, "ls": "none"}
        edge = {} if stroke.faint else {"mec": PAPER, "mew": 0.5}
        look |= {"mew": 0.0} | edge
    else:
        if stroke.low is not None and stroke.high is not None:
            ax.fill_between(
                stroke.x, stroke.low, stroke.high, color=shade, alpha=0.17, linewidth=0, zorder=1.6
            )
        look = {"ls": DASHES[stroke.dash], "lw": 0.6 if stroke.faint else 1.4}
        if _lonely(stroke):
            look |= {"marker": "o", "ms": 2.8}
    return ax.plot(stroke.x, stroke.y, color=shade, zorder=behind, **look, **thin)[0]


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
        alpha=0.35 if stroke.faint else 0.75,
        zorder=behind - 0.1,
    )


def _draw_marks(ax: "Axes", frame: Frame, size: tuple[float, float]) -> None:
    line = {"color": SOFT, "lw": 0.8, "ls": (0, (3, 2.2)), "zorder": 1.7}
    for mark in frame.panel.marks:
        if mark.axis == "x" and frame.x.shows(mark.value):
            ax.axvline(mark.value, **line)
        elif mark.axis == "y" and frame.y.shows(mark.value):
            ax.axhline(mark.value, **line)
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


def _name_ticks(ax: "Axes", frame: Frame) -> None:
    if frame.ticks is not None:
        ax.set_xticks(frame.ticks, [number(v, 4) for v in frame.ticks])
        ax.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    for axis, scale in ((ax.xaxis, frame.x), (ax.yaxis, frame.y)):
        if scale.log and not (axis is ax.xaxis and frame.ticks is not None):
            _name_decades(axis, scale.high / scale.low)


def _name_decades(axis: Any, ratio: float) -> None:
    """Over few decades powers of ten alone are too few numbers to read a value by."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_minor_formatter(NullFormatter())
    if ratio < 300:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if ratio > 8 else (1, 1.5, 2, 3, 5, 7)))
        axis.set_major_formatter(FuncFormatter(lambda v, _: number(v)))


def _legend(figure: Any, handles: dict[str, Any], columns: int) -> None:
    # Entries run down the columns; they are to be read along the rows.
    order = [i for c in range(columns) for i in range(c, len(handles), columns)]
    labels = list(handles)
    figure.legend(
        [handles[labels[i]] for i in order],
        [labels[i] for i in order],
        loc="outside upper left",
        ncols=columns,
        columnspacing=1.4,
        borderaxespad=0.2,
    )


def _legend_columns(labels: Sequence[str], width: float) -> int:
    """As many columns as are not wider than the figure."""
    from matplotlib.textpath import TextPath

    wide = [TextPath((0, 0), s, size=7).get_extents().width if s.strip() else 0.0 for s in labels]
    for columns in range(min(len(labels), 6), 1, -1):
        room = sum(max(wide[c::columns]) + 34 for c in range(columns))
        if room <= 72 * width - 16:
            return columns
    return 1
