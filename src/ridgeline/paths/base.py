"""The path: t -> state, with exact ends and a combination for the engine."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ridgeline import state as states
from ridgeline.paths.combination import Combination
from ridgeline.paths.grid import Grid, grid
from ridgeline.state import State

__all__ = ["Path", "check_moving", "check_points"]


class Path(ABC):
    """A curve in the space of states; ``path(0)`` and ``path(1)`` are its ends, bit for bit."""

    @abstractmethod
    def combination(self, t: Sequence[float] | NDArray[np.floating]) -> Combination:
        """The path at K positions, as coefficients of its basis states.

        Args:
            t: Positions; outside [0, 1] the path is extrapolated.

        Returns:
            K states that are formed only when asked for.
        """

    @abstractmethod
    def tangent(self, t: float) -> State:
        """The derivative of the path by t at one position; zero for labels' names left out."""

    def __call__(self, t: float) -> State:
        """The state at position t; at the ends, the given tensors themselves."""
        return self.combination([t]).state(0)

    def length(self, points: Grid = 51) -> float:
        """The length of the chain through equally spaced positions, over coordinates.

        Exact for a straight line at uniform rate; from below, and converging, for a curve.

        Args:
            points: Number of positions, or the positions.

        Returns:
            A Euclidean length in weight space.
        """
        return float(self.arc(points)[-1])

    def arc(self, points: Grid = 51) -> NDArray[np.float64]:
        """The length of the chain through positions, up to each of them: an abscissa for profiles.

        Args:
            points: Number of positions, or the positions.

        Returns:
            Euclidean lengths from the first position on, shape (K,).
        """
        across = self.combination(grid(points))
        chain = (across.state(k) for k in range(len(across)))
        return np.cumsum([0.0, *(states.distance(p, q) for p, q in pairwise(chain))])

    def geometry(self) -> dict[str, float]:
        """The ends' ``distance``, their norms ``norm_a`` and ``norm_b``, and their ``cosine``."""
        a, b = self(0.0), self(1.0)
        return {
            "distance": states.distance(a, b),
            "norm_a": states.norm(a),
            "norm_b": states.norm(b),
            "cosine": states.cosine(a, b),
        }


def check_points(
    points: Sequence[State], names: Sequence[str], *, stacklevel: int = 1
) -> tuple[State, ...]:
    """Refuse points that do not belong on one path.

    Args:
        points: States.
        names: What to call them in messages.
        stacklevel: As in `warnings.warn`, counted from the caller.

    Returns:
        The states as plain dicts, each name in the widest of its types.

    Raises:
        UsageError: If one of them is no state.
        StateMismatch: If their tensors differ in name, shape or kind.
        NonFinite: If one holds NaN or infinity.
    """
    for point, name in zip(points, names, strict=True):
        states.check_state(point, name)
    points = states.in_one_type(points, stacklevel=stacklevel + 1)
    for point, name in zip(points[1:], names[1:], strict=True):
        states.check_same(points[0], point, names=(names[0], name))
    for point, name in zip(points, names, strict=True):
        states.check_finite(point, name, among=points)
    return tuple(dict(point) for point in points)


def check_moving(
    points: Sequence[State], names: Collection[str] | None = None, *, stacklevel: int = 1
) -> None:
    """Refuse tensors that cannot move by themselves; tell of those that hardly can.

    Args:
        points: States, as `check_points` gives them.
        names: Those that move; all by default.
        stacklevel: As in `warnings.warn`, counted from the caller.

    Raises:
        QuantisedWeights: If weights are kept as codes beside scales.
    """
    states.check_dequantised(points, names)
    states.warn_of_factors(points, names, stacklevel=stacklevel + 1)
