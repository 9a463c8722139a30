"""A figure: a chart, drawn once, and every form in which it is shown."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from ridgeline.charts import Chart, Grid, Landscape, Panels, Row
from ridgeline.errors import UsageError
from ridgeline.io.writing import atomic_path
from ridgeline.report.contours import WIDTH, draw_landscape, landscape_notes, landscape_rows
from ridgeline.report.drawing import Drawn, draw_panels, width_of
from ridgeline.report.frames import frames
from ridgeline.report.heatmaps import draw_grid, grid_notes, grid_width, tidy_grid
from ridgeline.report.hovering import packed
from ridgeline.report.style import COLUMN, LIGHT, drawing, themed
from ridgeline.report.tables import write_csv
from ridgeline.report.templating import template
from ridgeline.report.told import notes, tidy_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

__all__ = ["Figure", "Format"]

Format = Literal["png", "pdf", "svg"]

# What would otherwise say when, and by what, a file was made: the same figure is the same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": "Ridgeline"},
    "svg": {"Date": None, "Creator": None},
}
PAD = 0.04
"""Inches of paper around what is drawn."""


@dataclass(frozen=True, eq=False)
class Figure:
    """A chart as files for papers, a picture on a page, and a notebook's output.

    All of them are one drawing of the same values. On a page and in a notebook a small script says
    the value, and its interval, that is pointed at.
    """

    chart: Chart

    @property
    def name(self) -> str:
        """For files."""
        return self.chart.name

    @property
    def title(self) -> str:
        """Of the chart."""
        return self.chart.title

    @cached_property
    def caption(self) -> str:
        """The chart's, and what of it could not be drawn."""
        match self.chart:
            case Panels():
                more = notes(frames(self.chart))
            case Grid():
                more = grid_notes(self.chart)
            case Landscape():
                more = landscape_notes(self.chart)
            case _:
                more = []
        return " ".join([self.chart.caption, *more]).strip()

    @cached_property
    def rows(self) -> list[Row]:
        """The tidy table that is saved beside it."""
        match self.chart:
            case Chart(table=table) if table:
                return list(table)
            case Panels():
                return tidy_panels(self.chart)
            case Grid():
                return tidy_grid(self.chart)
            case Landscape():
                return landscape_rows(self.chart)
        raise _unknown(self.chart)

    @property
    def width(self) -> float:
        """Inches on paper."""
        match self.chart:
            case Panels(panels=panels, columns=columns):
                return width_of(panels, columns)
            case Grid():
                return grid_width(self.chart)
        return WIDTH

    @property
    def narrows(self) -> bool:
        """True if it is drawn anew for a narrow screen, its panels one above the other."""
        return not isinstance(self.chart, Grid) and self.width > COLUMN

    def matplotlib(self) -> "Canvas":
        """Draw it as a matplotlib figure, with the Agg canvas and outside of pyplot.

        Raises:
            MissingExtra: If matplotlib is not installed.
        """
        with drawing():
            return self._draw().canvas

    def save(
        self,
        directory: str | os.PathLike[str],
        formats: Sequence[Format] = ("png", "pdf", "svg"),
        *,
        overwrite: bool = False,
    ) -> list[Path]:
        """Save the figure, and the table it is drawn from beside it. Same figure, same bytes.

        Args:
            directory: Where to; made if it is missing.
            formats: Which of png (300 dots per inch), pdf and svg.
            overwrite: Whether existing files may be replaced.

        Returns:
            The files, the table (``NAME.csv``) last.

        Raises:
            MissingExtra: If matplotlib is not installed.
            OutputError: If a file exists or cannot be written.
            UsageError: If a format is unknown.
        """
        for format in formats:
            if format not in _METADATA:
                raise UsageError("A figure is saved as png, pdf or svg.", got=repr(format))
        paths = [Path(directory) / f"{self.name}.{format}" for format in formats]
        settled = self._settled() if formats else None
        for format, path in zip(formats, paths, strict=True):
            with atomic_path(path, overwrite=overwrite) as temporary, temporary.open("wb") as file:
                _write(settled, file, format)
        table = Path(directory) / f"{self.name}.csv"
        write_csv(self.rows, table, overwrite=overwrite)
        return [*paths, table]

    def svg(self, *, narrow: bool = False) -> str:
        """The figure as an SVG element to put into a page.

        Its colours are CSS variables of `style.LIGHT`'s roles, with those as fallback, so the
        page's theme is the figure's; its ids begin with the figure's name, so that figures on
        one page do not share any. What has a label carries its number as ``data-key``.

        Args:
            narrow: True for one column of panels.
        """
        file = StringIO()
        _write(self._settled(narrow), file, "svg")
        text = file.getvalue()
        text = text[text.index("<svg") :]
        text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
        for code in LIGHT.values():
            text = text.replace(code, themed(code))
        text = re.sub(r'\bid="([sk])(\d+)"', r'class="\1" data-key="\2"', text)
        prefix = self.name + "-narrow" * narrow
        text = re.sub(r'\bid="', f'id="{prefix}-', text)
        text = re.sub(r'href="#', f'href="#{prefix}-', text)
        text = re.sub(r"url\(#", f"url(#{prefix}-", text)
        text = re.sub(r'\bd="[^"]*"', lambda d: re.sub(r"(\.\d\d)\d+", r"\1", d[0]), text)
        text = re.sub(r"<!--.*?-->", "", text)
        text = re.sub(r"\n\s+", "\n", text)
        # Namespaces are implied inside HTML, and a page that names no address at all is plain to
        # check for not loading any.
        text = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
        # The size is the page's to choose; the view box keeps the shape.
        return re.sub(r'^<svg [^>]*?viewBox="([^"]*)"[^>]*>', self._opening, text, count=1)

    def hover(self) -> dict[str, Any]:
        """Values and places of all that can be pointed at, JSON-safe.

        Returns:
            ``panels``: of each, names with their points as shares of the panel and what is said of
            these; ``boxes``: where the panels are in the pictures ``wide`` and, if there is one,
            ``narrow``.
        """
        wide = self._settled()
        boxes = {"wide": wide.boxes}
        if self.narrows:
            boxes["narrow"] = self._settled(True).boxes
        panels = [targets for _, targets in wide.drawn.panels]
        return {"panels": packed(panels, themed), "boxes": boxes}

    def html(self) -> str:
        """The figure as an element of a page, without the page's style and script."""
        return template("figure.html.j2").render(figure=self)

    def _repr_html_(self) -> str:
        """For notebooks: the same picture as on a page, and what is pointed at."""
        return template("notebook.html.j2").render(figure=self)

    def _repr_svg_(self) -> str:
        file = StringIO()
        _write(self._settled(), file, "svg")
        return file.getvalue()

    def _opening(self, found: re.Match[str]) -> str:
        title = self.title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
        return f'<svg viewBox="{found[1]}" role="img" aria-label="{title}">'

    def _draw(self, narrow: bool = False) -> Drawn:
        match self.chart:
            case Panels(panels=panels, columns=columns, legend=legend):
                width = width_of(panels, columns, narrow=narrow)
                columns = 1 if narrow else columns
                return draw_panels(frames(self.chart), width, columns, legend=legend)
            case Grid():
                return draw_grid(self.chart, grid_width(self.chart))
            case Landscape():
                return draw_landscape(self.chart, COLUMN if narrow else WIDTH)
        raise _unknown(self.chart)

    def _settled(self, narrow: bool = False) -> "_Settled":
        """The drawing with everything in its place: laid out once for all formats."""
        if narrow not in self._kept:
            with drawing():
                drawn = self._draw(narrow)
                drawn.canvas.draw_without_rendering()
                drawn.canvas.set_layout_engine("none")
                self._kept[narrow] = _Settled(drawn)
        return self._kept[narrow]

    @cached_property
    def _kept(self) -> "dict[bool, _Settled]":
        return {}


@dataclass(frozen=True, eq=False)
class _Settled:
    """A drawing that is laid out, and what of the paper it covers."""

    drawn: Drawn

    @cached_property
    def cut(self) -> Any:
        """The paper in inches: an equal aspect leaves room that no layout foresees."""
        return self.drawn.canvas.get_tightbbox().padded(PAD)

    @property
    def boxes(self) -> list[list[float]]:
        """Left, top, right and bottom of each panel, in the units of the SVG: points."""
        dpi, cut = self.drawn.canvas.dpi, self.cut
        found = []
        for ax, _ in self.drawn.panels:
            at = ax.get_window_extent()
            left, right = ((x / dpi - cut.x0) * 72 for x in (at.x0, at.x1))
            top, bottom = ((cut.y1 - y / dpi) * 72 for y in (at.y1, at.y0))
            found.append([round(v, 2) for v in (left, top, right, bottom)])
        return found


def _unknown(chart: Chart) -> UsageError:
    return UsageError(
        "A chart is of panels, a grid or a landscape.", got=f"a {type(chart).__name__}"
    )


def _write(settled: _Settled | None, file: IO[Any], format: str) -> None:
    assert settled is not None
    with drawing():
        settled.drawn.canvas.savefig(
            file,
            format=format,
            metadata=_METADATA[format],
            transparent=format == "svg" or None,
            bbox_inches=settled.cut,
        )
