"""Profiles, layers and checkpoints on a terminal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.errors import MissingExtra
from ridgeline.measures import Array
from ridgeline.numerals import number, plus_minus, position
from ridgeline.report.heights import layer_barriers
from ridgeline.report.words import measures_table, sentences

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ridgeline.io import Inspection
    from ridgeline.profiles import Profile

__all__ = [
    "ASCII",
    "fancy",
    "plain_text",
    "print_table",
    "render_inspection",
    "render_layers",
    "render_profile",
    "say",
    "text_plot",
    "text_table",
]

WIDEST = 60
TENSORS = 200
"""More tensors than this are summed up in one line."""
ASCII = str.maketrans({"±": "+/-"})


def render_profile(
    profile: "Profile", console: "Console", *, metric: str = "loss", title: str = ""
) -> None:
    """Print a profile: a plot of one metric of its first split, the measures, and sentences.

    Plain ASCII where the console is not a terminal or cannot show more.

    Args:
        profile: From `ridgeline.profile`.
        console: Where to.
        metric: What is plotted, if the profile has it.
        title: Above the table.

    Raises:
        MissingExtra: If rich is not installed.
    """
    rich = fancy(console)
    split = profile.splits[0]
    metric = metric if metric in profile.curves[split] else next(iter(profile.curves[split]))
    curve = profile.curve(metric, split)
    say(console, f"{metric} on {split} along the path")
    for line in text_plot(curve.t, curve.mean, width=console.width, ascii=not rich):
        say(console, line)
    found = measures_table({"": profile})
    table = text_table(found.columns[1:], rich, title)
    for row in found.rows:
        table.add_row(*(_shown(str(cell), rich) for cell in row[1:]))
    console.print()
    print_table(table, console)
    for said in sentences(profile, metric=metric, split=split):
        say(console, _shown(said, rich))


def render_layers(
    layers: Mapping[str, "Profile"],
    console: "Console",
    *,
    whole: "Profile | None" = None,
    metric: str = "loss",
    split: str | None = None,
) -> None:
    """Print the barrier of each layer, with a bar; against what, see `layers_figure`.

    Args:
        layers: From `layerwise`.
        console: Where to.
        whole: The profile on which every layer moves.
        metric: Which.
        split: Which; the first by default.

    Raises:
        MissingExtra: If rich is not installed.
    """
    rich = fancy(console)
    found, against = layer_barriers(layers, whole, metric, split)
    heights = [b.height for b in found.values() if np.isfinite(b.height)]
    most = max(heights, default=0.0)
    split = split or next(iter(layers.values())).splits[0]
    table = text_table(["layer", f"barrier in {metric} on {split}", "at t", ""], rich)
    for label, barrier in found.items():
        share = barrier.height / most if most > 0 and np.isfinite(barrier.height) else 0.0
        height = plus_minus(barrier.height, barrier.stderr)
        bar = ("█" if rich else "#") * round(20 * max(share, 0.0))
        at = position(barrier.at) if barrier.height else "-"
        table.add_row(plain_text(label), _shown(height, rich), at, bar)
    print_table(table, console)
    say(console, f"Barriers are against {against}.")


def render_inspection(inspection: "Inspection", console: "Console") -> None:
    """Print what is in a checkpoint: tensors, ties, and what is not finite.

    Args:
        inspection: From `ridgeline.inspect`.
        console: Where to.

    Raises:
        MissingExtra: If rich is not installed.
    """
    rich = fancy(console)
    shown = inspection.tensors[:TENSORS]
    say(console, str(inspection.path))
    say(
        console,
        f"{inspection.format}, {inspection.size:,} bytes, {len(inspection.tensors)} tensors, "
        f"{inspection.parameters:,} parameters",
    )
    table = text_table(["tensor", "shape", "dtype", "norm", "mean", "std", "from", "to"], rich)
    for tensor in shown:
        numbers = (tensor.norm, tensor.mean, tensor.std, tensor.minimum, tensor.maximum)
        shape = "x".join(map(str, tensor.shape)) or "scalar"
        style = "bold red" if tensor.nans or tensor.infs else ""
        cells = (number(v) if np.isfinite(v) else str(v) for v in numbers)
        table.add_row(plain_text(tensor.name), shape, tensor.dtype, *cells, style=style)
    print_table(table, console)
    if len(shown) < len(inspection.tensors):
        say(console, f"and {len(inspection.tensors) - len(shown)} more tensors")
    for names in inspection.ties:
        say(console, f"tied, one tensor: {', '.join(names)}")
    for tensor in inspection.non_finite:
        say(console, f"not finite: {tensor.name} ({tensor.nans} NaN, {tensor.infs} infinite)")
    for key, value in inspection.metadata.items():
        text = value if len(value) <= 200 else f"{value[:200]}..."
        say(console, f"metadata {key}: {text}")


def text_plot(
    t: Array, values: Array, *, width: int = WIDEST, height: int = 8, ascii: bool = False
) -> list[str]:
    """A curve in characters, in braille dots unless `ascii`, at most 60 columns wide.

    Args:
        t: Positions, increasing.
        values: One for each; those that are not finite leave a gap.
        width: Columns in all, the scale on the left included.
        height: Lines of the curve.
        ascii: Use one asterisk for each column instead.

    Returns:
        Lines: the curve with its scale, then the positions.
    """
    good = np.isfinite(values)
    low, high = (values[good].min(), values[good].max()) if good.any() else (0.0, 0.0)
    scale = [number(float(high)), number(float(low))]
    margin = max(map(len, scale)) + 2
    cells = max(min(width, WIDEST) - margin, 8)
    across, down = (1, 1) if ascii else (2, 4)
    x = np.linspace(t[0], t[-1], cells * across)
    # NaN at either neighbour makes the interpolated value NaN: a gap, not a bridge.
    y = np.interp(x, t, np.where(good, values, np.nan))
    lines = height * down
    at = np.round((high - y) / ((high - low) or 1.0) * (lines - 1))
    grid = np.zeros((lines, len(x)), dtype=bool)
    for i in np.flatnonzero(np.isfinite(at)):
        before = at[i - 1] if i and np.isfinite(at[i - 1]) else at[i]
        grid[int(min(before, at[i])) : int(max(before, at[i])) + 1, i] = True
    rule = "|" if ascii else "│"
    found = []
    for k in range(height):
        block = grid[k * down : (k + 1) * down]
        label = scale[0] if k == 0 else scale[1] if k == height - 1 else ""
        drawn = "".join(
            _character(block[:, j * across : (j + 1) * across], ascii) for j in range(cells)
        )
        found.append(f"{label:>{margin - 2}} {rule}{drawn}".rstrip())
    first, last = f"{t[0]:g}", f"{t[-1]:g}"
    middle = "t".center(max(cells - len(first) - len(last), 1))
    return [*found, " " * margin + first + middle + last]


# Braille patterns count dots down the left column, then the right, then the bottom pair.
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


def _character(block: np.ndarray, ascii: bool) -> str:
    if not block.any():
        return " "
    return "*" if ascii else chr(0x2800 + int(_DOTS[block].sum()))


def fancy(console: "Console") -> bool:
    """True if it is a terminal that shows colours and any letter."""
    return console.is_terminal and console.encoding.lower().replace("-", "") == "utf8"


def say(console: "Console", text: str) -> None:
    """Without markup: a layer may be called anything."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _shown(text: str, rich: bool) -> str:
    return plain_text(text if rich else text.translate(ASCII))


def print_table(table: "Table", console: "Console") -> None:
    """Print a table; where the console is too narrow for its words, as wide as these are.

    Rich would fold a word letter by letter, and then leave columns out.
    """
    from rich.measure import Measurement

    width = console.width
    wide = console.options.update(max_width=max(width, 10_000))
    for column in table.columns:
        cells = (column.header, *column.cells)
        column.min_width = max(Measurement.get(console, wide, cell).minimum for cell in cells)
    console.width = max(width, Measurement.get(console, wide, table).minimum)
    try:
        console.print(table, crop=False)
    finally:
        console.width = width


def plain_text(text: str) -> str:
    """Text without markup's meaning."""
    from rich.markup import escape

    return escape(text)


def text_table(columns: Sequence[str], rich: bool, title: str = "") -> "Table":
    """An empty table: with rules if `rich`, else of words and spaces alone."""
    try:
        from rich import box
        from rich.table import Table
    except ImportError as error:
        raise MissingExtra("rich", "cli", "Printing a table") from error
    table = Table(
        title=title or None,
        box=box.SIMPLE_HEAD if rich else None,
        pad_edge=False,
        title_justify="left",
        header_style="dim",
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
