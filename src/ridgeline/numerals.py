"""Numbers in words: to the digits that are known, with their intervals."""

import math

from ridgeline.measures import interval

__all__ = ["Z", "change", "duration", "number", "plus_minus", "position", "several"]

Z = interval(0.0, 1.0)[1]
"""Half the width of a 95 % interval in standard errors."""
SMALL, LARGE = 1e-3, 1e6
"""Outside of these a number is written with an exponent."""


def number(value: float | None, digits: int = 3) -> str:
    """A number without an interval, to some significant digits."""
    if value is None or math.isnan(value):
        return "not finite"
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    return f"{value:.0f}" if digits <= math.log10(abs(value)) < 6 else text


def plus_minus(value: float | None, stderr: float | None) -> str:
    """A number with the half-width of its 95 % interval, both to the digits that are known.

    The half-width has one significant digit, two if the first is a 1.

    Args:
        value: An estimate.
        stderr: Its standard error; without one (zero, NaN, None) the number stands alone.

    Returns:
        As ``2.31 ± 0.08``.
    """
    if value is None or not math.isfinite(value) or not stderr or not math.isfinite(stderr):
        return number(value)
    half = Z * stderr
    size = max(abs(value), half)
    if not SMALL <= size < LARGE:
        power = math.floor(math.log10(size))
        scale = 10.0**power
        return f"({_both(value / scale, half / scale)})e{power:+03d}"
    return _both(value, half)


def _both(value: float, half: float) -> str:
    power = math.floor(math.log10(half))
    # 5 decimals at most: an interval as narrow as rounding is not worth a line of digits.
    decimals = min((1 if half / 10**power < 1.95 else 0) - power, 5)
    if decimals == 5 and half < 0.5e-5:
        return f"{value:.5g} ± {half:.1g}"
    shown = max(decimals, 0)
    return f"{_rounded(value, decimals):.{shown}f} ± {_rounded(half, decimals):.{shown}f}"


def _rounded(value: float, decimals: int) -> float:
    return round(value, decimals) + 0.0  # no minus zero


def change(saved: float, digits: int) -> str:
    """A share that is taken away, as what becomes of the rest: never lower by less than nothing."""
    size = f"{100 * abs(saved):.{digits}f}"
    if not float(size):
        return "about the same"
    return f"{'lower' if saved > 0 else 'higher'} by {size} %"


def position(t: float | None) -> str:
    """A position on the path."""
    return "?" if t is None else f"{t:.3g}"


def several(count: int, what: str) -> str:
    """A number of things: ``1 state``, ``3 states``."""
    return f"{count} {what}{'s' * (count != 1)}"


def duration(seconds: float) -> str:
    """Return seconds as one or two units: ``"48 s"``, ``"3 min 20 s"``, ``"2 h 5 min"``."""
    if not math.isfinite(seconds):
        return "-"
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
