"""Groups of units that may be permuted, and where the units stand in a state.

A *unit* is a neuron, a channel, an attention head: something that a network has several of, in
no order. It stands in several tensors at once, as a row of one weight and a column of the next.
A *group* is a set of units that may be permuted among each other without a change of the
function, if every tensor that they stand in is permuted along.

Units may stand inside other units: the 64 channels of a head, of which each of 8 heads has its
own. Such a group has a *fibre* for each outer unit, permuted on its own. An outer unit moves
with all that is inside of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ridgeline.errors import UsageError

__all__ = ["Group", "Order", "Place", "Sighting"]

Order = np.ndarray
"""Permutations of a group: integers of shape (fibres, size), each row a permutation. Unit i of
the result is unit ``order[f, i]`` of what was."""


@dataclass(frozen=True, eq=False)
class Place:
    """Place of the units of a group in one tensor: along one axis.

    Args:
        tensor: Its name in the state.
        axis: The axis.
        index: Positions on the axis, of shape (fibres, size, width): a unit takes up `width` of
            them, such as the 49 positions of a channel that was flattened.
        within: For fibres that share positions on the axis: another axis, and the positions on
            it, of shape (fibres, count), to which each fibre is confined. Grouped convolutions
            need it: their second axis is another one for each group.
    """

    tensor: str
    axis: int
    index: np.ndarray
    within: tuple[int, np.ndarray] | None = None

    @property
    def width(self) -> int:
        """Positions that a unit takes up."""
        return self.index.shape[2]

    def permute(self, x: Tensor, order: Order) -> Tensor:
        """The tensor with its units in another order.

        Args:
            x: The tensor.
            order: Of shape (fibres, size).
        """
        source = np.take_along_axis(self.index, order[:, :, None], 1)
        if self.within is None:
            positions = np.arange(x.shape[self.axis])
            positions[self.index.ravel()] = source.ravel()
            return x.index_select(self.axis, torch.from_numpy(positions).to(x.device))
        across, where = self.within
        grid = x.movedim((across, self.axis), (0, 1))
        count = grid.shape[1]
        positions = np.arange(grid.shape[0] * count).reshape(-1, count)
        rows = where[:, :, None]
        positions[rows, self.index.reshape(len(where), 1, -1)] = rows * count + source.reshape(
            len(where), 1, -1
        )
        at = torch.from_numpy(positions.ravel()).to(x.device)
        moved = grid.flatten(0, 1).index_select(0, at).view(grid.shape)
        return moved.movedim((0, 1), (across, self.axis)).contiguous()

    def units(self, x: Tensor) -> Tensor:
        """Return what the units hold of a tensor, a row for each.

        Args:
            x: The tensor.

        Returns:
            Shape (fibres, size, width times what a position holds).
        """
        fibres, size, _ = self.index.shape
        if self.within is None:
            at = torch.from_numpy(self.index.ravel()).to(x.device)
            chosen = x.movedim(self.axis, 0).index_select(0, at)
            return chosen.reshape(fibres, size, -1)
        across, where = self.within
        grid = x.movedim((across, self.axis), (0, 1))
        at = self.index.reshape(fibres, -1, 1) + where[:, None, :] * grid.shape[1]
        chosen = grid.flatten(0, 1).index_select(0, torch.from_numpy(at.ravel()).to(x.device))
        return chosen.reshape(fibres, size, -1)


@dataclass(frozen=True, eq=False)
class Sighting:
    """Place of the units of a group in a value that the network computes.

    Args:
        value: The name of a node in the network's trace, the same at any number of samples.
        axis: Along which axis of the value the units stand; never the first, of samples.
        index: Positions on the axis, of shape (fibres, size, width).
    """

    value: str
    axis: int
    index: np.ndarray


@dataclass(frozen=True, eq=False)
class Group:
    """Units that may be permuted.

    Args:
        name: Says what they are, by the tensor that makes them: ``layers.0`` or
            ``blocks.1.attention heads``.
        places: Where they stand; all have the same fibres and size.
        inside: The group whose units hold the fibres, if there is one.
        sightings: Values in which the units are seen, in the order of computation: what the layer
            that makes them gives, then what normalisation and nonlinearity make of it.
    """

    name: str
    places: tuple[Place, ...]
    inside: str | None = None
    sightings: tuple[Sighting, ...] = ()

    def __post_init__(self) -> None:
        shapes = {p.index.shape[:2] for p in self.places}
        if len(shapes) != 1:
            raise UsageError(
                "All places of a group have the same units.",
                got=f"{self.name!r} with {sorted(shapes) or 'no place'}",
                remedy="A group of unequal size is not one: check the axes that it names.",
            )
        for place in self.places:
            if place.index.size and np.unique(_spread(place)).size != _spread(place).size:
                raise UsageError(
                    "A position belongs to one unit.", got=f"{self.name!r} in {place.tensor!r}"
                )

    @property
    def fibres(self) -> int:
        """Copies of the group that are permuted each on its own; 1 unless it stands inside."""
        return self.places[0].index.shape[0]

    @property
    def size(self) -> int:
        """Units in a fibre."""
        return self.places[0].index.shape[1]

    def identity(self) -> Order:
        """The order that changes nothing."""
        return np.tile(np.arange(self.size), (self.fibres, 1))

    def check(self, order: Order) -> Order:
        """The order as integers of shape (fibres, size), if it is one.

        Raises:
            UsageError: If it is no permutation of the group's units.
        """
        given = np.atleast_2d(np.asarray(order))
        if (
            given.shape != (self.fibres, self.size)
            or not (np.sort(given, 1) == np.arange(self.size)).all()
        ):
            raise UsageError(
                f"An order of group {self.name!r} is a permutation of {self.size} units, "
                f"one for each of {self.fibres} fibres.",
                got=f"shape {given.shape}, {str(given.tolist())[:100]}",
            )
        return given.astype(np.int64)

    def permute(self, state: Mapping[str, Tensor], order: Order) -> dict[str, Tensor]:
        """The tensors that change when the units are put into another order.

        Args:
            state: Names to tensors.
            order: Of shape (fibres, size).
        """
        changed: dict[str, Tensor] = {}
        for place in self.places:
            before = changed.get(place.tensor, state[place.tensor])
            changed[place.tensor] = place.permute(before, order)
        return changed

    def tensors(self) -> Iterator[str]:
        """Names of the tensors that the units stand in, each once."""
        yield from dict.fromkeys(place.tensor for place in self.places)


def _spread(place: Place) -> np.ndarray:
    """Positions of a place as numbers that differ where the positions do."""
    if place.within is None:
        return place.index.ravel()
    return (
        place.index + np.arange(len(place.index))[:, None, None] * (place.index.max() + 1)
    ).ravel()
