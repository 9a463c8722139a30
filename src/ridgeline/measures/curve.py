"""A metric along a path, with what is needed to say how sure any number about it is."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ridgeline.errors import UsageError

__all__ = ["Array", "Curve", "Interval", "WholeEnds", "interval"]

Array = NDArray[np.float64]
Interval = tuple[float, float]


def interval(value: float, stderr: float, confidence: float = 0.95) -> Interval:
    """The normal interval ``value -+ z stderr``.

    Args:
        value: An estimate.
        stderr: Its standard error.
        confidence: Between 0 and 1.

    Returns:
        Lower and upper end.

    Raises:
        UsageError: If the confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise UsageError("Confidence lies between 0 and 1.", got=f"{confidence}")
    half = float(ndtri(0.5 + confidence / 2)) * stderr
    return value - half, value + half


@dataclass(frozen=True, eq=False)
class WholeEnds:
    """The two whole networks, for a curve on whose line only a part of them moves.

    They were measured on the same samples, in the same pass.
    """

    mean: Array
    """Values of a and of b, shape (2,)."""
    covariance: Array
    """Covariance of one sample's values at the K positions, at a and at b, shape (K + 2, K + 2)."""


@dataclass(frozen=True, eq=False)
class Curve:
    """The mean of one metric over N samples at K positions.

    Args:
        t: Positions, increasing, shape (K,).
        mean: Shape (K,).
        covariance: Of one sample's values at the K positions, shape (K, K); where samples weigh
            differently of their linearised values (see `engine.Moments`).
        n: Samples that the means are of, the same at every position.
        population: Samples in the data set. If fewer were evaluated, standard errors are those
            of an estimate of the whole data set's value (with the finite-population correction);
            if all were, those of an estimate of the distribution that the data were drawn from.
        nonfinite: How many values were NaN or infinite at each position, shape (K,).
        higher_is_better: Whether more is wanted (accuracy).
        chance: Value of guessing, where it is known (error: 1 - 1/classes).
        left_out: Samples that were evaluated and do not count: nothing in them has a label that
            does, or the metric is not of them.
        whole: The two whole networks, where only a part of them moves: what a layer's barrier is
            against. None for any other path.
        rounding: Differences of means up to this are those of the arithmetic, in the metric's
            units; 0 where it is not known.
    """

    t: Array
    mean: Array
    covariance: Array
    n: int
    population: int
    nonfinite: NDArray[np.int64]
    higher_is_better: bool = False
    chance: float | None = None
    left_out: int = 0
    whole: WholeEnds | None = None
    rounding: float = 0.0

    @classmethod
    def exact(cls, t: object, mean: object, **more: object) -> "Curve":
        """A curve of known values without sampling error, as of an analytic landscape."""
        x, y = np.asarray(t, float), np.asarray(mean, float)
        nothing = np.zeros((len(x), len(x)))
        return cls(x, y, nothing, 1, 1, (~np.isfinite(y)).astype(np.int64), **more)  # type: ignore[arg-type]  # passed through

    def __len__(self) -> int:
        return len(self.t)

    @property
    def evaluated(self) -> int:
        """Samples that were evaluated, those that do not count among them."""
        return self.n + self.left_out

    @property
    def scope(self) -> str:
        """Subject of the standard errors: ``"data set"`` or ``"distribution"``."""
        return "data set" if self.evaluated < self.population else "distribution"

    @property
    def _shrink(self) -> float:
        seen = self.evaluated / self.population
        return (1 - seen if seen < 1 else 1.0) / max(1, self.n)

    @cached_property
    def stderr(self) -> Array:
        """Standard error of the mean at each position, shape (K,)."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(np.maximum(np.diag(self.covariance), 0) * self._shrink)

    @cached_property
    def cost(self) -> Array:
        """The mean, negated where more is better: up is always worse."""
        return -self.mean if self.higher_is_better else self.mean

    def stderr_of(self, weights: dict[int, float]) -> float:
        """The standard error of ``sum_k weights[k] mean[k]``, paired by sample."""
        at, w = list(weights), np.array(list(weights.values()))
        block = self.covariance[np.ix_(at, at)]
        with np.errstate(invalid="ignore"):
            return float(np.sqrt(np.maximum(w @ block @ w, 0) * self._shrink))

    def stderr_with_ends(self, weights: dict[int, float], a: float, b: float) -> float:
        """The same of a combination to which the two whole networks belong, with these weights."""
        assert self.whole is not None
        w = np.zeros(len(self.t) + 2)
        w[list(weights)] = list(weights.values())
        w[-2:] = a, b
        used = np.flatnonzero(w)  # a loss without bound elsewhere is no part of it
        block = self.whole.covariance[np.ix_(used, used)]
        with np.errstate(invalid="ignore"):
            return float(np.sqrt(np.maximum(w[used] @ block @ w[used], 0) * self._shrink))

    def ends(self) -> tuple[int, int]:
        """Indices of t = 0 and t = 1.

        Raises:
            UsageError: If the grid lacks one of them.
        """
        at = [np.flatnonzero(self.t == end) for end in (0.0, 1.0)]
        if any(len(a) == 0 for a in at):
            raise UsageError(
                "A barrier is measured against both ends: the grid must contain 0 and 1.",
                got=f"t from {self.t[0]:g} to {self.t[-1]:g}",
                remedy="Add 0 and 1 to the grid.",
            )
        return int(at[0][0]), int(at[1][0])

    @property
    def middle(self) -> int | None:
        """Index of t = 1/2; None if it is not among the positions."""
        at = np.flatnonzero(self.t == 0.5)
        return int(at[0]) if len(at) else None

    def inside(self) -> slice:
        """The positions from t = 0 to t = 1, extrapolated ones left out."""
        first, last = self.ends()
        return slice(first, last + 1)
