"""Lines between minima by their types, stars of several minima, and their centres."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from ridgeline.errors import UsageError
from ridgeline.theory.minima.laws import Minima, Types

__all__ = [
    "CONFLICT",
    "adjacent",
    "centre_types",
    "common",
    "has_centre",
    "merged",
    "merged_centre",
    "unit",
]

CONFLICT = -1
"""Stands where two minima have types that no third can have in common with both."""


def adjacent(a: Types, b: Types) -> NDArray[np.bool_]:
    """Return if the line between two minima stays at zero loss (lemma 7).

    Every neuron is zero in one of them, or of the same type in both.

    Args:
        a: Types, shape (..., m).
        b: Likewise; broadcast against a.

    Returns:
        Shape (...).
    """
    return ((a == 0) | (b == 0) | (a == b)).all(-1)


def common(feet: Types) -> Types:
    """Return the type that a neuron of a centre may have.

    Args:
        feet: Types of the minima that it is to be connected to, shape (..., k, m).

    Returns:
        Shape (..., m): 0 if every foot is zero there and any type will do, the type that all feet
        which are not zero there share, or `CONFLICT`: then it is zero.

    Raises:
        UsageError: If there is no foot.
    """
    if feet.ndim < 2 or not feet.shape[-2]:
        raise UsageError("A star has a foot at least.", got=f"types of shape {feet.shape}")
    top = feet.max(-2)
    agree = ((feet == 0) | (feet == top[..., None, :])).all(-2)
    return np.where(agree, top, CONFLICT).astype(np.int8)


def has_centre(feet: Types, teachers: int) -> NDArray[np.bool_]:
    """Return if some minimum is linearly connected to all the feet: of two, if they are 2-PL.

    A centre needs distinct neurons for the types 1..M. A type with a neuron that only it can take
    takes that one, so the others need as many neurons at which every foot is zero.

    Args:
        feet: Types, shape (..., k, m).
        teachers: M.

    Returns:
        Shape (...).
    """
    may = common(feet)
    without = sum((may != j).all(-1).astype(int) for j in range(1, teachers + 1))
    return without <= (may == 0).sum(-1)


def centre_types(feet: Types, teachers: int) -> Types | None:
    """Return the types of a centre: one neuron a type, by a bipartite matching; None without one.

    Args:
        feet: Types, shape (k, m).
        teachers: M.

    Returns:
        Shape (m,).
    """
    may = common(feet)
    rows = np.arange(1, teachers + 1)[:, None]
    found = maximum_bipartite_matching(csr_array((may == rows) | (may == 0)), perm_type="column")
    if (found < 0).any():
        return None
    types = np.zeros_like(may)
    types[found] = np.arange(1, teachers + 1)
    return types


def merged(types: Types, teachers: int) -> Types:
    """Return each minimum with one neuron a type, the first: it is linearly connected to it.

    Args:
        types: Shape (..., m).
        teachers: M.
    """
    found = np.zeros_like(types)
    for j in range(1, teachers + 1):
        first = (types == j).argmax(-1)[..., None]
        np.put_along_axis(found, first, j, -1)
    return found


def merged_centre(feet: Types, teachers: int) -> Types:
    """Return a centre of the merged feet, so that its arms to the feet are 2-PL (theorem 11).

    With m at least k M there always is one [derived]: u neurons that several merged feet use leave
    at least u that none does, and at most u types have no neuron of their own.

    Args:
        feet: Types of minima, shape (k, m).
        teachers: M.

    Returns:
        Types, shape (m,).

    Raises:
        UsageError: If there are too few neurons, and no centre.
    """
    found = centre_types(merged(feet, teachers), teachers)
    if found is None:
        raise UsageError(
            "Theorem 11 asks for M neurons a foot.",
            got=f"{feet.shape[1]} neurons, {len(feet)} feet, M = {teachers}",
        )
    return found


def unit(types: Types, teachers: int) -> Minima:
    """Return the minimum that has one neuron a type, each of size 1."""
    return Minima(types, (types > 0).astype(np.float64), teachers)
