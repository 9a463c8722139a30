"""Scalings: each unit of a group made larger where it is made and smaller where it is used.

A ReLU unit may be multiplied by any positive number if what reads it is divided by it; a tanh
unit may change its sign. A `Rescalable` says with which power the unit's factor enters at each
place of its group; a `Scaling` is the action with factors for all units.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.rng import seed_of
from ridgeline.symmetry.group import Group, Place

__all__ = ["Rescalable", "Scaling", "multiplied"]


@dataclass(frozen=True, eq=False)
class Rescalable:
    """That the units of a group may be multiplied, each by a number of its own.

    Args:
        name: Says what is scaled: that of the group, and of the tensor that leads.
        group: Its name.
        powers: For each place of the group, the power of the factor there: 1 where the unit is
            made, -1 where it is used, 0 where nothing changes.
        signs: Whether factors are -1 and 1; else they are positive.
    """

    name: str
    group: str
    powers: tuple[int, ...]
    signs: bool = False

    def __post_init__(self) -> None:
        if not any(self.powers):
            raise UsageError("A scaling changes at least one place.", got=f"{self.name!r}, none")

    def moving(
        self, group: Group, seed: int, spread: float = 1.0, fibres: np.ndarray | None = None
    ) -> "Scaling":
        """A scaling that a proof tries: none of its factors is near 1, and odd many signs flip.

        [derived] With the permutations of a fibre, a flip of k of its n units generates every
        even set of flips, and every one if k is odd: so an odd number is flipped in each fibre.

        Args:
            group: The group of that name.
            seed: Of the stream ``moving``, one for each member.
            spread: Logarithms to base 2 of factors are between a quarter of this and this.
            fibres: Which fibres to act on; all by default.
        """
        draws = np.random.default_rng(seed_of(seed, "moving", self.name, str(self.signs)))
        shape = (group.fibres, group.size)
        if self.signs:
            count = 2 * (draws.integers(0, (group.size + 1) // 2, size=(group.fibres, 1))) + 1
            rank = draws.permuted(group.identity(), axis=1)
            factors = np.where(rank < count, -1.0, 1.0)
        else:
            factors = 2 ** (
                draws.choice([-1.0, 1.0], shape) * draws.uniform(0.25, 1, shape) * spread
            )
        if fibres is not None:
            factors = np.where(fibres[:, None], factors, 1.0)
        return Scaling(group, self, factors)

    def random(self, group: Group, seed: int, spread: float = 1.0) -> "Scaling":
        """Signs at random, or factors between 1/2 and 2.

        Args:
            group: The group of that name.
            seed: Of the stream ``scaling``, one for each member.
            spread: Factors lie between 2 to the power of minus this and of this.
        """
        draws = np.random.default_rng(seed_of(seed, "scaling", self.name, str(self.signs)))
        shape = (group.fibres, group.size)
        if self.signs:
            return Scaling(group, self, draws.choice([-1.0, 1.0], size=shape))
        return Scaling(group, self, 2 ** draws.uniform(-spread, spread, size=shape))


@dataclass(frozen=True, eq=False)
class Scaling:
    """Multiplies the units of a group.

    Args:
        group: The group.
        member: With which powers.
        factors: Of shape (fibres, size); none is zero.
    """

    group: Group
    member: Rescalable
    factors: np.ndarray

    def __post_init__(self) -> None:
        given = np.asarray(self.factors, np.float64)
        object.__setattr__(self, "factors", given)
        if given.shape != (self.group.fibres, self.group.size):
            raise UsageError(
                f"A scaling of group {self.group.name!r} has a factor for each of "
                f"{self.group.fibres} x {self.group.size} units.",
                got=f"shape {given.shape}",
            )
        if not np.isfinite(given).all() or not (given != 0).all():
            raise UsageError("Factors are finite and not zero.", got=self.member.name)
        if len(self.member.powers) != len(self.group.places):
            raise UsageError(
                "A scaling has a power for each place of its group.",
                got=f"{len(self.member.powers)} powers, {len(self.group.places)} places",
            )

    def changed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors that it changes, as they are afterwards."""
        result: dict[str, Tensor] = {}
        for place, power in zip(self.group.places, self.member.powers, strict=True):
            if power:
                x = result.get(place.tensor, state[place.tensor])
                result[place.tensor] = multiplied(x, place, self.factors**power)
        return result

    def inverse(self) -> "Scaling":
        """The scaling back."""
        return Scaling(self.group, self.member, 1 / self.factors)


def multiplied(x: Tensor, place: Place, factors: np.ndarray) -> Tensor:
    """A tensor whose units were multiplied.

    Args:
        x: The tensor.
        place: Where the units stand in it.
        factors: Shape (fibres, size).
    """
    numbers = np.broadcast_to(factors[:, :, None], place.index.shape)
    if place.within is None:
        along = np.ones(x.shape[place.axis])
        along[place.index.ravel()] = numbers.ravel()
        return x * _laid(along, x, place.axis)
    across, where = place.within
    result = x.clone()
    for fibre, rows in enumerate(where):
        at = torch.from_numpy(rows).to(x.device)
        along = np.ones(x.shape[place.axis])
        along[place.index[fibre].ravel()] = numbers[fibre].ravel()
        part = x.index_select(across, at)
        result = result.index_copy(across, at, part * _laid(along, x, place.axis))
    return result


def _laid(along: np.ndarray, like: Tensor, axis: int) -> Tensor:
    """Numbers along one axis of a tensor."""
    shape = [1] * like.ndim
    shape[axis] = -1
    return torch.from_numpy(along).to(like.device, like.dtype).reshape(shape)
