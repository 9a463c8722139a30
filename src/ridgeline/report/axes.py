"""Names along an axis: its label, its positions, its powers of ten."""

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.numerals import number
from ridgeline.report.frames import Frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["name_ticks", "wrapped"]

AXIS_LETTER = 0.062
"""Inches that a letter of an axis' label is wide."""
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def name_ticks(ax: "Axes", frame: Frame) -> None:
    """Name the positions themselves if they are few, and powers of ten on a logarithm's scale.

    Args:
        ax: Where.
        frame: The panel.
    """
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
    axis.set_major_formatter(FuncFormatter(lambda v, _: _power(v)))
    if ratio < 300:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if ratio > 8 else (1, 1.5, 2, 3, 5, 7)))
        axis.set_major_formatter(FuncFormatter(lambda v, _: number(v)))


def wrapped(label: str, inches: float) -> str:
    """Return an axis' label in lines that are not longer than the axis.

    Args:
        label: Its text.
        inches: Length of the axis.
    """
    return "\n".join(wrap(label, int(inches / AXIS_LETTER))) or label


def _power(value: float) -> str:
    """A power of ten with its exponent raised; matplotlib's own are mathematics, which is off."""
    power = round(float(np.log10(value)))
    if not np.isclose(value, 10.0**power, rtol=1e-6):
        return number(value)
    return "10" + str(power).translate(RAISED)
