"""Where the error must be that of chance: the interval of theorem 1, with computable ends.

Wang et al. (2023), theorem 1, says that a network of r layers with a bias on the last layer
only, small weights at the start and unequal biases at the end has the error of chance on an
interval [a1, a2]. The paper's constants are not known to us; what stands here is a version
with explicit ends, derived and proved on its own:

With ``d = max_l |V_l(0)|`` and ``V = max_l |V_l(1)|`` (spectral norms), inputs of norm at most
B and ``b(0) = 0``, the signal (outputs less bias) at t is at most
``S(t) = B ((1 - t) d + t V)^r``. Where ``sqrt(2) S(t) < t D``, D the gap between the largest and
the second bias, every sample is predicted as the class of the largest bias.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from ridgeline.errors import UsageError
from ridgeline.measures import Array

__all__ = ["PlateauInterval", "loss_floor", "plateau_interval"]


@dataclass(frozen=True)
class PlateauInterval:
    """Positions strictly between which the error is that of chance on balanced classes."""

    start: float
    """Where the signal of the start has sunk below the bias; NaN if empty."""
    end: float
    """Where the signal of the end overtakes the bias; NaN if empty."""
    asymptotic_start: float
    """``sqrt(2) B d^r / D``, which `start` tends to as d does to 0; may lie beyond 1."""
    asymptotic_end: float
    """``(D / (sqrt(2) B V^r))^(1/(r-1))``, likewise for `end`; NaN for one layer."""
    empty: bool
    """Whether the bound proves nothing: the bias need not dominate anywhere."""

    @property
    def length(self) -> float:
        """From start to end; 0 if empty."""
        return 0.0 if self.empty else self.end - self.start

    def __contains__(self, t: float) -> bool:
        """True if the theorem speaks about t."""
        return not self.empty and self.start < t < self.end


def plateau_interval(
    *, depth: int, start: float, end: float, gap: float, radius: float = 1.0
) -> PlateauInterval:
    """The interval on which the last bias must dominate [derived].

    ``g(t) = sqrt(2) B ((1 - t) d + t V)^r - t D`` is convex, so that it is negative on one
    interval, whose ends are its roots. They are found for log t, so that starts of 1e-30 have
    full relative precision and no power overflows.

    Args:
        depth: Number r of weight layers, at least 1.
        start: Largest spectral norm d of a layer's weight at t = 0, not negative.
        end: Largest spectral norm V of a layer's weight at t = 1, positive.
        gap: Largest bias less the second, D, not negative.
        radius: Largest norm B of an input, positive.

    Returns:
        The two roots and their asymptotes for small d.

    Raises:
        UsageError: If an argument is outside its range.
    """
    _check(depth=depth, start=start, end=end, radius=radius)
    if not 0 <= gap < math.inf:
        raise UsageError("The gap between biases is finite and not negative.", got=f"{gap}")
    log_size = math.log(math.sqrt(2) * radius)
    log_gap = _log(gap)
    asymptotic = (
        _exp(log_size + depth * _log(start) - log_gap) if gap else math.inf,
        _exp((log_gap - log_size - depth * math.log(end)) / (depth - 1)) if depth > 1 else math.nan,
    )

    def excess(log_t: float) -> float:
        """log(sqrt(2) S(t)) - log(t D), of the sign of g."""
        t = math.exp(log_t)
        return log_size + depth * _log((1 - t) * start + t * end) - log_t - log_gap

    lowest = _log(_lowest(depth, start, end, (log_gap - log_size)))
    if not gap or lowest == -math.inf or not excess(lowest) < 0:
        return PlateauInterval(math.nan, math.nan, *asymptotic, empty=True)
    first, last = 0.0, 1.0
    if start > 0:  # g(0) > 0, and no root lies below sqrt(2) min S / D
        below = log_size + depth * math.log(min(start, end)) - log_gap - 1
        first = math.exp(_root(excess, min(below, lowest - 1), lowest))
    if excess(0.0) > 0:
        last = math.exp(_root(excess, lowest, 0.0))
    return PlateauInterval(first, last, *asymptotic, empty=False)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    found = brentq(function, low, high, xtol=1e-15)
    assert isinstance(found, float)  # a pair only if asked for more
    return found


def _lowest(depth: int, start: float, end: float, log_ratio: float) -> float:
    """Return where g is least on [0, 1]; `log_ratio` is log(D / (sqrt(2) B))."""
    if end <= start or depth == 1:
        # g falls to the right, or is a straight line: if it is negative at all, it is so at 1,
        # but for a line through a negative start, which g(0) >= 0 excludes.
        return 1.0
    log_size = (log_ratio - math.log(depth * (end - start))) / (depth - 1)
    return min(1.0, max(0.0, (_exp(log_size) - start) / (end - start)))


def loss_floor(
    t: ArrayLike,
    *,
    depth: int,
    start: float,
    end: float,
    radius: float = 1.0,
    classes: int,
    initial: float | None = None,
) -> Array:
    """Return what the cross entropy cannot be below, with balanced classes [derived].

    ``L(t) >= log k - 2 S(t)``: biases alone cannot beat guessing, and the cross entropy moves at
    most twice as far as the largest logit. With the loss at t = 0 in place of log k the floor is
    ``L(0) - 2 B d^r - 2 S(t)``, which is never higher and needs no balance to be read.

    Args:
        t: Positions in [0, 1], shape (K,).
        depth: As in `plateau_interval`.
        start: As in `plateau_interval`.
        end: As in `plateau_interval`.
        radius: As in `plateau_interval`.
        classes: Number k of classes, each with equally many samples; at least 2.
        initial: The loss L(0), in nats, for the second form.

    Returns:
        Nats, shape (K,); 0 where the bound says nothing.

    Raises:
        UsageError: If an argument is outside its range.
    """
    _check(depth=depth, start=start, end=end, radius=radius)
    if classes < 2:
        raise UsageError("There are at least two classes.", got=f"{classes}")
    at = np.asarray(t, dtype=np.float64)
    if not ((at >= 0) & (at <= 1)).all():
        raise UsageError("The loss is bounded between the two ends, 0 <= t <= 1.", got=f"{at}")
    with np.errstate(over="ignore"):
        signal = radius * np.power((1 - at) * start + at * end, depth)
        level = math.log(classes) if initial is None else initial - 2 * radius * start**depth
        return np.maximum(0.0, level - 2 * signal)


def _check(*, depth: int, start: float, end: float, radius: float) -> None:
    if depth < 1:
        raise UsageError("A network has at least one layer.", got=f"depth {depth}")
    if not (0 <= start < math.inf and 0 < end < math.inf and 0 < radius < math.inf):
        raise UsageError(
            "Norms are finite, the start's not negative, those of the end and the inputs positive.",
            got=f"start {start}, end {end}, radius {radius}",
        )


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def _exp(x: float) -> float:
    return math.exp(x) if x < 709 else math.inf
