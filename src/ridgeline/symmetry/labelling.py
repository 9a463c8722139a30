"""Labels beside units: coordinates, blanks, and which of several places of one unit."""

from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from itertools import count

import numpy as np

__all__ = ["FIXED", "NOTHING", "TIMES", "Labels", "coordinates", "occurrences", "of_inputs"]

Labels = np.ndarray
"""Integers, of a shape that broadcasts to that of a value: what each element belongs to."""

NOTHING = 0
"""Of a padded constant."""

FIXED = -(1 << 62)
"""Less a unit's number: the coordinate that a fixed unit is."""

TIMES = -(1 << 61)
"""Less a number: which of several places of one unit, where it has been joined with itself."""


_systems: ContextVar[Iterator[int]] = ContextVar("systems")
"""Numbers of the axes that coordinates were given to, halved: those of inputs are odd. Of a
context of its own each, as a discovery is."""


def coordinates(shape: Sequence[int], *, inputs: bool = False) -> Labels:
    """Labels of places that never move, in order; different from all others.

    Args:
        shape: Of the labels.
        inputs: Whether they are places of the network's inputs.
    """
    size, system = int(np.prod(shape)), 2 * _next() + inputs
    return -1 - (system << 32) - np.arange(size, dtype=np.int64).reshape(tuple(shape))


def _next() -> int:
    numbers = _systems.get(None)
    if numbers is None:
        _systems.set(numbers := count())
    return next(numbers)


def of_inputs(labels: Labels) -> np.ndarray:
    """Return which labels are coordinates of the network's inputs."""
    return (labels < NOTHING) & (labels > TIMES >> 1) & ((-1 - labels) >> 32 & 1 == 1)


def occurrences(before: Labels, after: Labels) -> Labels:
    """For labels that became others: which of those that became the same each of them was.

    Args:
        before: Labels, once.
        after: What they are now.

    Returns:
        Numbers from 0, all zero if no two became one.
    """
    if np.array_equal(before, after):
        return np.zeros(len(before), np.int64)
    apart, first, at = np.unique(before, return_index=True, return_inverse=True)
    now = after[first]
    if len(np.unique(now)) == len(apart):
        return np.zeros(len(before), np.int64)
    order = np.argsort(now, kind="stable")
    starts = np.r_[True, now[order][1:] != now[order][:-1]]
    run = np.arange(len(order)) - np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    rank = np.empty(len(order), np.int64)
    rank[order] = run
    return rank[at.ravel()]
