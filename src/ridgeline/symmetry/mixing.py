"""Mixing: units replaced by linear combinations of each other, where nothing in between minds.

What a permutation is to units with a nonlinearity, an invertible matrix is to units without one:
the channels of a head's query and key, or the coordinates of a residual stream, where
normalisation leaves the orthogonal matrices.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.symmetry.group import Group, Place

__all__ = ["Mixing", "gathered", "mixed_along"]


@dataclass(frozen=True, eq=False)
class Mixing:
    """Applies a matrix where units are made, and its inverse where they are used.

    Args:
        group: The group.
        powers: For each place 1 (made: the matrix), -1 (used: the transposed inverse, so that
            products of both stay) or 0 (left as it is).
        matrices: Of shape (fibres, size, size), in float64.
    """

    group: Group
    powers: tuple[int, ...]
    matrices: Tensor

    def __post_init__(self) -> None:
        wanted = (self.group.fibres, self.group.size, self.group.size)
        if tuple(self.matrices.shape) != wanted or len(self.powers) != len(self.group.places):
            raise UsageError(
                f"A mixing of group {self.group.name!r} has matrices of shape {wanted} and "
                f"{len(self.group.places)} powers.",
                got=f"{tuple(self.matrices.shape)} and {len(self.powers)}",
            )
        if not set(self.powers) <= {-1, 0, 1}:
            raise UsageError("Powers of a mixing are -1, 0 or 1.", got=str(self.powers))

    def changed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors that it changes, as they are afterwards."""
        result: dict[str, Tensor] = {}
        inverse = torch.linalg.inv(self.matrices).mT if -1 in self.powers else self.matrices
        for place, power in zip(self.group.places, self.powers, strict=True):
            if power:
                x = result.get(place.tensor, state[place.tensor])
                matrices = self.matrices if power > 0 else inverse
                result[place.tensor] = mixed_along(x, place, matrices)
        return result

    def inverse(self) -> "Mixing":
        """The mixing back."""
        return Mixing(self.group, self.powers, torch.linalg.inv(self.matrices))


def mixed_along(x: Tensor, place: Place, matrices: Tensor) -> Tensor:
    """A tensor whose units were combined: unit i is the sum over j of ``matrices[f, i, j]`` unit j.

    Differentiable in both.

    Args:
        x: The tensor.
        place: Where the units stand in it.
        matrices: Shape (fibres, size, size).

    Raises:
        UsageError: If the place confines its fibres to blocks of another axis.
    """
    rows = gathered(x, place)
    new = torch.einsum("fij,fjwr->fiwr", matrices.to(x.device, rows.dtype), rows)
    at = torch.from_numpy(place.index.ravel()).to(x.device)
    moved = x.movedim(place.axis, 0)
    flat = moved.reshape(len(moved), -1)
    return flat.index_copy(0, at, new.reshape(len(at), -1)).reshape(moved.shape).movedim(
        0, place.axis
    )  # fmt: skip


def gathered(x: Tensor, place: Place) -> Tensor:
    """Return what units hold, of shape (fibres, size, width, rest)."""
    if place.within is not None:
        raise UsageError(
            "Units in blocks of a weight (grouped convolutions) are not mixed.", got=place.tensor
        )
    at = torch.from_numpy(place.index.ravel()).to(x.device)
    moved = x.movedim(place.axis, 0)
    return moved.reshape(len(moved), -1).index_select(0, at).reshape(*place.index.shape, -1)
