"""A figure: a table, and the two ways it is drawn."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from ridgeline.charts import Row
from ridgeline.errors import UsageError
from ridgeline.io.writing import atomic_path
from ridgeline.report.style import LIGHT, drawing
from ridgeline.report.tables import write_csv

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


@dataclass(frozen=True, eq=False)
class Figure:
    """One figure, drawn by matplotlib for papers and by plotly for pages, from one table."""

    name: str
    """For files: lower case, digits, hyphens."""
    title: str
    caption: str
    rows: list[Row]
    """The tidy table that the figure is drawn from."""
    draw: Callable[[], "Canvas"] = field(repr=False)
    """Makes the matplotlib figure, within `style.drawing`."""
    plot: Callable[[], dict[str, Any]] = field(repr=False)
    """Makes the plotly figure."""
    width: float = 6.9
    """Inches on paper."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name):
            raise UsageError(
                "A figure's name becomes a file's: letters, digits, '.', '_' and '-'.",
                got=repr(self.name),
            )

    def matplotlib(self) -> "Canvas":
        """Draw it as a matplotlib figure, with the Agg canvas and outside of pyplot.

        Raises:
            MissingExtra: If matplotlib is not installed.
        """
        with drawing():
            return self.draw()

    def plotly(self) -> dict[str, Any]:
        """Draw it as plotly's ``{"data": [...], "layout": {...}}``, plain and JSON-safe."""
        return self.plot()

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
        canvas = self._settled() if formats else None
        for format, path in zip(formats, paths, strict=True):
            with atomic_path(path, overwrite=overwrite) as temporary, temporary.open("wb") as file:
                _write(canvas, file, format)
        table = Path(directory) / f"{self.name}.csv"
        write_csv(self.rows, table, overwrite=overwrite)
        return [*paths, table]

    def svg(self) -> str:
        """The figure as an SVG element to put into a page.

        Its colours are CSS variables of `style.LIGHT`'s roles, with those as fallback, so the
        page's theme is the figure's; its ids begin with the figure's name, so that figures on
        one page do not share any.
        """
        file = StringIO()
        _write(self._settled(), file, "svg")
        text = file.getvalue()
        text = text[text.index("<svg") :]
        text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
        for role, code in LIGHT.items():
            text = text.replace(code, f"var(--{role}, {code})")
        text = re.sub(r'\bid="', f'id="{self.name}-', text)
        text = re.sub(r'href="#', f'href="#{self.name}-', text)
        text = re.sub(r"url\(#", f"url(#{self.name}-", text)
        # Namespaces are implied inside HTML, and a page that names no address at all is plain to
        # check for not loading any.
        text = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
        # The size is the page's to choose; the view box keeps the shape.
        return re.sub(r'^<svg [^>]*?viewBox="([^"]*)"[^>]*>', self._opening, text, count=1)

    def _opening(self, found: re.Match[str]) -> str:
        title = self.title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
        return f'<svg viewBox="{found[1]}" role="img" aria-label="{title}">'

    def _settled(self) -> "Canvas":
        """The matplotlib figure with everything in its place: laid out once for all formats."""
        with drawing():
            figure = self.draw()
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            return figure


def _write(figure: Any, file: IO[Any], format: str) -> None:
    with drawing():
        figure.savefig(
            file,
            format=format,
            metadata=_METADATA[format],
            transparent=format == "svg" or None,
            bbox_inches="tight",  # an equal aspect leaves room that no layout foresees
            pad_inches=0.04,
        )
