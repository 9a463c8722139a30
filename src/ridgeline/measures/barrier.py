"""Barriers: how much worse a path gets than its ends promise.

The papers differ in what they measure against; every result bears the name of its kind.
With L the cost at t, L0 and L1 at the ends:

    chord          max_t [L(t) - ((1 - t) L0 + t L1)]       Entezari et al. 2021, eq. 1
    mean           max_t L(t) - (L0 + L1) / 2               Frankle et al. 2020; Git Re-Basin
    half           L(1/2) - (L0 + L1) / 2                   Adilova et al. 2023; REPAIR
    max            max_t L(t) - max(L0, L1)                 Draxler et al. 2018; Vrabel et al. 2024
    abs            max_t L(t)                               Lin, Li & Wu 2024, table 1
    convexity_gap  max_{s<u} max_{s<=t<=u} [L(t) - chord of (s, u) at t]    Juneja et al. 2022

and, where only one layer moves, `layer`: half, with the costs of the two whole networks in the
place of those of the ends of the layer's own line (Adilova et al. 2023).

Standard errors are paired: of the very combination of means that the height is, at the
location found. That the location was found on the same samples is not in them; where a path
is flat at its top this makes the height a little too high.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ridgeline.errors import UnknownName, UsageError
from ridgeline.measures.curve import Curve, Interval, interval

__all__ = [
    "BARRIER_KINDS",
    "Barrier",
    "BarrierKind",
    "Connectivity",
    "barrier",
    "connectivity",
    "instability",
    "layer_barrier",
    "usual_kind",
]

BarrierKind = Literal["chord", "mean", "half", "max", "abs", "convexity_gap", "layer"]
BARRIER_KINDS: tuple[BarrierKind, ...] = get_args(BarrierKind)[:-1]
"""Those of any path."""


@dataclass(frozen=True)
class Barrier:
    """The height of a barrier, in the metric's own units."""

    height: float
    """Up is worse: for an accuracy, the drop."""
    stderr: float
    at: float
    """Position of the top."""
    kind: BarrierKind
    between: tuple[float, float] = (0.0, 1.0)
    """The stretch it is a barrier of; the whole path but for the convexity gap."""
    rounding: float = 0.0
    """A height up to this is of the arithmetic."""

    @property
    def verdict(self) -> Literal["barrier", "no barrier", "undecided"]:
        """Return if there is one: undecided where the 95 % interval includes zero."""
        if self.height <= self.rounding:
            return "no barrier"
        if np.isnan(self.height):
            return "undecided"
        return "undecided" if self.stderr > 0 and self.interval()[0] <= 0 else "barrier"

    def interval(self, confidence: float = 0.95) -> Interval:
        """The normal interval of the height."""
        return interval(self.height, self.stderr, confidence)


def usual_kind(curve: Curve) -> BarrierKind:
    """The kind of barrier of a curve where none is named: chord, or layer where one layer moves."""
    return "chord" if curve.whole is None or curve.middle is None else "layer"


def barrier(curve: Curve, kind: BarrierKind | None = None) -> Barrier:
    """The barrier along a curve; see the module for the kinds.

    A position whose mean is NaN or infinite is a barrier of that height.

    Args:
        curve: With both ends on its grid.
        kind: Which definition. By default chord; of a profile of `layerwise`, whose grid has t =
            1/2, that of a layer.

    Returns:
        Height, standard error and location.

    Raises:
        UnknownName: If there is no such kind.
        UsageError: If the grid lacks an end, or the midpoint for ``"half"``.
    """
    kind = usual_kind(curve) if kind is None else kind
    if kind == "layer":
        return layer_barrier(curve)
    if kind not in BARRIER_KINDS:
        raise UnknownName("kind of barrier", kind, [*BARRIER_KINDS, "layer"])
    if kind == "convexity_gap":
        return _convexity_gap(curve)
    first, last = curve.ends()
    t, cost = curve.t, curve.cost
    top = -1
    if kind == "half":
        if curve.middle is None:
            raise UsageError(
                "The barrier at the midpoint needs t = 0.5 on the grid.",
                got=f"{len(t)} points",
                remedy="Use an odd number of points.",
            )
        top = curve.middle
    with np.errstate(invalid="ignore"):
        if kind == "chord":
            against = (1 - t) * cost[first] + t * cost[last]
        elif kind in ("mean", "half"):
            against = np.full_like(t, (cost[first] + cost[last]) / 2)
        elif kind == "max":
            against = np.full_like(t, max(cost[first], cost[last]))
        else:
            against = np.zeros_like(t)
        above = cost - against
    if kind != "half":
        top = first + int(np.argmax(above[first : last + 1]))
    weights = {first: 0.0, last: 0.0}
    if kind == "chord":
        weights = {first: -(1 - t[top]), last: -t[top]}
    elif kind in ("mean", "half"):
        weights = {first: -0.5, last: -0.5}
    elif kind == "max":
        weights[first if cost[first] >= cost[last] else last] = -1.0
    weights[top] = weights.get(top, 0.0) + 1.0
    return Barrier(
        float(above[top]), curve.stderr_of(weights), float(t[top]), kind, rounding=curve.rounding
    )


def _convexity_gap(curve: Curve) -> Barrier:
    """All chords at once: for each left end s, the chords to every u against every t between."""
    first, last = curve.ends()
    t, cost = curve.t[first : last + 1], curve.cost[first : last + 1]
    best, where = 0.0, (0, 0, len(t) - 1)
    for s in range(len(t) - 1):
        u = np.arange(s + 1, len(t))[:, None]
        m = np.arange(s, len(t))[None, :]
        r = (t[m] - t[s]) / (t[u] - t[s])
        with np.errstate(invalid="ignore"):
            gap = np.where(m <= u, cost[m] - ((1 - r) * cost[s] + r * cost[u]), -np.inf)
        # A chord touches the curve at its ends, be they infinite; NaN stays NaN.
        gap = np.where(((m == s) | (m == u)) & ~np.isnan(cost[m]), 0.0, gap)
        row, column = np.unravel_index(int(np.argmax(gap)), gap.shape)
        if gap[row, column] > best or np.isnan(gap[row, column]):
            best, where = float(gap[row, column]), (s, s + int(column), s + 1 + int(row))
            if np.isnan(best):
                break
    s, m, u = where
    r = (t[m] - t[s]) / (t[u] - t[s])
    weights = {first + s: -(1 - r), first + u: -r}
    weights[first + m] = weights.get(first + m, 0.0) + 1.0
    ends = (float(t[s]), float(t[u]))
    stderr = curve.stderr_of(weights)
    return Barrier(best, stderr, float(t[m]), "convexity_gap", ends, curve.rounding)


def layer_barrier(curve: Curve) -> Barrier:
    """The layer-wise barrier of Adilova et al. (2023): what averaging one layer alone costs.

    ``L(theta_a with layer l of (a + b) / 2) - (L_a + L_b) / 2``: against the two whole networks,
    not against the ends of the layer's own line, of which the far one is a network of parts.

    Args:
        curve: Of the line on which only that layer moves, as `layerwise` measures it: with the
            two whole networks beside it.

    Returns:
        Its height, of kind ``"layer"``, with the standard error of that very combination of
        three means over the same samples.

    Raises:
        UsageError: If the grid lacks 1/2, or the whole networks were not measured beside it.
    """
    middle = curve.middle
    if curve.whole is None or middle is None:
        raise UsageError(
            "A layer's barrier is at t = 1/2, against the two whole networks.",
            got="a curve without them" if curve.whole is None else f"{len(curve.t)} points",
            remedy="Measure it with `layerwise`, at an odd number of points.",
        )
    sign = -1.0 if curve.higher_is_better else 1.0
    with np.errstate(invalid="ignore"):
        height = curve.cost[middle] - sign * curve.whole.mean.sum() / 2
    spread = curve.stderr_with_ends({middle: 1.0}, -0.5, -0.5)
    return Barrier(float(height), spread, 0.5, "layer", rounding=curve.rounding)


def instability(curve: Curve) -> Barrier:
    """The linear interpolation instability of Frankle et al. (2020): the barrier of kind mean.

    The paper measures it on the error of two networks spawned from one, differing in SGD noise.
    """
    return barrier(curve, "mean")


@dataclass(frozen=True)
class Connectivity:
    """Linear connectivity of two networks by the two-point criterion."""

    holds: bool
    height: float
    stderr: float
    tolerance: float


def connectivity(curve: Curve, tolerance: float = 0.02) -> Connectivity:
    """The criterion of Frankle et al. (2020): the error barrier is below two percentage points.

    Args:
        curve: Of the error.
        tolerance: As a share of samples.

    Returns:
        Whether the instability is below the tolerance, with its standard error.
    """
    found = instability(curve)
    return Connectivity(found.height < tolerance, found.height, found.stderr, tolerance)
