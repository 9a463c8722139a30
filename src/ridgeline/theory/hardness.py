"""Whether a curve with a plateau belongs to a hard problem: two that say no.

Wang et al. (2023, appendix A) show that the shape of the interpolation curve need not relate
to how hard a problem is. Their constructions are not known to us; these two are derived: a
chain of equal weights that is learned quickly and has a long plateau, and a quadratic that
takes a million steps and has a convex curve.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import quad

from ridgeline.errors import UsageError
from ridgeline.measures import Array, Curve, Plateau, plateau
from ridgeline.paths import Grid, grid

__all__ = ["IllConditioned", "ScalarChain"]


@dataclass(frozen=True)
class ScalarChain:
    """A chain of r equal scalar weights, ``loss(w) = (w^r - 1)^2 / 2``: easy, with a plateau.

    Args:
        degree: r, at least 1.
        start: The first weight, strictly between 0 and 1.

    Raises:
        UsageError: If either is outside its range.
    """

    degree: int = 10
    start: float = 0.5

    def __post_init__(self) -> None:
        if self.degree < 1 or not 0 < self.start < 1:
            raise UsageError(
                "The chain has a degree of at least 1 and starts strictly between 0 and 1.",
                got=f"degree {self.degree}, start {self.start}",
            )

    def loss(self, weight: ArrayLike) -> Array:
        """``(w^r - 1)^2 / 2``."""
        return 0.5 * (np.asarray(weight, dtype=np.float64) ** self.degree - 1) ** 2

    def time(self, until_loss: float = 0.01) -> float:
        """Time in which gradient flow reaches a loss.

        With ``dw/dt = r w^(r-1) (1 - w^r)`` it is the integral of dw over that speed, from the
        start to the weight at which the loss is reached.

        Args:
            until_loss: In (0, 1/2).

        Returns:
            Units of the flow's time; 0 if the start is there already.

        Raises:
            UsageError: If the loss is outside (0, 1/2).
        """
        if not 0 < until_loss < 0.5:
            raise UsageError("The loss lies between 0 and 1/2.", got=f"{until_loss}")
        r = self.degree
        stop = (1 - math.sqrt(2 * until_loss)) ** (1 / r)
        if stop <= self.start:
            return 0.0
        found, _ = quad(lambda w: 1 / (r * w ** (r - 1) * (1 - w**r)), self.start, stop)
        return float(found)

    def curve(self, points: Grid = 101) -> Curve:
        """The loss on the line from the start to the minimum at 1."""
        t = grid(points)
        return Curve.exact(t, self.loss((1 - t) * self.start + t))

    def plateau(self, threshold: float = 0.02) -> Plateau:
        """The plateau of the loss, in closed form where `measures.plateau` has a grid."""
        return _exact(self.curve(2001), self._falls_to, threshold)

    def _falls_to(self, share: float) -> float:
        """Position at which the loss is this share of the first: (w^r - 1)^2 is monotone there."""
        level = 1 - math.sqrt(share) * (1 - self.start**self.degree)
        return (level ** (1 / self.degree) - self.start) / (1 - self.start)


@dataclass(frozen=True)
class IllConditioned:
    """A quadratic of two directions, ``loss = (x^2 + h y^2) / 2``: hard, with a convex curve.

    The start is such that each direction has the same share of the first loss.

    Args:
        condition: 1 / h, at least 1.
        loss: At the start, positive.

    Raises:
        UsageError: If either is outside its range.
    """

    condition: float = 1e6
    loss: float = 0.5

    def __post_init__(self) -> None:
        if not (1 <= self.condition < math.inf and 0 < self.loss < math.inf):
            raise UsageError(
                "A condition number is at least 1 and a loss positive, both finite.",
                got=f"condition {self.condition}, loss {self.loss}",
            )

    @property
    def curvature(self) -> tuple[float, float]:
        """Second derivatives in the two directions."""
        return 1.0, 1 / self.condition

    @property
    def start(self) -> tuple[float, float]:
        """The point from which both directions have half of the loss."""
        return math.sqrt(self.loss), math.sqrt(self.loss * self.condition)

    def steps(self, until_loss: float = 0.01) -> int:
        """Steps of gradient descent at rate 1 (one over the largest curvature) to a loss.

        The steep direction is done after one step; the flat one shrinks by ``1 - h`` at each, so
        that n steps leave ``loss / 2 (1 - h)^(2n)``.

        Args:
            until_loss: Positive.

        Returns:
            A number of steps; 0 if the start is there already.

        Raises:
            UsageError: If the loss is not positive.
        """
        if not until_loss > 0:
            raise UsageError("The loss to reach is positive.", got=f"{until_loss}")
        if self.loss <= until_loss:
            return 0
        if self.condition == 1 or self.loss / 2 <= until_loss:
            return 1
        shrink = -2 * math.log1p(-1 / self.condition)
        return max(1, math.ceil(math.log(self.loss / 2 / until_loss) / shrink))

    def curve(self, points: Grid = 101) -> Curve:
        """The loss on the line from the start to the minimum: ``(1 - t)^2`` times the first."""
        t = grid(points)
        return Curve.exact(t, self.loss * (1 - t) ** 2)

    def plateau(self, threshold: float = 0.02) -> Plateau:
        """The plateau of the loss, in closed form: hardly any."""
        return _exact(self.curve(2001), lambda share: 1 - math.sqrt(share), threshold)


def _exact(curve: Curve, falls_to: Callable[[float], float], threshold: float) -> Plateau:
    """The plateau of a falling curve, its end and half point from their closed form."""
    found = plateau(curve, threshold=threshold)
    return replace(found, end=falls_to(1 - threshold), half=falls_to(0.5))
