"""Lengths of curves: how long, and by how much they turn."""

from dataclasses import dataclass

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.measures.curve import Array, Curve

__all__ = ["Length", "arc_length", "length", "turning"]

STILL = 1e-20
"""A step shorter than this has no direction; it is left out of the turning."""


@dataclass(frozen=True)
class Length:
    """Arc length of the graph of a curve, in the plane of t and the metric's units."""

    arc: float
    """Sum of ``sqrt(dt^2 + dL^2)``."""
    gauss: float
    """Sum of the angles, in radians, by which the graph turns: its Gauss length."""
    variation: float
    """Total variation, sum of ``|dL|``; equal to the drop for a monotone curve."""


def length(curve: Curve) -> Length:
    """The lengths of a profile's graph.

    Args:
        curve: From t = 0 to 1; its grid is what the sums are over.

    Returns:
        Arc length, Gauss length (by turning angles) and total variation.
    """
    part = curve.inside()
    graph = np.stack([curve.t[part], curve.mean[part]], 1)
    with np.errstate(invalid="ignore"):
        variation = float(np.abs(np.diff(graph[:, 1])).sum())
        return Length(float(arc_length(graph)), float(turning(graph)), variation)


def arc_length(points: Array) -> Array:
    """The length of polygonal chains, ``sum_k |p_{k+1} - p_k|``.

    Args:
        points: Shape (K, ..., D): K positions of chains in R^D.

    Returns:
        Shape (...).
    """
    return np.linalg.norm(np.diff(points, axis=0), axis=-1).sum(0)


def turning(points: Array) -> Array:
    """The Gauss length of polygonal chains: the sum of angles between successive steps.

    For a smooth curve it converges to ``int |dn/dt| dt`` with n the unit tangent (Lucas et al.
    2021). It does not depend on parametrisation or scale. For ReLU networks it counts the kinks
    that automatic differentiation does not see, and grows with the grid: never compare the two.

    Args:
        points: Shape (K, ..., D), K >= 2.

    Returns:
        Radians, shape (...). Steps of length zero have no direction and are left out.

    Raises:
        UsageError: If there are fewer than two points.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim < 2 or len(points) < 2:
        raise UsageError("A chain has two points or more.", got=f"shape {points.shape}")
    steps = np.diff(points, axis=0)
    sizes = np.linalg.norm(steps, axis=-1, keepdims=True)
    if (sizes <= STILL).any():
        flat = steps.reshape(len(steps), -1, steps.shape[-1])
        total = np.array([_turning_of_moving(flat[:, i]) for i in range(flat.shape[1])])
        return total.reshape(points.shape[1:-1])
    return _angles(steps / sizes).sum(0)


def _turning_of_moving(steps: Array) -> float:
    sizes = np.linalg.norm(steps, axis=-1, keepdims=True)
    moving = sizes[:, 0] > STILL
    return float(_angles(steps[moving] / sizes[moving]).sum()) if moving.sum() > 1 else 0.0


def _angles(units: Array) -> Array:
    """Between successive unit vectors; by half-angle, which is accurate for small angles."""
    half = np.linalg.norm(units[1:] - units[:-1], axis=-1) / 2
    return 2 * np.arcsin(np.minimum(half, 1.0))
