"""Figures and tables as data: what there is to show, whoever draws it.

A study, or a function of `ridgeline.report`, says what is on the axes and gives numbers;
`ridgeline.report` draws every chart in one style.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.measures.curve import Array

if TYPE_CHECKING:
    from ridgeline.profiles import Surface

__all__ = [
    "Chart",
    "Grid",
    "Landscape",
    "Mark",
    "Panel",
    "Panels",
    "Rise",
    "Row",
    "Rows",
    "Series",
    "Table",
    "band",
    "slug",
]

Row = dict[str, Any]
"""A tidy row: one number and what is known of it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Series:
    """One line, or one cloud of points."""

    label: str
    """For the legend; series of one label share a colour and one entry."""
    x: Sequence[float] | Array
    y: Sequence[float] | Array
    low: Sequence[float] | Array | None = None
    """Lower edge of a band, or of an error bar if points are drawn."""
    high: Sequence[float] | Array | None = None
    points: bool = False
    """True if points are drawn in place of a line."""
    dash: int = 0
    """Pattern of the line, or symbol of the points: 0 to 3."""
    ordered: float | None = None
    """A place from 0 to 1 on a ramp of colours, for labels that are values in an order."""
    faint: bool = False
    """True if it is drawn thin and pale and without an entry in the legend, as single runs are
    behind their mean."""
    strong: bool = False
    """True if it is drawn thick, in the colour of the text: what the others are parts of."""
    guide: bool = False
    """True if it only guides the eye, as a chord does: thin, dashed, no entry in the legend."""
    group: str = ""
    """Series of one group share a colour; of one label by default."""
    name: str = ""
    """Name where it is pointed at; the label by default."""

    def __post_init__(self) -> None:
        for name in ("x", "y", "low", "high"):
            values = getattr(self, name)
            if values is not None:
                object.__setattr__(self, name, np.asarray(values, dtype=np.float64))
                if getattr(self, name).shape != (len(self.x),):
                    raise UsageError(
                        "A series has as many values on each axis.",
                        got=f"{self.label!r}: {len(self.x)} and {np.shape(values)}",
                    )


@dataclass(frozen=True)
class Mark:
    """A straight reference line across a panel."""

    value: float
    label: str = ""
    axis: Literal["x", "y"] = "x"
    """Axis of the value: ``"x"`` draws it upright."""
    of: str = ""
    """Label of the series whose colour it has; grey without one."""


@dataclass(frozen=True, kw_only=True)
class Rise:
    """A height above a foot, as of a barrier above its chord: a stem, a dot, and its size."""

    x: float
    low: float
    high: float
    text: str
    """The height in words, as ``2.31 ± 0.08``."""
    label: str = ""
    """Label of the series that it is of, whose colour it has."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Panel:
    """One pair of axes. Labels name the unit."""

    x: str
    y: str
    series: Sequence[Series]
    title: str = ""
    log_x: bool = False
    log_y: bool = False
    marks: Sequence[Mark] = ()
    rises: Sequence[Rise] = ()
    y_range: tuple[float, float] | None = None
    crossed: bool = False
    """True if crosses at the upper edge mark positions whose value is not finite."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows:
    """Named rows, each with one value of every series: as bars, or as dots with intervals.

    A series has its values in `Series.x`, the numbers of their rows in `Series.y`, and the ends of
    its intervals, which are on the horizontal axis, in `Series.low` and `Series.high`.
    """

    x: str
    names: Sequence[str]
    series: Sequence[Series]
    title: str = ""
    marks: Sequence[Mark] = ()
    bars: bool = False
    """True if a bar is drawn from zero to each value."""
    texts: Sequence[str] = ()
    """Written beside each row's bar."""
    leading: int = 0
    """So many of the first rows are told apart: in bold, above a rule."""

    def __post_init__(self) -> None:
        numbers = np.concatenate([[0.0], *(np.asarray(s.y, float) for s in self.series)])
        if not self.names or numbers.min() < -0.5 or numbers.max() > len(self.names) - 0.5:
            raise UsageError(
                "Every value stands in a row that has a name.",
                got=f"{len(self.names)} names, and rows {numbers.min():g} to {numbers.max():g}",
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class Chart:
    """Everything that all charts have."""

    name: str
    """For files: letters, digits, '.', '_' and '-'; unique within its page."""
    title: str
    caption: str
    """Sentence on what is drawn, over how many runs and samples."""
    table: Sequence[Row] = ()
    """The tidy rows that are saved beside it; what is drawn by default."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name):
            raise UsageError(
                "A chart's name becomes a file's: letters, digits, '.', '_' and '-'.",
                got=repr(self.name),
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class Panels(Chart):
    """Lines, points and rows: panels side by side."""

    panels: Sequence[Panel | Rows]
    columns: int | None = None
    """Panels beside each other; up to three by default."""
    legend: bool = True
    """False if what has a label is named elsewhere, as by rows."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.panels:
            raise UsageError("A chart has one panel at least.", got=repr(self.name))


@dataclass(frozen=True, eq=False, kw_only=True)
class Grid(Chart):
    """A heatmap: one number for each pair of two settings."""

    rows: Sequence[str]
    columns: Sequence[str]
    values: Array
    """Shape (rows, columns); NaN where nothing was measured."""
    counts: Array
    """Number of runs of each, shape (rows, columns)."""
    x: str
    y: str
    unit: str
    log: bool = False
    """True if colours are on a logarithmic scale."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Landscape(Chart):
    """A surface over a plane, with points and trajectories on it."""

    surface: "Surface"
    metric: str = "loss"
    split: str | None = None
    """The first by default."""
    unit: str = ""
    """Label of the scale; the metric by default."""
    points: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    trajectories: Mapping[str, Sequence[tuple[float, float]] | Array] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Table:
    """A table for reading: its cells are shown as they are, numbers to four digits."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]] = ()
    note: str = ""
    tidy: Sequence[Row] = ()
    """For files: numbers, where cells are text for reading; the cells by default."""

    @property
    def name(self) -> str:
        """For files."""
        return slug(self.title)

    def records(self) -> list[Row]:
        """The rows as dicts, for files."""
        return list(self.tidy) or [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def slug(text: str) -> str:
    """Return a title as a file's name: lower case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "untitled"


def band(label: str, x: Any, curves: Any, **more: Any) -> Series:
    """The mean of several curves, with a band of one standard deviation over them.

    Args:
        label: See `Series`.
        x: Positions, shape (K,).
        curves: Shape (runs, K).
        **more: See `Series`.
    """
    values = np.asarray(curves, dtype=np.float64)
    mean = values.mean(0)
    spread = values.std(0, ddof=1) if len(values) > 1 else np.zeros_like(mean)
    return Series(label=label, x=x, y=mean, low=mean - spread, high=mean + spread, **more)
