"""Several permutations one after another, as one: each axis of a tensor is put in order once.

A weight of a transformer stands in groups of heads, of channels inside of them and of the residual
stream: seven places, each of which would copy it. Which position stands where in the end is
composed first, of integers alone. What comes out is the same, bit for bit.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from ridgeline.symmetry.group import Order, Place

__all__ = ["Step", "moved_in_place", "permuted", "steps_by_tensor"]

Step = tuple[Place, Order]
"""A place, and the order that its units are put into."""

FEW = 8
"""If no more than one position in so many moves, the others are not written anew."""

CHUNK = 1 << 18
"""Numbers that are moved at a time within a tensor: 2 MiB in float64, which a cache holds."""


def steps_by_tensor(steps: Iterable[Step]) -> dict[str, list[Step]]:
    """The steps of each tensor, in their order."""
    found: dict[str, list[Step]] = {}
    for place, order in steps:
        found.setdefault(place.tensor, []).append((place, order))
    return found


def permuted(x: Tensor, steps: Iterable[Step]) -> Tensor:
    """A tensor after permutations, first to last; the tensor itself if nothing moves.

    Args:
        x: The tensor.
        steps: All of places in it.
    """
    for part in _parts(steps, x):
        if isinstance(part, tuple):
            x = part[0].permute(x, part[1])
            continue
        for axis, source in part.items():
            x = x.index_select(axis, torch.from_numpy(source).to(x.device))
    return x


def moved_in_place(x: Tensor, steps: Iterable[Step]) -> Tensor:
    """`permuted`, within the memory of the tensor where it is contiguous, and so on the CPU.

    Args:
        x: The tensor; written to.
        steps: All of places in it.

    Returns:
        The tensor, or another one where its memory could not be used.
    """
    for part in _parts(steps, x):
        if isinstance(part, tuple):
            x = part[0].permute(x, part[1])
            continue
        for axis, source in part.items():
            x = _ordered(x, axis, source)
    return x


def _parts(steps: Iterable[Step], x: Tensor) -> Iterable[dict[int, np.ndarray] | Step]:
    """Steps as few as can be: a table of sources for each axis, or a step confined to blocks."""
    maps: dict[int, np.ndarray] = {}
    for place, order in steps:
        if place.within is not None:
            yield _moving(maps)
            maps = {}
            yield place, order
            continue
        axis = place.axis % x.ndim
        before = maps.get(axis, np.arange(x.shape[axis]))
        after = before.copy()
        source = np.take_along_axis(place.index, order[:, :, None], 1)
        after[place.index.ravel()] = before[source.ravel()]
        maps[axis] = after
    yield _moving(maps)


def _moving(maps: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    return {k: m for k, m in maps.items() if (m != np.arange(len(m))).any()}


def _ordered(x: Tensor, axis: int, source: np.ndarray) -> Tensor:
    if not (x.is_contiguous() and x.device.type == "cpu") or x.numel() <= CHUNK:
        return x.index_select(axis, torch.from_numpy(source).to(x.device))
    moving = np.flatnonzero(source != np.arange(len(source)))
    if len(moving) * FEW <= len(source):
        taken = x.index_select(axis, torch.from_numpy(source[moving]))
        return x.index_copy_(axis, torch.from_numpy(moving), taken)
    at = torch.from_numpy(source)
    # Of (before, axis, after): some of what stands before at a time, or else of what after.
    grid = x.view(int(np.prod(x.shape[:axis])), x.shape[axis], -1)
    rows, count, columns = grid.shape
    if rows > 1:
        for part in grid.split(max(1, CHUNK // (count * columns))):
            part.copy_(part.index_select(1, at))
    else:
        for part in grid.split(max(1, CHUNK // count), 2):
            part.copy_(part.index_select(1, at))
    return x
