"""Positions on a path."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ridgeline.errors import Argument, GridError, Remedy

__all__ = ["Grid", "grid"]

Grid = int | Sequence[float] | NDArray[np.floating]
"""A number of equally spaced points with both ends, or the points themselves."""


def grid(points: Grid, *, extrapolate: bool = False) -> NDArray[np.float64]:
    """Positions t, validated.

    Args:
        points: A number n of equally spaced positions, ends included; or the positions.
        extrapolate: Allow positions outside [0, 1].

    Returns:
        Shape (K,), strictly increasing, float64.

    Raises:
        GridError: If there are fewer than two points, they do not increase, are not finite,
            or lie outside [0, 1] without leave.
    """
    if isinstance(points, int | np.integer):
        if points < 2:
            raise GridError(
                "A path is measured at two points at least.",
                got=f"points={points}",
                remedy="51 is the usual number; it contains t = 0.5.",
            )
        # Divided, not stepped as by `linspace`, which misses 1/2 by rounding at 99 points.
        return np.arange(points, dtype=np.float64) / (points - 1)
    t = np.asarray(points, dtype=np.float64)
    if t.ndim != 1 or len(t) < 2:
        raise GridError("A grid is a list of two positions or more.", got=f"shape {t.shape}")
    if not np.isfinite(t).all():
        raise GridError("Positions must be finite.", got=f"{t[~np.isfinite(t)][:3]}")
    steps = np.diff(t)
    if (steps <= 0).any():
        i = int(np.argmax(steps <= 0))
        raise GridError(
            "Positions must increase from each to the next.",
            got=f"t[{i}]={t[i]:g} then t[{i + 1}]={t[i + 1]:g}",
            remedy="Sort them and drop repetitions.",
        )
    if not extrapolate and (t[0] < 0 or t[-1] > 1):
        raise GridError(
            "Positions lie in [0, 1]: 0 is a and 1 is b.",
            got=f"{t[0]:g} to {t[-1]:g}",
            remedy=Remedy(
                "Pass {} to go beyond the ends on purpose.", Argument("extrapolate", True)
            ),
        )
    return t
