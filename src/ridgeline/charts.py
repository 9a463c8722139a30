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
    "Row",
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
    """Which pattern of line, or which symbol of points: 0 to 3."""
    ordered: float | None = None
    """A place from 0 to 1 on a ramp of colours, for labels that are values in an order."""
    faint: bool = False
    """True if it is drawn thin and pale and without an entry in the legend, as single runs are
    behind their mean."""

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
    """Which axis the value is on: ``"x"`` draws it upright."""


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
    y_range: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Chart:
    """What every chart has."""

    name: str
    """For files: lower case, digits, hyphens; unique within its paper."""
    title: str
    caption: str
    """What is drawn, over how many runs and samples."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Panels(Chart):
    """Lines and points: panels side by side."""

    panels: Sequence[Panel]

    def __post_init__(self) -> None:
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
    """How many runs each is of, shape (rows, columns)."""
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
    points: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    trajectories: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)


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
