"""What a page's template does with values: cells of tables, and lines of provenance."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ridgeline.dotted import leaves
from ridgeline.numerals import number
from ridgeline.report.estimates import estimate_words

if TYPE_CHECKING:
    from ridgeline.study.claims import Verdict

__all__ = ["cell", "estimate", "flat", "numeric", "wordy"]

WORDY = 36
"""Text of more letters than this is broken into lines in a table's cell."""


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested values as lines of dotted name and text."""
    nested = isinstance(value, Mapping) and value
    for path, leaf in leaves(value, name) if nested else [(name, value)]:
        yield path, _line(leaf)


def _line(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(cell(v) for v in value) or "-"
    if value is None or value == {}:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def cell(value: Any) -> str:
    """A value of a table as text."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value, 4) if math.isfinite(value) else str(value)
    return str(value)


def estimate(verdict: "Verdict") -> str:
    """A verdict's estimate with its interval."""
    m = verdict.measured
    return estimate_words(m.estimate, m.low, m.high)


def wordy(value: Any) -> bool:
    """True if a cell is broken into lines."""
    return isinstance(value, str) and len(value) > WORDY


def numeric(value: Any) -> bool:
    """True if a cell is right-aligned: numbers, and text that begins like one."""
    if isinstance(value, str):
        return value[:1].isdigit() or value[:1] == "(" or value[:1] == "-"
    return isinstance(value, int | float) and not isinstance(value, bool)
