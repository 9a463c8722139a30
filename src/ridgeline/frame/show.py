"""Figures and tables of a frame: what is on the axes and in the cells is a column.

Each is made of the rows when they are there, `show(frame)`, and is data: `ridgeline.charts`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from itertools import product
from typing import Any

import numpy as np

from ridgeline.charts import Chart, Mark, Panel, Panels, Series, Table, band, slug
from ridgeline.frame.table import Frame
from ridgeline.measures import Array
from ridgeline.profiles import Profile

__all__ = ["POSITION", "Curves", "Lines", "Scatter", "Show", "Summary", "Trend", "mean_sd", "tidy"]

Show = Callable[[Frame], Chart | Table | Sequence[Chart | Table]]
"""A figure or table of a frame, or several."""
UNITS = {
    "error": "error (share of samples)",
    "loss": "loss (mean per sample)",
    "smoothed": "smoothed loss (mean per sample)",
}
POSITION = "t (position on the line)"


def mean_sd(values: Iterable[float], *, count: bool = True) -> str:
    """``0.347 ± 0.012 (5)``: mean and standard deviation, to the digits of the latter.

    Args:
        values: One a run.
        count: Whether the number of runs follows in brackets.
    """
    found = np.asarray(list(values), dtype=np.float64)
    if not len(found):
        return "-"
    mean, runs = float(found.mean()), f" ({len(found)})" if count else ""
    spread = float(found.std(ddof=1)) if len(found) > 1 else float("nan")
    if not np.isfinite([mean, spread]).all():
        return f"{mean:.3g}{runs}"
    if spread <= 1e-9 * abs(mean) or not spread:
        return f"{mean:.3g} ± 0{runs}"
    decimals = 1 - int(np.floor(np.log10(spread)))
    if not 0 <= decimals <= 6:
        return f"{mean:.3g} ± {spread:.2g}{runs}"
    return f"{mean:.{decimals}f} ± {spread:.{decimals}f}{runs}"


@dataclass(frozen=True)
class Curves:
    """Profiles on one pair of axes for each metric: the mean over rows, a band of one sd."""

    name: str
    """Name of the chart; with `each`, ``{}`` in it is the value, as a slug."""
    title: str
    """Title of the chart; with `each`, ``{}`` in it is the value."""
    caption: str = ""
    """Caption of the chart; by default the metrics. The number of rows of each line is added."""
    _: KW_ONLY
    line: str | Sequence[str]
    """The column that tells lines apart; of several the values stand side by side."""
    each: str = ""
    """A column for each value of which there is a chart."""
    profile: str = "profile"
    """The column of profiles."""
    metrics: Sequence[str] = ("loss", "error")
    """Those that no profile has are left out."""
    split: str | None = None
    """The first by default."""
    ordered: bool = False
    """True if lines are values in an order, to be coloured on a ramp."""
    transform: Callable[[Array], Array] | None = None
    """Change of the values that are drawn."""
    unit: str = "runs"
    """Plural of what a row is."""
    where: Mapping[str, Any] = field(default_factory=dict)
    """Rows that are drawn, as `Frame.where` takes them."""

    def __call__(self, frame: Frame) -> list[Panels]:
        """Draw the rows that have a profile."""
        rows = frame.where(**self.where).where(**{self.profile: lambda value: value is not None})
        if not self.each:
            return [self._chart(rows, self.name, self.title)] if len(rows) else []
        return [
            self._chart(group, self.name.format(slug(str(value))), self.title.format(value))
            for value, group in rows.by(self.each).items()
        ]

    def _chart(self, rows: Frame, name: str, title: str) -> Panels:
        names = (self.line,) if isinstance(self.line, str) else tuple(self.line)
        found = {
            ", ".join(tidy(part) for part in (key if len(names) > 1 else (key,))): group.values(
                self.profile
            )
            for key, group in rows.by(*names).items()
        }
        panels = [
            Panel(x=POSITION, y=UNITS.get(metric, metric), series=series)
            for metric in self.metrics
            if (series := self._series(found, metric))
        ]
        counts = ", ".join(f"{len(p)} ({label})" for label, p in found.items())
        text = (
            self.caption
            or f"{(self.split or 'training').capitalize()} {' and '.join(self.metrics)}."
        )
        said = (
            f"{text} Mean over {self.unit}, band of one standard deviation; {self.unit}: {counts}."
        )
        return Panels(name=name, title=title, caption=said, panels=panels)

    def _series(self, found: Mapping[str, Sequence[Profile]], metric: str) -> list[Series]:
        change = self.transform or (lambda y: y)
        series = []
        for i, (label, profiles) in enumerate(found.items()):
            has = [p for p in profiles if metric in next(iter(p.curves.values()))]
            if has:
                shade = i / max(len(found) - 1, 1) if self.ordered else None
                curves = [change(p.curve(metric, self.split).mean) for p in has]
                series.append(band(label, has[0].t, curves, ordered=shade))
        return series


@dataclass(frozen=True)
class Lines:
    """A line for each row, pale but for the first of each colour."""

    name: str
    title: str
    caption: str = ""
    _: KW_ONLY
    y: tuple[str, str]
    """The column of arrays, and what it is, with its unit."""
    x: tuple[str, str] = ("t", POSITION)
    """Likewise, of the other axis."""
    line: str
    """The column that tells colours apart."""
    each: str = ""
    """A column for each value of which there is a panel; its value is the panel's title."""
    dashed: bool = False
    """True if colours differ in their dashes, too: for lines that lie on each other."""
    log_y: bool = False
    where: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, frame: Frame) -> list[Panels]:
        """Draw the rows that have a line."""
        rows = frame.where(**self.where).where(**{self.y[0]: lambda y: y is not None})
        parts = rows.by(self.each).items() if self.each else [("", rows)]
        panels = [
            Panel(
                x=self.x[1],
                y=self.y[1],
                series=self._series(part),
                title=tidy(value),
                log_y=self.log_y,
            )
            for value, part in parts
            if len(part)
        ]
        if not panels:
            return []
        return [Panels(name=self.name, title=self.title, caption=self.caption, panels=panels)]

    def _series(self, rows: Frame) -> list[Series]:
        return [
            Series(
                label=tidy(value),
                x=row[self.x[0]],
                y=row[self.y[0]],
                faint=j > 0,
                dash=i if self.dashed else 0,
            )
            for i, (value, group) in enumerate(rows.by(self.line).items())
            for j, row in enumerate(group)
        ]


@dataclass(frozen=True)
class Summary:
    """A table: a row for each group of rows, mean ± standard deviation (number of rows)."""

    title: str
    _: KW_ONLY
    by: Mapping[str, str]
    """Head of a column to the column whose values tell rows apart."""
    of: Mapping[str, str | Callable[[Frame], Any]]
    """Head to the column of numbers, or to what is said of the group."""
    note: str = ""
    count: bool = True
    """True if the number of rows stands in each cell."""
    where: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, frame: Frame) -> Table:
        """Make the table of all rows."""
        rows = []
        for key, group in frame.where(**self.where).by(*self.by.values()).items():
            told = key if len(self.by) > 1 else (key,)
            # A whole number stays one, for whoever reads the table with a program.
            heads = [one if type(one) is int else tidy(one) for one in told]
            rows.append([*heads, *(self._cell(group, of) for of in self.of.values())])
        columns = [*self.by, *self.of]
        return Table(title=self.title, columns=columns, rows=rows, note=self.note)

    def _cell(self, group: Frame, of: str | Callable[[Frame], Any]) -> Any:
        if not isinstance(of, str):
            return of(group)
        values = (value for value in group.values(of) if value is not None)
        return mean_sd(values, count=self.count)


@dataclass(frozen=True)
class Scatter:
    """Points: columns against columns, a panel for each two."""

    name: str
    title: str
    caption: str = ""
    """Caption of the chart; the counts of what is drawn are added."""
    _: KW_ONLY
    x: tuple[str, str] | Mapping[str, str]
    """The column on the axis, and what it is, with its unit; or several, as `y` has them."""
    y: Mapping[str, str]
    """Quantity on the other axis, with its unit, to its column; a panel for each."""
    line: str
    """The column that tells series apart."""
    log_x: bool = False
    log_y: bool = False
    where: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, frame: Frame) -> Panels:
        """Draw a point for each row that has both numbers."""
        across = self.x if isinstance(self.x, Mapping) else {self.x[1]: self.x[0]}
        panels = []
        for (label, column), (said, y) in product(across.items(), self.y.items()):
            rows = frame.where(**self.where).where(
                **{name: lambda value: value is not None for name in (column, y)}
            )
            series = [
                Series(label=tidy(value), x=group[column], y=group[y], points=True)
                for value, group in rows.by(self.line).items()
            ]
            panels.append(Panel(x=label, y=said, series=series, log_x=self.log_x, log_y=self.log_y))
        groups = frame.where(**self.where).by(self.line)
        counts = ", ".join(f"{len(group)} ({tidy(value)})" for value, group in groups.items())
        caption = f"{self.caption} One point a row; rows: {counts}.".strip()
        return Panels(name=self.name, title=self.title, caption=caption, panels=panels)


@dataclass(frozen=True)
class Trend:
    """Numbers against a setting: the mean over units that are there at each, a band of one sd."""

    name: str
    title: str
    caption: str = ""
    """Caption of the chart; the counts of what is drawn are added."""
    _: KW_ONLY
    x: tuple[str, str]
    """The column of settings, and what it is."""
    y: Mapping[str, str | Mapping[str, str]]
    """Quantity on the other axis, with its unit, to its column, or to several by label; a panel for
    each."""
    unit: str
    """The column that names what recurs at each setting, such as a seed: of the others the mean
    would move for another reason."""
    line: str = ""
    """The column that tells lines apart; without one there is one line a panel."""
    each: str = ""
    """A column for each value of which there is a panel; its value is the panel's title."""
    log_x: bool = False
    marks: Sequence[Mark] = ()
    where: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, frame: Frame) -> Panels:
        """Draw the rows."""
        rows = frame.where(**self.where)
        parts = rows.by(self.each).items() if self.each else [("", rows)]
        panels = [
            Panel(
                x=self.x[1],
                y=said,
                series=self._series(part, column, said),
                title=tidy(value),
                log_x=self.log_x,
                marks=self.marks,
            )
            for value, part in parts
            for said, column in self.y.items()
        ]
        return Panels(name=self.name, title=self.title, caption=self.caption, panels=panels)

    def _series(self, rows: Frame, column: str | Mapping[str, str], said: str) -> list[Series]:
        columns = {said: column} if isinstance(column, str) else column
        lines = rows.by(self.line).items() if self.line else [("", rows)]
        series = []
        for value, line in lines:
            whole = line.balanced(self.unit, self.x[0]).sorted(self.x[0])
            if not len(whole):
                continue
            at = list(whole.by(self.x[0]))
            for label, name in columns.items():
                parts = [tidy(value)] * bool(self.line) + [label] * (len(columns) > 1)
                curves = [unit[name] for unit in whole.by(self.unit).values()]
                series.append(band(", ".join(parts) or said, at, curves))
        return series


def tidy(value: Any) -> str:
    """A setting's value as a label."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
