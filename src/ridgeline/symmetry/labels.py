"""Values of a trace with labels: which unit each of their elements belongs to.

A value has several layers of labels, each along some of its axes: a picture has one of channels
along its second axis and coordinates along the others. Every axis along which elements differ
has a layer that tells them apart. Operations are followed on the layers alone; arrays stay as
small as the axes that a layer tells apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ridgeline.symmetry.cuts import cut
from ridgeline.symmetry.neighbours import without_places
from ridgeline.symmetry.units import NOTHING, Labels, Units, coordinates, of_inputs

__all__ = ["Value", "combine", "compress", "contract", "move", "reduce", "spatial", "taken", "tidy"]


@dataclass(frozen=True, eq=False)
class Value:
    """A value's shape and the layers of its labels, each with as many axes, of size 1 or full."""

    shape: tuple[int, ...]
    layers: tuple[Labels, ...] = ()

    @classmethod
    def of(cls, shape: Sequence[int], *, inputs: bool = False) -> "Value":
        """A value whose every axis is of coordinates: data, or a table of constants."""
        shape = tuple(shape)
        axes = [(k, coordinates([n], inputs=inputs)) for k, n in enumerate(shape) if n > 1]
        return cls(shape, tuple(_along(shape, k, labels) for k, labels in axes))

    def full(self, layer: Labels) -> Tensor:
        """A layer's labels at every element, not copied."""
        return torch.from_numpy(layer).expand(self.shape)


def _along(shape: Sequence[int], axis: int, labels: Labels | None = None) -> Labels:
    """Labels along one axis, with as many axes as a shape."""
    labels = coordinates([shape[axis]]) if labels is None else labels
    return labels.reshape([-1 if k == axis else 1 for k in range(len(shape))])


SLICES = 64
"""Places that are told apart where nothing moves; above, all are related at once."""


def varies(layer: Labels) -> set[int]:
    """The axes along which a layer tells elements apart."""
    return {k for k, n in enumerate(layer.shape) if n > 1}


def compress(units: Units, full: Tensor, why: str) -> Labels | None:
    """The smallest array with the same labels; None if it tells nothing apart."""
    for axis in range(full.ndim):  # first those that need no look: a table of words is long
        if full.shape[axis] > 1 and full.stride(axis) == 0:
            full = full.narrow(axis, 0, 1)
    for axis in range(full.ndim):
        if full.shape[axis] > 1:
            first = full.narrow(axis, 0, 1)
            if bool((full == first).all()):
                full = first
    layer = full.contiguous().numpy()
    if layer.size > 1:
        return layer
    units.fix(layer, why)  # one unit alone, picked out of several
    return None


def move(units: Units, value: Value, operation: Callable[[Tensor], Tensor], why: str) -> Value:
    """After an operation that only moves elements about.

    Args:
        units: All units.
        value: What it is done to.
        operation: The operation itself, on labels.
        why: What to say of a unit that is picked out alone.
    """
    moved = [operation(value.full(layer)) for layer in value.layers]
    shape = moved[0].shape if moved else operation(torch.zeros(()).expand(value.shape)).shape
    layers = [taken(units, x, m, why) for x, m in zip(value.layers, moved, strict=True)]
    return Value(tuple(shape), tidy([x for x in layers if x is not None]))


def taken(units: Units, before: Labels, full: Tensor, why: str) -> Labels | None:
    """Return what an operation that moves elements has made of a layer, compressed; see `cut`."""
    after = compress(units, full, why)
    if full.numel():
        cut(units, before, full[(0,) * full.ndim].numpy() if after is None else after, why)
    return after


def tidy(layers: Sequence[Labels]) -> tuple[Labels, ...]:
    """The layers with coordinates along the same axes made one: rows and columns, flattened."""
    still = [f for f in layers if int(f.max()) <= NOTHING]
    kept = [f for f in layers if int(f.max()) > NOTHING]
    for shape in dict.fromkeys(f.shape for f in still):
        alike = [f for f in still if f.shape == shape]
        if len(alike) > 1:
            rows = np.stack([f.ravel() for f in alike], axis=1)
            places = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
            made = coordinates([int(places.max()) + 1], inputs=bool(of_inputs(rows).all()))
            alike = [made[places].reshape(shape)]
        kept += alike
    return tuple(kept)


def combine(units: Units, values: Sequence[Value], why: str) -> Value:
    """After an operation of several values, element by element, with broadcasting."""
    shape = np.broadcast_shapes(*(v.shape for v in values))
    lifted = [
        [x.reshape((1,) * (len(shape) - x.ndim) + x.shape) for x in value.layers]
        for value in values
    ]
    still = _still(units, [layer for layers in lifted for layer in layers])
    kept: list[Labels] = []
    for layers in lifted:
        for layer in layers:
            kept = _meeting(units, kept, layer, still, why)
    return Value(tuple(shape), tidy(kept))


def _still(units: Units, layers: Sequence[Labels]) -> set[int]:
    """Axes along which nothing can move: coordinates tell all their positions apart."""
    alone = [(varies(f).pop(), f) for f in layers if len(varies(f)) == 1]
    found = ((k, x) for k, f in alone if ((x := units.find(f)) <= 0).all())
    return {k for k, x in found if len(np.unique(x)) == x.size}


def _meeting(
    units: Units, kept: list[Labels], layer: Labels, still: set[int], why: str
) -> list[Labels]:
    """The layers that are needed when one more is laid over."""
    result, needed = [], True
    for other in kept:
        one, two = varies(other), varies(layer)
        if not one & two:
            result.append(other)
        elif two < one and one - two <= still and _sliced(units, other, layer, why):
            pass
        elif one < two and two - one <= still and _sliced(units, layer, other, why):
            result.append(other)
            needed = False
        else:
            told = units.relate(other, layer, why)
            # Units tell places, too, but may become one unit at several of them later.
            if told == 1 and two <= one and _moving(layer) >= _moving(other):
                needed = False
            if not (told == -1 and needed and one <= two and _moving(other) >= _moving(layer)):
                result.append(other)
    return [*result, layer] if needed else result


def _moving(layer: Labels) -> bool:
    """True if a layer is of units, not of places alone."""
    return int(layer.max()) > NOTHING


def _sliced(units: Units, large: Labels, small: Labels, why: str) -> bool:
    """Relate two layers at each place of the axes that only one of them has, by itself.

    Nothing moves along these axes. So the class token's channels, which one tensor makes, and
    those of the patches, which another does, become one where the same is added to both.

    Returns:
        Whether the smaller layer now tells all that the larger one does.
    """
    axes = sorted(varies(large) - varies(small))
    rest = [k for k in range(large.ndim) if k not in axes]
    shape = [large.shape[k] if k in rest else 1 for k in range(large.ndim)]
    rows = units.find(large).transpose([*axes, *rest])
    kinds = np.unique(rows.reshape(int(np.prod(rows.shape[: len(axes)])), -1), axis=0)
    if len(kinds) > SLICES:
        return False
    for kind in kinds:
        units.relate(kind, np.broadcast_to(small, shape).ravel(), why)
    joined = units.find(kinds)
    return bool((joined == units.find(np.broadcast_to(small, shape).ravel())).all())


def reduce(units: Units, value: Value, axes: Sequence[int], why: str) -> Value:
    """After a sum, mean or maximum over axes, which are kept with size 1.

    Units along the axes alone are summed over, in any order. Where others are summed over at
    each place of the axes that stay, each such place is a block of them.
    """
    over = {a % len(value.shape) for a in axes}
    shape = tuple(1 if k in over else n for k, n in enumerate(value.shape))
    layers = []
    for layer in value.layers:
        along = varies(layer)
        if not along & over:
            layers.append(layer)
        elif along - over and (left := _blocks(units, layer, sorted(over), why)) is not None:
            layers.append(left)
    return Value(shape, tuple(layers))


def _blocks(units: Units, layer: Labels, over: list[int], why: str) -> Labels | None:
    """Labels for what stays when a layer is summed over some of its axes."""
    stay = [k for k in range(layer.ndim) if k not in over]
    rows = units.find(layer).transpose([*stay, *over])
    shape = rows.shape[: len(stay)]
    rows = np.sort(rows.reshape(int(np.prod(shape)), -1), axis=1)
    if (rows <= NOTHING).all():
        labels = coordinates(shape)
    elif (rows == rows[:, :1]).all():
        labels = rows[:, 0].copy()
    else:
        kinds, at = np.unique(rows, axis=0, return_inverse=True)
        members = np.concatenate([np.unique(kind) for kind in kinds])
        if len(np.unique(members[members > 0])) != (members > 0).sum():
            units.fix(members, why)
            labels = coordinates([len(rows)])
        else:
            blocks = units.fresh(len(kinds))
            units.relate(kinds, blocks[:, None], why)
            labels = blocks[at.ravel()]
    final = [1] * layer.ndim
    for k, n in zip(stay, shape, strict=True):
        final[k] = n
    made = labels.reshape(final)
    return made if made.size > 1 else None


def contract(units: Units, x: Value, y: Value, why: str) -> Value:
    """After a product of matrices: x of shape (..., n, k) with y of shape (..., k, m)."""
    left = move(units, x, lambda f: f.unsqueeze(-2), why)
    right = move(units, y, lambda f: f.transpose(-1, -2).unsqueeze(-3), why)
    product = combine(units, [left, right], why)
    total = reduce(units, product, [-1], why)
    return Value(total.shape[:-1], tuple(x[..., 0] for x in total.layers))


def spatial(units: Units, value: Value, shape: Sequence[int], first: int, why: str) -> Value:
    """After an operation over neighbours, such as pooling: axes from `first` on are made anew.

    Args:
        units: All units.
        value: Before.
        shape: Of the value after.
        first: The first of the axes in which neighbours are taken.
        why: What to say of units along these axes, which are fixed.
    """
    layers: list[Labels] = []
    for layer in value.layers:
        if max(varies(layer)) < first:
            layers.append(layer)
            continue
        kept = [torch.from_numpy(f) for f in without_places(units, layer, first, why)]
        layers += [f for full in kept if (f := compress(units, full, why)) is not None]
    layers += [_along(shape, k) for k in range(first, len(shape)) if shape[k] > 1]
    return Value(tuple(shape), tidy(layers))
