"""Estimates with their intervals: in words, and as a small picture."""

import math
from html import escape
from typing import TYPE_CHECKING

from ridgeline.numerals import number

if TYPE_CHECKING:
    from ridgeline.study.claims import Verdict

__all__ = ["estimate_words", "interval_svg", "interval_words", "threshold"]

WIDE, HIGH, PAD = 220, 44, 10
"""Of the picture, in its own units: pixels where it is not scaled."""


def estimate_words(estimate: float | None, low: float | None, high: float | None) -> str:
    """An estimate and its interval, to the digits that are known: ``0.83 [0.61, 0.95]``."""
    if estimate is None or not math.isfinite(estimate):
        return "-"
    ends = interval_words(low, high)
    if not ends:
        return number(estimate)
    return f"{_digits(estimate, low, high)} {ends}"


def interval_words(low: float | None, high: float | None) -> str:
    """An interval: ``[0.61, 0.95]``, empty if it is not finite."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"[{_digits(low, low, high)}, {_digits(high, low, high)}]"


def _digits(value: float, low: float | None, high: float | None) -> str:
    """To two digits of the interval's width."""
    assert low is not None
    assert high is not None
    width, size = high - low, max(abs(low), abs(high))
    if width <= 0 or not 1e-3 <= size < 1e6:
        return number(value)
    decimals = min(max(1 - math.floor(math.log10(width)), 0), 5)
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def threshold(verdict: "Verdict") -> tuple[float, str] | None:
    """The threshold of a test and the side that is claimed; None if it has none.

    Of what has to be so in every case it is 1, a share that has to be reached.
    """
    from ridgeline.frame.demands import Every

    test = verdict.claim.test.test
    if isinstance(test, Every):
        return 1.0, "reach"
    at, side = getattr(test, "at", None), getattr(test, "side", None)
    return None if at is None or side is None else (float(at), str(side))


def interval_svg(verdict: "Verdict") -> str:
    """A verdict's estimate and interval on a line, with the threshold and the claimed side.

    Colours are those of the page's theme. Empty if there is no finite estimate.
    """
    m = verdict.measured
    if not math.isfinite(m.estimate):
        return ""
    spanned = math.isfinite(m.low) and math.isfinite(m.high)
    limit = threshold(verdict)
    shown = [m.estimate, *([m.low, m.high] * spanned), *([limit[0]] if limit else [])]
    low, high = min(shown), max(shown)
    by = 0.12 * (high - low) or abs(high) or 1.0
    low, high = low - by, high + by

    def at(value: float) -> str:
        return f"{PAD + (WIDE - 2 * PAD) * (value - low) / (high - low):.1f}"

    parts = [f'<line x1="{PAD}" x2="{WIDE - PAD}" y1="15" y2="15" class="axis"/>']
    if limit:
        parts = [_claimed(limit, at, low, high), *parts]
        parts.append(
            f'<line x1="{at(limit[0])}" x2="{at(limit[0])}" y1="3" y2="27" class="limit"/>'
        )
        parts.append(_written(at(limit[0]), number(limit[0])))
    if spanned:
        parts.append(f'<line x1="{at(m.low)}" x2="{at(m.high)}" y1="15" y2="15" class="span"/>')
    parts.append(f'<circle cx="{at(m.estimate)}" cy="15" r="4.5" class="dot"/>')
    says = estimate_words(m.estimate, m.low, m.high)
    if limit:
        says += f"; threshold {number(limit[0])}, {limit[1]}"
    return (
        f'<svg class="interval" viewBox="0 0 {WIDE} {HIGH}" role="img" '
        f'aria-label="{escape(says)}">{"".join(p for p in parts if p)}</svg>'
    )


def _claimed(limit: tuple[float, str], at, low: float, high: float) -> str:
    value, side = limit
    if side not in ("above", "below"):
        return ""
    left, right = (value, high) if side == "above" else (low, value)
    wide = float(at(right)) - float(at(left))
    return f'<rect x="{at(left)}" y="3" width="{wide:.1f}" height="24" class="claimed"/>'


def _written(x: str, text: str) -> str:
    anchor = "start" if float(x) < 30 else "end" if float(x) > WIDE - 30 else "middle"
    return f'<text x="{x}" y="40" text-anchor="{anchor}">{escape(text)}</text>'
