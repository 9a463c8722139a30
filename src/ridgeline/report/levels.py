"""Round levels for contours."""

import math

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.measures import Array

__all__ = ["levels", "named_levels", "powers", "rounds"]

CROWDED = 0.5
"""With a larger share of the values between two levels, these are laid at quantiles."""
DECADES = 1.2
"""A range of more decades than this gets levels on a scale like a logarithm's."""


def levels(values: Array, count: int = 13) -> Array:
    """Round levels between the extremes: on a scale like a logarithm's if they span decades.

    Where most values would lie between two of them, as when a valley is small in a wide plain, or
    a peak high, the levels are quantiles of the values, rounded.

    Args:
        values: Some of them finite.
        count: About how many; up to twice as many on a logarithm's scale.

    Returns:
        Increasing, two at least; the first and the last enclose the values unless these reach
        below a ten-thousandth of the largest.

    Raises:
        UsageError: If no value is finite.
    """
    good = values[np.isfinite(values)]
    if not len(good):
        raise UsageError("A surface is drawn from finite values.", got="none")
    low, high = float(good.min()), float(good.max())
    if high <= 0 or low < 0 or math.log10(high / max(low, high * 1e-4)) < DECADES:
        found = _linear(low, high, count)
    else:
        found = _ladder(low, high, count)
    many = len(good) > 2 * count and len(np.unique(good)) > count
    crowded = many and np.histogram(good.clip(found[0]), found)[0].max() > CROWDED * len(good)
    return _quantiles(good, count) if crowded else found


def _quantiles(good: Array, count: int) -> Array:
    """Levels with about as many values between each two, of as few digits as tell them apart."""
    wanted = np.quantile(good, np.linspace(0, 1, count + 1))
    step = np.diff(np.unique(wanted)).min()
    digits = max(0, 1 - math.floor(math.log10(step)))
    unit = 10.0**-digits
    inner = np.round(wanted[1:-1], digits)
    first, last = math.floor(wanted[0] / unit) * unit, math.ceil(wanted[-1] / unit) * unit
    return np.unique(np.round(np.array([first, *inner, last], dtype=np.float64), digits))


def _ladder(low: float, high: float, count: int) -> Array:
    """Levels at 1, 2, 5 and the like of each decade."""
    low = max(low, high * 1e-4)
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ladder = [s * 10.0**p for p in decades for s in steps]
        first = max(i for i, v in enumerate(ladder) if v <= low * (1 + 1e-9))
        last = min(i for i, v in enumerate(ladder) if v >= high * (1 - 1e-9))
        if last - first <= 2 * count:  # narrow bands, as most of a landscape lies high up
            break
    return np.array(ladder[first : last + 1])


def _linear(low: float, high: float, count: int) -> Array:
    if high - low <= 1e-12 * max(abs(high), abs(low), 1e-300):
        pad = abs(high) * 1e-3 or 1e-3
        return np.array([low - pad, high + pad])
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return np.arange(first, last + 1, dtype=np.float64) * np.float64(step)


def named_levels(at: Array, most: int = 9) -> Array:
    """The levels that are written on the scale: few enough to read, the last one kept."""
    if len(at) <= most:
        return at
    if not np.allclose(np.diff(at), at[1] - at[0]):
        # Of a ladder like a logarithm's, those that begin with 1, 2 or 5 are the round ones.
        lead = at / 10.0 ** np.floor(np.log10(at) + 1e-9)
        for wanted in ((1, 2, 5), (1, 3), (1,)):
            some = at[np.isin(np.round(lead, 6), wanted)]
            if 3 <= len(some) <= most:
                return some
    every = -(-len(at) // most)
    return at[(len(at) - 1) % every :: every]


def rounds(low: float, high: float) -> list[float]:
    """A few round numbers between two, evenly apart."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def powers(low: float, high: float) -> list[float]:
    """A few round numbers between two above zero, for a logarithm's scale."""
    for leads in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [s * 10.0**p for p in decades for s in leads]
        found = [v for v in found if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]
        if len(found) >= 3:
            return found[:: -(-len(found) // 7)]
    return [low, high]
