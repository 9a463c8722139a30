"""Where a run went: along the line between its ends, and away from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UnknownName, UsageError
from ridgeline.measures.curve import Array
from ridgeline.state import State

__all__ = ["Trajectory", "normalised_distance", "trajectory"]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """States of a run, seen from the line between two of them (Goodfellow et al. 2015)."""

    along: Array
    """``alpha = (theta - a) . u``, u the unit vector from a to b, in weight units; shape (T,)."""
    share: Array
    """``alpha / |b - a|``: 0 at a and 1 at b, exactly; shape (T,)."""
    away: Array
    """``beta = |theta - a - alpha u|``, in weight units, exactly 0 at the ends; shape (T,)."""
    distance: float
    """``|b - a|``."""


def trajectory(route: Sequence[State], a: State, b: State) -> Trajectory:
    """Goodfellow, Vinyals & Saxe's decomposition of a run (2015; as public copies have it).

    Over weights, the `ridgeline.state.coordinates`: floating tensors that are no running statistics
    (Lucas et al.'s released code leaves out the same); names that share one tensor count once. The
    residual is formed before its norm is taken, in float64, so that a small one is not lost in the
    difference of two large squares.

    Args:
        route: T states, in the order of training.
        a: Where the line starts, usually the initialisation.
        b: Where it ends, usually the minimum.

    Returns:
        alpha and beta of every state.

    Raises:
        StateMismatch: If a state's tensors are not those of `a`.
        UsageError: If `a` and `b` are the same in every weight, or there are no weights.
    """
    states.check_same(a, b)
    for i, point in enumerate(route):
        states.check_same(a, point, names=("a", f"state {i}"))
    names = _weights(a)
    square = sum(float(d @ d) for d, _ in _arrows(names, a, b, a))
    if not square:
        raise UsageError(
            "A trajectory is seen from the line between two different states.",
            got="a and b with equal weights",
        )
    shares, away = [], []
    for point in route:
        share = sum(float(d @ p) for d, p in _arrows(names, a, b, point)) / square
        rest = sum(float((p - share * d).square().sum()) for d, p in _arrows(names, a, b, point))
        shares.append(share)
        away.append(rest**0.5)
    share = np.array(shares, dtype=np.float64)
    distance = square**0.5
    return Trajectory(share * distance, share, np.array(away, dtype=np.float64), distance)


def normalised_distance(a: State, b: State, *, by: Literal["start", "end"] = "start") -> float:
    """``|b - a| / |a|``, how far training went in units of where it began (Lucas et al. 2021).

    Their code divides by the start in its summaries and by the end in its training log, and
    plots both under one name; say which.

    Args:
        a: The start, usually the initialisation.
        b: The end.
        by: Whose norm to divide by.

    Returns:
        A ratio, over the same weights as `trajectory`; infinite from a zero start.

    Raises:
        StateMismatch: If the tensors differ.
        UsageError: If there are no weights.
        UnknownName: If `by` is neither.
    """
    if by not in ("start", "end"):
        raise UnknownName("end to normalise by", by, ["start", "end"])
    states.check_same(a, b)
    names = _weights(a)
    distance = states.distance(a, b, names=names)
    size = states.norm(a if by == "start" else b, names=names)
    if not size:
        return float("inf") if distance else float("nan")
    return distance / size


def _weights(state: Mapping[str, Tensor]) -> list[str]:
    """Names of the tensors that distances are over."""
    names = list(states.coordinates(state))
    if not names:
        raise UsageError("A state needs at least one weight.", got=f"{list(state)[:10]}")
    return names


def _arrows(
    names: Sequence[str], a: State, b: State, point: State
) -> Iterator[tuple[Tensor, Tensor]]:
    """From `a`, the arrows to `b` and to a point, tensor by tensor, flat and in float64."""
    for name in names:
        start = a[name].double()
        yield (b[name].double() - start).flatten(), (point[name].double() - start).flatten()
