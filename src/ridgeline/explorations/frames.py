"""The frame of an exploration, and its report."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from ridgeline.charts import Chart, Grid, Panel, Panels, Series, Table, slug
from ridgeline.errors import UsageError
from ridgeline.frame import Estimate, Frame
from ridgeline.frame.show import Curves
from ridgeline.io.writing import atomic_path
from ridgeline.report import Card, Page, Section, chart_figure, write_page

__all__ = ["Exploration"]

SHOWN = 30
"""Networks in a matrix; a larger one cannot be read."""
ROWS = 200
"""Lines in the report's table."""
UNITS = {
    "barrier": "loss barrier",
    "loss": "loss of both ends",
    "error_barrier": "error barrier (share of samples)",
    "error": "error of both ends (share of samples)",
    "distance": "distance",
}


class Exploration(Frame):
    """Lines between networks, a row each; what `ridgeline.explore` gives.

    Args:
        columns: As `Frame` takes them.
        factors: Names of the columns that were chosen, not measured: those of ``by``, ``align``.
        **more: As `Frame` takes them.
    """

    def __init__(
        self,
        columns: Mapping[str, Iterable[Any]] | None = None,
        *,
        factors: Sequence[str] = ("align",),
        **more: Any,
    ) -> None:
        super().__init__(columns, **more)
        self.factors = tuple(factors)

    def _with(self, columns: Mapping[str, Iterable[Any]], **more: Any) -> Self:
        return super()._with(columns, **{"factors": self.factors, **more})

    @property
    def measured(self) -> list[str]:
        """Names of the columns of numbers that were measured."""
        chosen = {"a", "b", "profile", *self.factors}
        return [n for n in self.columns if n not in chosen and self[n].dtype != object]

    def summary(self) -> Frame:
        """Return the mean of every measured column by factor, with 95 % intervals."""
        factors = [name for name in self.factors if name in self]
        if not factors:
            raise UsageError("A summary is by factor.", got=f"columns {', '.join(self.columns)}")
        return self.sorted(*factors).by(*factors).mean(*self.measured)

    def report(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write a page: the means by factor, the lines, matrices over pairs, every row.

        Args:
            path: A file that ends in ``.html`` for the page alone; else a folder, which gets the
                figures for papers and the tables that they are drawn from as well.
            overwrite: Whether existing files may be replaced.

        Returns:
            The page's file.

        Raises:
            UsageError: If there are no rows.
            MissingExtra: If a package of the extra `report` is not installed.
            OutputError: If a file exists or cannot be written.
        """
        page = self._page()
        if Path(path).suffix != ".html":
            return write_page(page, path, overwrite=overwrite)
        html = page.html()
        with atomic_path(path, overwrite=overwrite) as temporary:
            temporary.write_text(html, encoding="utf-8")
        return Path(path)

    def _page(self) -> Page:
        if not len(self):
            raise UsageError("A report is of one row at least.", got="an empty frame")
        names = {name for end in ("a", "b") for name in self.values(end)}
        cards = [
            Card("Networks", str(len(names))),
            Card("Lines", str(len(self))),
            *(
                _card(str(key), group.mean("barrier"))
                for key, group in (self.by("align").items() if "align" in self else ())
                if "barrier" in self
            ),
        ]
        sections = [
            Section(
                "Means",
                text=[
                    "Mean over lines with its 95 % interval; networks are drawn, with all lines "
                    "between them, since lines that share a network are not independent. n counts "
                    "networks.",
                    *self.notes,
                ],
                figures=[chart_figure(c) for c in (*self._trends(), *self._curves())],
                tables=[self._means()],
            ),
            Section("Pairs", figures=[chart_figure(c) for c in self._matrices()]),
            Section("Every line", tables=[self._rows()]),
        ]
        lead = f"{len(self)} lines between {len(names)} networks."
        about = {"columns": self.measured, "factors": list(self.factors)}
        return Page("Lines between networks", lead, sections, about, cards)

    def _means(self) -> Table:
        factors = [name for name in self.factors if name in self]
        groups = self.sorted(*factors).by(*factors)
        rows = [
            [*_parts(key), len(group), *(_estimate(group, name) for name in self.measured)]
            for key, group in groups.items()
        ]
        heads = [*groups.names, "lines", *(UNITS.get(n, n) for n in self.measured)]
        records = [dict(row) for row in self.summary()]
        return Table("Means by factor", heads, rows, "Mean [95 % interval] (n networks).", records)

    def _rows(self) -> Table:
        heads = ["a", "b", *(name for name in self.factors if name in self), *self.measured]
        rows = [[row[name] for name in heads] for row in self]
        note = f"The first {ROWS} of {len(rows)} rows." if len(rows) > ROWS else ""
        return Table("Lines", heads, rows[:ROWS], note)

    def _curves(self) -> list[Chart]:
        factors = tuple(name for name in self.factors if name in self)
        splits = self.values("profile")[0].splits
        return [
            chart
            for split in splits
            for chart in Curves(
                f"curves-{slug(split)}",
                f"Along the lines ({split})",
                "Loss and error.",
                line=factors,
                split=split,
            )(self)
        ]

    def _trends(self) -> list[Chart]:
        """Barriers against each factor that is a number, by way to align."""
        charts: list[Chart] = []
        for factor in self.factors:
            if factor not in self or self[factor].dtype == object or factor == "align":
                continue
            panels = []
            for name in (n for n in ("barrier", "error_barrier") if n in self):
                series = []
                for way, group in self.by("align").items():
                    found = group.by(factor).mean(name).sorted(factor)
                    series.append(
                        Series(
                            label=str(way),
                            x=found[factor],
                            y=found[name],
                            low=found[f"{name}_low"],
                            high=found[f"{name}_high"],
                            points=True,
                        )
                    )
                panels.append(Panel(x=factor, y=UNITS[name], series=series))
            if panels:
                title = f"Barriers against {factor}"
                caption = "Mean over lines, with its 95 % interval over networks."
                name = f"by-{slug(factor)}"
                charts.append(Panels(name=name, title=title, caption=caption, panels=panels))
        return charts

    def _matrices(self) -> list[Chart]:
        charts: list[Chart] = []
        column = next(iter(self.measured), None)
        factors = [name for name in self.factors if name in self]
        if column is None or not factors:
            return charts
        for key, group in self.by(*factors).items():
            ends = [
                frozenset(pair) for pair in zip(group.values("a"), group.values("b"), strict=True)
            ]
            names, values = (
                ([], np.zeros(0)) if len(set(ends)) < len(ends) else group.matrix(column)
            )
            if not 2 < len(names) <= SHOWN:
                continue
            said = ", ".join(f"{n} {v!s}" for n, v in zip(factors, _parts(key), strict=True))
            charts.append(
                Grid(
                    name=f"pairs-{slug(said)}",
                    title=f"{UNITS.get(column, column).capitalize()} of all pairs: {said}",
                    caption=f"{len(group)} lines between {len(names)} networks.",
                    rows=[str(name) for name in names],
                    columns=[str(name) for name in names],
                    values=values,
                    counts=np.isfinite(values).astype(int),
                    x="network",
                    y="network",
                    unit=UNITS.get(column, column),
                )
            )
        return charts


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _card(way: str, found: Estimate) -> Card:
    interval = f"mean barrier, 95 % interval {found.low:.2g} to {found.high:.2g}"
    return Card(f"Align: {way}", f"{found.value:.3g}", interval)


def _estimate(group: Frame, name: str) -> str:
    found = group.mean(name)
    return f"{found.value:.4g} [{found.low:.4g}, {found.high:.4g}] ({found.n})"
