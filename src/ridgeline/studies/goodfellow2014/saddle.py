"""The smallest network with a saddle, J(w1, w2) = (w1 w2 - 1)^2: its flow and its lines.

Gradient flow keeps w1^2 - w2^2 and the sign of w1 + w2 as they were. With c the first, its limit is
the point of w1 w2 = 1 with w1^2 = (c + sqrt(c^2 + 4)) / 2 and the sign of the second; a start with
w1 + w2 = 0 ends in the saddle at the origin (derived).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from ridgeline.measures import Array

__all__ = ["SIDE", "UNTIL", "falls", "flow", "limit", "loss", "on_line", "starts"]

Truth = NDArray[np.bool_]
SIDE = 2.0
"""Starts lie in the square from -SIDE to SIDE."""
SEED = 0
UNTIL = 20.0
"""Time of the flow. The loss falls like exp(-8 t) at the end or faster, and a start leaves the
saddle like exp(2 t)."""


def loss(points: Array) -> Array:
    """``(w1 w2 - 1)^2`` at points of shape (..., 2)."""
    return (points[..., 0] * points[..., 1] - 1) ** 2


def limit(points: Array) -> Array:
    """Return where gradient flow ends, in closed form (derived; see the module).

    Args:
        points: Starts, shape (N, 2).

    Returns:
        Minima, shape (N, 2); the origin for starts with ``w1 + w2 = 0``.
    """
    w1, w2 = np.asarray(points, dtype=np.float64).T
    c = (w1 - w2) * (w1 + w2)
    # Of the two roots the one that does not cancel; the other is its inverse.
    large = np.sqrt((np.abs(c) + np.sqrt(c**2 + 4)) / 2)
    ends = np.where(c >= 0, [large, 1 / large], [1 / large, large])
    return (np.sign(w1 + w2) * ends).T


def flow(points: Array, times: Array) -> Array:
    """Gradient flow ``dw/dt = - grad J`` of all starts together.

    Args:
        points: Starts, shape (N, 2).
        times: Increasing, from 0, shape (T,).

    Returns:
        Points, shape (T, N, 2), to a relative 1e-10.
    """
    begin = np.asarray(points, dtype=np.float64)

    def pull(_: float, flat: Array) -> Array:
        w = flat.reshape(begin.shape)
        return (-2 * (w.prod(1, keepdims=True) - 1) * w[:, ::-1]).ravel()

    found = solve_ivp(
        pull,
        (times[0], times[-1]),
        begin.ravel(),
        method="DOP853",
        t_eval=times,
        rtol=1e-10,
        atol=1e-12,
    )
    return found.y.T.reshape(len(times), *begin.shape)


def falls(begin: Array, end: Array) -> Truth:
    """True if the loss never rises on the line to a minimum, exactly (derived).

    On the line ``w1 w2 - 1`` is a quadratic with a root at t = 1 and, with d = end - begin, its
    other root at ``r = (w1 w2 - 1) / (d1 d2)``, w the start. Its square falls on all of [0, 1] if
    and only if neither r nor the vertex (1 + r) / 2 is inside: ``r >= 1`` or ``r <= -1``.

    Args:
        begin: Shape (N, 2).
        end: With ``w1 w2 = 1``, shape (N, 2).

    Returns:
        Shape (N,), booleans.
    """
    lead, value = (end - begin).prod(-1), begin.prod(-1) - 1
    return np.abs(lead) <= np.abs(value)


def on_line(begin: Array, end: Array, t: Array) -> Array:
    """The loss on lines, shape (N, K)."""
    at = (1 - t)[None, :, None] * begin[:, None] + t[None, :, None] * end[:, None]
    return loss(at)


def starts(n: int) -> Array:
    """Random starts in the square, shape (n, 2); the first 3,000 are those of our calibration."""
    return np.random.default_rng(SEED).uniform(-SIDE, SIDE, (n, 2))
