"""Plateaus: how long a path from initialisation stays as bad as it began.

Wang et al. (2023) show plateaus as curves and give no number that we could obtain; these
definitions are the library's. Three are reported together, because real plateaus slope: the
strict end, the half point and the area.
"""

from dataclasses import dataclass

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.measures.curve import Curve

__all__ = ["Plateau", "plateau"]

LATEST_START = 0.1


@dataclass(frozen=True)
class Plateau:
    """Plateau: the stretch on which a curve stays near its reference level."""

    start: float
    """First position at the level, at most 0.1."""
    end: float
    """Last position up to which every one since the start is at the level; 0 without a plateau."""
    half: float
    """First position at or below half the level; NaN if there is none."""
    area: float
    """Trapezoid area under the curve from t = 0 to 1, in the metric's units."""
    reference: float
    """The level: that of chance for an error, the value at t = 0 otherwise."""
    threshold: float
    """Share of the level that may be missing."""

    @property
    def length(self) -> float:
        """From start to end, in units of t."""
        return self.end - self.start

    @property
    def relative_area(self) -> float:
        """Area over the level: 1 for a curve that never leaves it."""
        return self.area / self.reference if self.reference else float("nan")


def plateau(
    curve: Curve, *, threshold: float | None = None, reference: float | None = None
) -> Plateau:
    """The plateau at the beginning of a curve.

    With the level e and the threshold tau, ``end = sup {a : L(s) >= (1 - tau) e for all s in
    [start, a]}``, on the grid; `start` is the first grid point up to 0.1 at the level.

    Args:
        curve: Of a loss or an error, lower being better.
        threshold: 0.05 by default where the level is chance, 0.02 otherwise.
        reference: The level; chance by default where it is known, else the value at t = 0.

    Returns:
        Strict end, half point and area.

    Raises:
        UsageError: If more is better: an accuracy has no level to fall from.
    """
    if curve.higher_is_better:
        raise UsageError(
            "A plateau is that of a loss or an error.",
            got="a metric of which more is better",
            remedy="Measure the error in place of the accuracy.",
        )
    part = curve.inside()
    t, y = curve.t[part], curve.mean[part]
    at_chance = reference is None and curve.chance is not None
    level = float(reference if reference is not None else curve.chance or y[0])
    tau = threshold if threshold is not None else 0.05 if at_chance else 0.02
    high = y >= (1 - tau) * level  # NaN is not high
    early = np.flatnonzero(high & (t <= LATEST_START))
    start = end = 0.0
    if len(early):
        first = int(early[0])
        below = np.flatnonzero(~high[first:])
        last = first + int(below[0]) - 1 if len(below) else len(t) - 1
        start, end = float(t[first]), float(t[last])
    half = np.flatnonzero(y <= level / 2)
    return Plateau(
        start=start,
        end=end,
        half=float(t[half[0]]) if len(half) else float("nan"),
        area=float(np.trapezoid(y, t)),
        reference=level,
        threshold=tau,
    )
