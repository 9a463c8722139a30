"""Permutations relaxed to doubly stochastic matrices, and applied to states.

A matrix P stands for "unit i of the result is the mixture ``sum_j P[f, i, j] unit j``", so that the
order ``order`` is the matrix with ``P[f, i, order[f, i]] = 1``. A state to which matrices are
applied is a polynomial of them: each place of a group in a tensor is one more factor.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.matching.assignment import assign
from ridgeline.symmetry import Group, Order, Place, Symmetry, Transform

__all__ = [
    "Matrices",
    "barycentre",
    "degree",
    "harden",
    "hardened",
    "inner",
    "matched_names",
    "matrix",
    "soft",
    "soft_place",
]

Matrices = Mapping[str, Tensor]
"""Group name to matrices of shape (fibres, size, size)."""


# --- application --------------------------------------------------------------------------------


def soft_place(place: Place, x: Tensor, p: Tensor) -> Tensor:
    """A tensor whose units are mixed; differentiable in both arguments.

    Args:
        place: Where the units stand.
        x: The tensor.
        p: Of shape (fibres, size, size). A permutation's matrix gives `Place.permute`.
    """
    if place.within is None:
        return _mixed(x, place.axis, place.index, p)
    across, where = place.within
    result = x
    for fibre, rows in enumerate(where):
        at = torch.from_numpy(rows).to(x.device)
        part = x.index_select(across, at)
        part = _mixed(part, place.axis, place.index[fibre : fibre + 1], p[fibre : fibre + 1])
        result = result.index_copy(across, at, part)
    return result


def _mixed(x: Tensor, axis: int, index: np.ndarray, p: Tensor) -> Tensor:
    fibres, size, _ = index.shape
    at = torch.from_numpy(index.ravel()).to(x.device)
    first = x.movedim(axis, 0)
    units = first if _is_all(index, len(first)) else first.index_select(0, at)
    mixed = torch.bmm(p.to(x), units.reshape(fibres, size, -1)).reshape(units.shape)
    if units is not first:
        mixed = first.index_copy(0, at, mixed)
    return mixed.movedim(0, axis)


def _is_all(index: np.ndarray, length: int) -> bool:
    """True if the units are the whole axis in its own order, as they mostly are."""
    return index.size == length and bool((index.ravel() == np.arange(length)).all())


def soft(state: Mapping[str, Tensor], symmetry: Symmetry, p: Matrices) -> dict[str, Tensor]:
    """The state to which matrices are applied, inner groups first; differentiable.

    Args:
        state: Names to tensors. Those that no group stands in are passed on as they are.
        symmetry: Whose groups the matrices are of.
        p: Matrices by group; groups that are left out stay as they are.

    Returns:
        As `Transform` gives, if the matrices are permutations.
    """
    result = dict(state)
    for group in symmetry.groups:
        if group.name not in p:
            continue
        for place in group.places:
            if place.tensor in result:
                result[place.tensor] = soft_place(place, result[place.tensor], p[group.name])
    return states.tie(result, symmetry.ties)


def matrix(order: Order, dtype: torch.dtype = torch.float64) -> Tensor:
    """The matrices of an order, shape (fibres, size, size)."""
    return torch.eye(order.shape[1], dtype=dtype)[torch.from_numpy(np.asarray(order))]


def barycentre(group: Group, dtype: torch.dtype = torch.float64) -> Tensor:
    """The mean of all permutations: every entry 1 / size."""
    return torch.full((group.fibres, group.size, group.size), 1 / group.size, dtype=dtype)


def harden(p: Tensor) -> Order:
    """The orders of largest total in matrices: an assignment for each fibre, exactly.

    Args:
        p: Of shape (fibres, size, size), of any real numbers.

    Raises:
        UsageError: If a number is not finite.
    """
    scores = p.detach().double().cpu().numpy()
    if not np.isfinite(scores).all():
        raise UsageError(
            "An assignment needs finite scores.",
            got="NaN or infinity",
            remedy="The search has diverged: take a lower rate, or a higher temperature.",
        )
    return assign(scores)


def hardened(symmetry: Symmetry, p: Matrices) -> Transform:
    """The transform with the permutations nearest to matrices, group by group."""
    return symmetry.transform({name: harden(each) for name, each in p.items()})


# --- what is matched ----------------------------------------------------------------------------


def matched_names(symmetry: Symmetry, state: Mapping[str, Tensor]) -> list[str]:
    """Tensors whose distance the matching can change: coordinates that hold places.

    Statistics of normalisation are carried, but not matched: they are no coordinates.
    """
    touched = {name for group in symmetry.groups for name in group.tensors()}
    tied = set(symmetry.ties)
    return [n for n in states.coordinates(state) if n in touched and n not in tied]


def inner(a: Mapping[str, Tensor], b: Mapping[str, Tensor], names: Iterable[str]) -> Tensor:
    """The inner product over some tensors; differentiable, summed in float64."""
    sums = [(a[n] * b[n]).sum(dtype=torch.float64) for n in names]
    return torch.stack(sums).sum() if sums else torch.zeros((), dtype=torch.float64)


def degree(symmetry: Symmetry, names: Iterable[str]) -> int:
    """The degree of a state's tensors as polynomials of matrices: places in one, at most."""
    count = dict.fromkeys(names, 0)
    for group in symmetry.groups:
        for place in group.places:
            if place.tensor in count:
                count[place.tensor] += 1
    return max(count.values(), default=0)
