"""Distances in the graph of types: how many straight pieces lie between two minima."""

from collections.abc import Iterator
from itertools import combinations_with_replacement

import numpy as np

from ridgeline.errors import UsageError
from ridgeline.measures import Array
from ridgeline.theory.minima.laws import Types

__all__ = ["diameter", "distances", "representatives"]

LARGEST = 1 << 24
"""Type vectors in a graph that is searched whole."""


def distances(start: Types, teachers: int) -> Array:
    """Return the distance of all minima from one: the least number of straight pieces.

    By breadth-first search over type vectors. The vectors next to a set of vectors are found one
    neuron at a time, for two types go together neuron by neuron.

    Args:
        start: Types of the one, shape (m,).
        teachers: M.

    Returns:
        Shape (M + 1,) * m, indexed by types: infinite if there is no chain, NaN where a type is
        missing, so that there is no minimum.

    Raises:
        UsageError: If the start is no minimum, or the graph too large to be searched whole.
    """
    m = len(start)
    if set(range(1, teachers + 1)) != {int(j) for j in start} - {0}:
        raise UsageError(
            "A minimum has a neuron of each of the types 1 to M, and no others but zeros.",
            got=f"types {[int(j) for j in start]}, M = {teachers}",
        )
    shape = (teachers + 1,) * m
    if (teachers + 1) ** m > LARGEST:
        raise UsageError(
            f"A graph of at most {LARGEST} type vectors is searched.",
            got=f"(M + 1)^m = {teachers + 1}^{m}",
        )
    minima = _minima(teachers, m)
    found = np.where(minima, np.inf, np.nan)
    reached = np.zeros(shape, bool)
    reached[tuple(int(j) for j in start)] = True
    steps = 0
    while True:
        new = reached & np.isinf(found)
        if not new.any():
            return found
        found[new] = steps
        reached = _next_to(new) & minima
        steps += 1


def _minima(teachers: int, m: int) -> np.ndarray:
    """True at the type vectors in which each type occurs."""
    codes = np.indices((teachers + 1,) * m, dtype=np.int8, sparse=True)
    found = np.array(True)
    for j in range(1, teachers + 1):
        there = np.array(False)
        for axis in codes:
            there = there | (axis == j)
        found = found & there
    return found


def _next_to(vectors: np.ndarray) -> np.ndarray:
    """Indicator of the type vectors next to some of a set, minima or not."""
    for axis in range(vectors.ndim):
        zero = vectors.take([0], axis)
        widened = vectors | zero
        first = (slice(None),) * axis + (slice(0, 1),)
        widened[first] = vectors.any(axis, keepdims=True)
        vectors = widened
    return vectors


def representatives(teachers: int, neurons: int) -> Iterator[Types]:
    """Yield one type vector of each kind: neurons and types may change names.

    Args:
        teachers: M.
        neurons: m.

    Yields:
        Types, shape (m,), in order.
    """
    for zeros in range(neurons - teachers + 1):
        more = neurons - zeros - teachers
        for cuts in combinations_with_replacement(range(more + 1), teachers - 1):
            counts = np.diff([0, *cuts, more])
            if (np.diff(counts) >= 0).all():
                every = np.concatenate(([zeros], counts + 1))
                yield np.repeat(np.arange(teachers + 1), every).astype(np.int8)


def diameter(teachers: int, neurons: int) -> float:
    """Return the largest distance of two minima; infinite if some have no chain between them.

    Args:
        teachers: M.
        neurons: m.

    Raises:
        UsageError: If there is no minimum, or the graph is too large to be searched whole.
    """
    if not 1 <= teachers <= neurons:
        raise UsageError(
            "A minimum has a neuron for each of the teacher's, of which there is one at least.",
            got=f"{neurons} neurons, {teachers} of the teacher",
        )
    return max(
        float(np.nanmax(distances(one, teachers))) for one in representatives(teachers, neurons)
    )
