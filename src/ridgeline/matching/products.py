"""The inner products of units in one place, kept and changed as little as can be.

When another group moves k of its n positions on the tensor's other axis, only k of the n terms of
the product change: ``G += A_k (B_k' - B_k)^T``, which costs k / n of the whole. Late in a descent k
is small.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ridgeline.symmetry import Order, Place
from ridgeline.symmetry.frame import Orders

__all__ = ["Product", "Standing", "units"]

CHANGES = 16
"""Changes in float32 before a product is made anew, lest their rounding add up."""

FEW = 0.4
"""Share of positions up to which changing is cheaper: two selections and a product."""


@dataclass(frozen=True, eq=False)
class Standing:
    """A place, and the group whose place it is."""

    group: str
    place: Place


class Product:
    """Overlap of unit j of b with unit i of a in one place, b carried by all others there.

    Args:
        place: Where.
        a: The tensor of a.
        b: The tensor of b.
        others: All other standings in this tensor, outer groups first.
    """

    def __init__(self, place: Place, a: Tensor, b: Tensor, others: tuple[Standing, ...]) -> None:
        self.place, self.a, self.b, self.others = place, a, b, others
        self.axis = place.axis % a.ndim
        # With confined places the tensor is no longer b with each axis put in order by itself.
        self.simple = place.within is None and all(s.place.within is None for s in others)
        self._key: tuple[Order, ...] | None = None
        self._maps: list[np.ndarray] | None = None
        self._mine: Tensor | None = None
        self._gain = np.zeros(0)
        self._changes = 0

    def __call__(self, orders: Orders) -> np.ndarray:
        """The products, of shape (fibres, size, size); not to be written to."""
        key = tuple(orders[s.group] for s in self.others)
        if self._key is not None and all(x is y for x, y in zip(self._key, key, strict=True)):
            return self._gain
        self._key = key
        if not self.simple:
            x = self.b
            for s in self.others:
                x = s.place.permute(x, orders[s.group])
            if self._mine is None:
                self._mine = units(self.place, self.a)
            self._gain = _products(self._mine, units(self.place, x))
            return self._gain
        maps = self._sources(orders)
        before, self._maps = self._maps, maps
        axis, at = self._changed(before, maps)
        if before is None or axis < 0 or self._changes >= CHANGES:
            self._gain, self._changes = self._whole(maps), 0
        elif len(at):
            self._gain = self._gain + self._part(maps, before, axis, at)
            self._changes += 1
        return self._gain

    def _sources(self, orders: Orders) -> list[np.ndarray]:
        """For each axis which position of b stands where, by all others."""
        maps = [np.arange(n) for n in self.b.shape]
        for s in self.others:
            index, axis = s.place.index, s.place.axis % self.b.ndim
            source = np.take_along_axis(index, orders[s.group][:, :, None], 1)
            after = maps[axis].copy()
            after[index.ravel()] = maps[axis][source.ravel()]
            maps[axis] = after
        return maps

    def _changed(
        self, before: list[np.ndarray] | None, maps: list[np.ndarray]
    ) -> tuple[int, np.ndarray]:
        """The one axis on which few positions changed, and which; axis -1 if there is no such."""
        none = np.zeros(0, np.int64)
        if before is None:
            return -1, none
        changed = [np.flatnonzero(x != y) for x, y in zip(before, maps, strict=True)]
        axes = [i for i, at in enumerate(changed) if len(at)]
        if not axes:
            return 0, none
        few = len(axes) == 1 and len(changed[axes[0]]) <= FEW * len(maps[axes[0]])
        return (axes[0], changed[axes[0]]) if few and axes[0] != self.axis else (-1, none)

    def _whole(self, maps: list[np.ndarray]) -> np.ndarray:
        x = self.b
        for axis, source in enumerate(maps):
            x = _select(x, axis, source)
        return _products(units(self.place, self.a), units(self.place, x))

    def _part(
        self, maps: list[np.ndarray], before: list[np.ndarray], axis: int, at: np.ndarray
    ) -> np.ndarray:
        now = _select(self.b, axis, maps[axis][at]) - _select(self.b, axis, before[axis][at])
        for other, source in enumerate(maps):
            if other != axis:
                now = _select(now, other, source)
        mine = _select(self.a, axis, at)
        return _products(units(self.place, mine), units(self.place, now))


def _select(x: Tensor, axis: int, source: np.ndarray) -> Tensor:
    """Positions along an axis; the tensor itself if all are in their place."""
    if len(source) == x.shape[axis] and (source == np.arange(len(source))).all():
        return x
    return x.index_select(axis, torch.from_numpy(source).to(x.device))


def _products(rows: Tensor, columns: Tensor) -> np.ndarray:
    return torch.bmm(rows, columns.transpose(1, 2)).cpu().numpy()


def units(place: Place, x: Tensor) -> Tensor:
    """`Place.units`, without a copy where the units fill their axis in order."""
    fibres, size, _ = place.index.shape
    whole = place.within is None and place.index.size == x.shape[place.axis]
    if whole and (place.index.ravel() == np.arange(place.index.size)).all():
        return x.movedim(place.axis, 0).reshape(fibres, size, -1)
    return place.units(x)
