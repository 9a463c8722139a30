"""Convex or not: second differences, and the chord."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ridgeline.errors import Argument, Remedy, UnknownName, UsageError
from ridgeline.measures.curve import Array, Curve

__all__ = ["Convexity", "convexity"]

# Of a value, in units of its last place: the second difference of a straight line is not zero.
ROUNDING = 8 * np.finfo(np.float64).eps
# Of a step, as a share of it: the positions of a grid are rounded too.
UNEVEN = 1e-6


@dataclass(frozen=True)
class Convexity:
    """Convexity of a curve from t = 0 to 1 (Lim et al. 2024, their code's `mli_stats`)."""

    largest_step: float
    """``max_i L_{i+1} - L_i``, the largest rise in one step, negative where every step falls. It
    depends on the grid: not Lucas et al.'s min Delta, which is `Monotonicity.largest_rise`."""
    least_second_difference: float
    """``min_i (L_{i+1} - 2 L_i + L_{i-1}) / h^2``, in the metric's units per t squared."""
    local: float
    """Share of interior points whose second difference is not negative."""
    overall: float
    """Share of interior points on or below the chord from t = 0 to 1."""


def convexity(curve: Curve, *, compat: Literal["lim2024"] | None = None) -> Convexity:
    """The convexity statistics of a path (Lim et al. 2024).

    A point counts as convex within the rounding of float64, so that a straight line has shares
    of one (derived; the released code compares with zero). NaN counts as not convex.

    Args:
        curve: On an equally spaced grid with 0 and 1. Where more is better, of its negative.
        compat: ``"lim2024"`` gives what the released code gives: its line ends, at
            t = 1, at the value of the grid's second point instead of the last,
            ``y[0] + (y[1] - y[0]) t``, and there is no allowance for rounding.

    Returns:
        The largest step, the least second difference, and two shares in [0, 1].

    Raises:
        UsageError: If the grid lacks an end or an interior point, or is not equally spaced.
        UnknownName: If `compat` is not known.
    """
    if compat not in (None, "lim2024"):
        raise UnknownName("compat", str(compat), ["lim2024"])
    part = curve.inside()
    t, y = curve.t[part], curve.cost[part]
    h = _step(t)
    with np.errstate(invalid="ignore"):
        steps = np.diff(y)
        second = np.diff(steps)
        slack = 0.0 if compat else ROUNDING * np.abs(y[np.isfinite(y)]).max(initial=0.0)
        toward = y[1] if compat else y[-1]
        line = y[0] + (toward - y[0]) * t
        return Convexity(
            largest_step=float(steps.max()),
            least_second_difference=float(second.min() / h**2),
            local=float((second >= -slack).mean()),
            overall=float((y <= line + slack)[1:-1].mean()),
        )


def _step(t: Array) -> float:
    """The distance between neighbours of an equally spaced grid."""
    if len(t) < 3:
        raise UsageError("Convexity needs a point between the ends.", got=f"{len(t)} points")
    steps = np.diff(t)
    h = 1 / len(steps)
    if not np.allclose(steps, h, rtol=UNEVEN, atol=0):
        raise UsageError(
            "Convexity is measured on an equally spaced grid from 0 to 1.",
            got=f"steps from {steps.min():g} to {steps.max():g}",
            remedy=Remedy("Give the profile a number of points: {}.", Argument("points", 51)),
        )
    return h
