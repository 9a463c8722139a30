"""Monotone or not: the largest rise on the way, and every bump."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ridgeline.measures.curve import Curve, Interval, interval

__all__ = ["Bump", "Monotonicity", "bumps", "monotonicity"]

# Lucas et al. (2021) count a fully connected run as non-monotone above this (their released code).
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Monotonicity:
    """Monotonicity of a path: True if it never rises by more than a tolerance."""

    holds: bool
    """The largest rise is within the tolerance."""
    strict: bool
    """There is no rise at all."""
    largest_rise: float
    """Lucas et al.'s min Delta: the smallest Delta for which the path is Delta-monotone."""
    stderr: float
    between: tuple[float, float] | None
    """Positions at which the largest rise starts and ends; None if there is none."""
    tolerance: float
    rounding: float = 0.0
    """A rise up to this is of the arithmetic."""

    @property
    def verdict(self) -> Literal["monotone", "not monotone", "undecided"]:
        """Return what samples say: undecided if the 95 % interval of the largest rise includes 0.

        `holds` and `strict` are about the means as they were measured.
        """
        if self.holds or self.largest_rise <= self.rounding:
            return "monotone"
        return "undecided" if self.stderr > 0 and self.interval()[0] <= 0 else "not monotone"

    def interval(self, confidence: float = 0.95) -> Interval:
        """The normal interval of the largest rise."""
        return interval(self.largest_rise, self.stderr, confidence)


def monotonicity(curve: Curve, tolerance: float = TOLERANCE) -> Monotonicity:
    """The monotonic-linear-interpolation property (Lucas et al. 2021).

    The largest rise is ``max(0, max_{i<j} L_j - L_i)``, over any earlier and later point, the
    last step included (the released code of the paper misses a rise at the last point).

    Args:
        curve: From t = 0 on.
        tolerance: Rises up to this do not count; 1e-3 is the paper's for its tables.

    Returns:
        The largest rise with its paired standard error. NaN or infinity on the way is a rise.
    """
    cost, t = curve.cost, curve.t
    lowest = np.minimum.accumulate(cost)
    with np.errstate(invalid="ignore"):
        rises = cost - lowest
    end = int(np.argmax(np.where(np.isnan(rises), np.inf, rises)))
    rise = float(rises[end])
    if rise == 0:
        return Monotonicity(True, True, 0.0, 0.0, None, tolerance, curve.rounding)
    start = int(np.argmin(np.where(np.isnan(cost[: end + 1]), np.inf, cost[: end + 1])))
    spread = curve.stderr_of({start: -1.0, end: 1.0}) if start != end else float("nan")
    between = (float(t[start]), float(t[end]))
    holds = bool(rise <= tolerance)
    return Monotonicity(holds, False, rise, spread, between, tolerance, curve.rounding)


@dataclass(frozen=True)
class Bump:
    """A stretch on which a path is above where it was."""

    start: float
    """Last position before the rise."""
    end: float
    """First position that is strictly below the start again, or the last position."""
    height: float
    """Above the start."""

    @property
    def width(self) -> float:
        """In units of t."""
        return self.end - self.start


def bumps(curve: Curve) -> list[Bump]:
    """Every bump: it opens at the last point before a rise and closes strictly below that.

    The definition is that of Lucas et al.'s code, with a rise at the last point counted.

    Args:
        curve: From t = 0 on; finite.

    Returns:
        Bumps in order, which do not overlap.
    """
    cost, t = curve.cost, curve.t
    found: list[Bump] = []
    i = 0
    while i < len(t) - 1:
        if cost[i + 1] <= cost[i]:
            i += 1
            continue
        below = np.flatnonzero(cost[i + 1 :] < cost[i])
        end = i + 1 + int(below[0]) if len(below) else len(t) - 1
        height = float(cost[i + 1 : end + 1].max() - cost[i])
        found.append(Bump(float(t[i]), float(t[end]), height))
        i = end
    return found
