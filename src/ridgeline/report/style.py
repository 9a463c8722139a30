"""One look for every figure: colours and sizes."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ridgeline.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = [
    "COLUMN",
    "DARK",
    "INK",
    "LIGHT",
    "PALETTE",
    "PAPER",
    "RULE",
    "SOFT",
    "canvas",
    "channels",
    "colour",
    "drawing",
    "on_ramp",
    "ramp",
    "themed",
]

COLUMN = 3.4
"""Width of a paper's column in inches."""

LIGHT = {
    "ink": "#1f2933",
    "soft": "#5b6776",
    "rule": "#d9dee5",
    "paper": "#fdfdfc",
    "blue": "#0072b2",
    "vermillion": "#d55e00",
    "green": "#009e73",
    "purple": "#cc79a7",
    "sky": "#56b4e9",
    "orange": "#e69f00",
}
"""Colours by role; the last six are Okabe & Ito's, told apart by colour-blind readers. A figure
uses them by these very codes, so that a page may put others in their place."""

DARK = {
    "ink": "#e4e8ed",
    "soft": "#9ca8b6",
    "rule": "#353e49",
    "paper": "#13171c",
    "blue": "#4aa3df",
    "vermillion": "#f0813a",
    "green": "#2dbd92",
    "purple": "#dd9bbf",
    "sky": "#a3d8f7",
    "orange": "#f2b233",
}
"""The same roles on a dark page."""

INK, SOFT, RULE, PAPER = (LIGHT[role] for role in ("ink", "soft", "rule", "paper"))
PALETTE = tuple(LIGHT[r] for r in ("blue", "vermillion", "green", "purple", "sky", "orange"))
# Lightness rises from end to end, along the blue-yellow axis that all common kinds of colour
# blindness keep; neither end vanishes on white or on black.
RAMP = ("#1f6fb4", "#3fa3a0", "#e3a43c")

SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same letters on every machine
    "font.size": 7.5,
    "axes.labelsize": 7.5,
    "axes.titlesize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "text.color": INK,
    "text.parse_math": False,  # names are the user's: a dollar is a dollar
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.xmargin": 0.02,
    "axes.facecolor": "none",
    "axes.formatter.useoffset": False,
    "figure.facecolor": "none",
    "figure.dpi": 100,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "round",
    "savefig.dpi": 300,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "ridgeline",  # otherwise every saved file has other ids
    "pdf.fonttype": 42,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Matplotlib's settings while a figure is drawn or saved; the user's own come back after.

    Raises:
        MissingExtra: If matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtra("matplotlib", "report", "Drawing a figure") from error
    with matplotlib.rc_context(), warnings.catch_warnings():
        # Letters that the font lacks are boxes in the picture; captions and values have them.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)  # type: ignore[call-overload, arg-type]  # names are right
        yield


def canvas(
    panels: int,
    size: tuple[float, float],
    columns: int | None = None,
    heights: Sequence[float] | None = None,
) -> tuple["Canvas", list["Axes"]]:
    """A figure with panels side by side, or in rows, without pyplot's global state.

    Args:
        panels: How many.
        size: Width and height in inches.
        columns: Panels in a row; all by default.
        heights: Of the rows, in proportion; alike by default.

    Returns:
        Figure, with the Agg canvas attached, and its axes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.04)  # type: ignore[union-attr]  # constrained
    columns = columns or panels
    grid = figure.add_gridspec(-(-panels // columns), columns, height_ratios=heights)
    return figure, [figure.add_subplot(grid[divmod(i, columns)]) for i in range(panels)]


def colour(index: int) -> str:
    """A colour of the palette, which repeats."""
    return PALETTE[index % len(PALETTE)]


def ramp(count: int) -> list[str]:
    """Colours for things in an order, evenly along `RAMP`."""
    return [on_ramp(k / max(count - 1, 1)) for k in range(count)]


def on_ramp(place: float, codes: Sequence[str] = RAMP) -> str:
    """The colour at a place from 0 to 1 along evenly spaced ones; beyond the ends, the end's."""
    stops = [channels(code) for code in codes]
    at = min(max(place, 0.0), 1.0) * (len(stops) - 1)
    i = min(int(at), len(stops) - 2)
    mixed = (a + (b - a) * (at - i) for a, b in zip(stops[i], stops[i + 1], strict=True))
    return "#" + "".join(f"{round(v):02x}" for v in mixed)


def channels(code: str) -> tuple[int, ...]:
    """Red, green and blue from 0 to 255."""
    return tuple(int(code[i : i + 2], 16) for i in (1, 3, 5))


def themed(code: str) -> str:
    """A colour as a page writes it: by its role, which the page's theme may change."""
    role = next((role for role, own in LIGHT.items() if own == code), None)
    return f"var(--{role}, {code})" if role else code
