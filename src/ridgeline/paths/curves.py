"""Bent paths: the polygonal chain and the Bezier curve (Garipov et al. 2018)."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb

from ridgeline.errors import GridError, UsageError
from ridgeline.paths.base import Path, check_moving, check_points
from ridgeline.paths.combination import Combination, Table
from ridgeline.state import State, is_continuous, spectral_vectors, wide

__all__ = ["Bezier", "Polygon"]


class _Curve(Path):
    """A path whose tensors all follow one table of coefficients of its points."""

    points: tuple[State, ...]

    def __init__(self, *points: State) -> None:
        if len(points) < 2:
            raise UsageError(
                f"A {type(self).__name__} needs two points or more.", got=f"{len(points)}"
            )
        names = ["a", *(f"bend {j}" for j in range(1, len(points) - 1)), "b"]
        level = 2 + (type(self).__init__ is not _Curve.__init__)  # a class's own calls this one
        self.points = check_points(points, names, stacklevel=level)
        check_moving(self.points, stacklevel=level)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.points)} points)"

    @abstractmethod
    def _coefficients(self, t: NDArray[np.float64]) -> Table:
        """Weight of each point at each position, shape (K, points)."""

    @abstractmethod
    def _slopes(self, t: float) -> NDArray[np.float64]:
        """Derivative by t of each point's weight, shape (points,)."""

    def combination(self, t: Sequence[float] | NDArray[np.floating]) -> Combination:
        """The curve at K positions; the basis is its points."""
        table = self._coefficients(np.asarray(t, dtype=np.float64))
        return Combination(self.points, (table,), {})

    def tangent(self, t: float) -> State:
        """The derivative by t, for floating tensors only."""
        slopes, vectors = self._slopes(float(t)), spectral_vectors(self.points[0])
        return {
            name: sum(
                (float(c) * wide(p[name]) for c, p in zip(slopes, self.points, strict=True) if c),
                start=0 * wide(x),
            ).to(x.dtype)
            for name, x in self.points[0].items()
            if is_continuous(x) and name not in vectors
        }


class Polygon(_Curve):
    """The chain of straight segments through points, each segment at constant speed.

    Args:
        *points: Two states or more; the first is ``path(0)``, the last ``path(1)``.
        knots: Position of each point, from 0 to 1; equally spaced by default.

    Raises:
        StateMismatch: If the tensors differ.
        NonFinite: If a point holds NaN or infinity.
        GridError: If the knots do not increase from 0 to 1.
    """

    knots: NDArray[np.float64]

    def __init__(self, *points: State, knots: Sequence[float] | None = None) -> None:
        super().__init__(*points)
        self.knots = np.linspace(0, 1, len(points)) if knots is None else np.asarray(knots, float)
        if (
            len(self.knots) != len(points)
            or self.knots[0] != 0
            or self.knots[-1] != 1
            or not (np.diff(self.knots) > 0).all()
        ):
            raise GridError(
                "Knots increase from 0 to 1, one for each point.",
                got=f"{self.knots.tolist()} for {len(points)} points",
            )

    def _segment(self, t: NDArray[np.float64]) -> NDArray[np.intp]:
        return np.clip(np.searchsorted(self.knots, t, side="right") - 1, 0, len(self.knots) - 2)

    def _coefficients(self, t: NDArray[np.float64]) -> Table:
        at = self._segment(t)
        r = (t - self.knots[at]) / (self.knots[at + 1] - self.knots[at])
        table = np.zeros((len(t), len(self.points)))
        table[np.arange(len(t)), at] = 1 - r
        table[np.arange(len(t)), at + 1] = r
        return table

    def _slopes(self, t: float) -> NDArray[np.float64]:
        """At a knot, the slope of the segment that begins there."""
        at = int(self._segment(np.array([t]))[0])
        slopes = np.zeros(len(self.points))
        slopes[at + 1] = 1 / (self.knots[at + 1] - self.knots[at])
        slopes[at] = -slopes[at + 1]
        return slopes


class Bezier(_Curve):
    """The Bezier curve of its points: sum_j C(n, j) (1 - t)^(n - j) t^j theta_j.

    The curve passes through the first and the last point and is drawn to the others.

    Args:
        *points: n + 1 states, n >= 1; one bend (three points) is Garipov et al.'s choice.

    Raises:
        StateMismatch: If the tensors differ.
        NonFinite: If a point holds NaN or infinity.
    """

    @staticmethod
    def _bernstein(n: int, t: NDArray[np.float64]) -> Table:
        j = np.arange(n + 1)
        return comb(n, j) * t[:, None] ** j * (1 - t[:, None]) ** (n - j)

    def _coefficients(self, t: NDArray[np.float64]) -> Table:
        table = self._bernstein(len(self.points) - 1, t)
        return table / table.sum(1, keepdims=True)

    def _slopes(self, t: float) -> NDArray[np.float64]:
        n = len(self.points) - 1
        lower = self._bernstein(n - 1, np.array([t]))[0]
        return n * (np.append(0.0, lower) - np.append(lower, 0.0))
