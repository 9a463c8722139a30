"""The student's risk over the whole sphere, in closed form, and theorem 6."""

import numpy as np
from numpy.typing import NDArray

from ridgeline.errors import UsageError
from ridgeline.measures import Array

__all__ = ["is_minimum", "risk"]


def risk(weights: Array, teachers: int) -> Array:
    """Return the mean squared error of students over x uniform on the sphere.

    By the arc-cosine kernel (Cho & Saul 2009): for neurons u and v at an angle a

        E relu(u.x) relu(v.x) = |u| |v| (sin a + (pi - a) cos a) / (2 pi d),

    the Gaussian expectation over d, since a Gaussian's squared norm has mean d and is independent
    of its direction.

    Args:
        weights: Shape (..., m, d), d > 1.
        teachers: M; the teacher is the sum of relu over the first M coordinates.

    Returns:
        Shape (...); exact to rounding, so that a minimum may come out at -1e-17.

    Raises:
        UsageError: If the teacher has more neurons than there are coordinates, or there is one.
    """
    weights = np.asarray(weights, dtype=np.float64)
    d = weights.shape[-1]
    _check(d, teachers)
    target = np.broadcast_to(np.eye(d)[:teachers], (*weights.shape[:-2], teachers, d))
    rows = np.concatenate((weights, target), -2)
    signs = np.concatenate((np.ones(weights.shape[-2]), -np.ones(teachers)))
    norms = np.linalg.norm(rows, axis=-1)
    units = np.divide(rows, norms[..., None], out=np.zeros_like(rows), where=norms[..., None] > 0)
    cosines = np.clip(units @ np.swapaxes(units, -1, -2), -1, 1)
    angles = np.arccos(cosines)
    kernel = np.sin(angles) + (np.pi - angles) * cosines
    scaled = signs * norms
    return np.einsum("...i,...ij,...j->...", scaled, kernel, scaled) / (2 * np.pi * d)


def is_minimum(weights: Array, teachers: int, *, tolerance: float = 1e-9) -> NDArray[np.bool_]:
    """Return if students are minima, by theorem 6 and without their risk.

    Every neuron is zero or a positive multiple of one e_j, j at most M, and for every j the
    multiples sum to 1.

    Args:
        weights: Shape (..., m, d).
        teachers: M.
        tolerance: Of a coordinate and of a sum.

    Returns:
        Shape (...).
    """
    weights = np.asarray(weights, dtype=np.float64)
    _check(weights.shape[-1], teachers)
    there = np.abs(weights) > tolerance
    one_axis = (there.sum(-1) <= 1).all(-1)
    positive = (weights >= -tolerance).all((-1, -2))
    sums = weights.sum(-2)
    sums[..., :teachers] -= 1
    return one_axis & positive & (np.abs(sums) <= tolerance * weights.shape[-2]).all(-1)


def _check(dimension: int, teachers: int) -> None:
    if not 1 <= teachers <= dimension or dimension < 2:
        raise UsageError(
            "The teacher has a coordinate for each of its neurons, and inputs have two at least.",
            got=f"{teachers} neurons of the teacher, dimension {dimension}",
        )
