"""Rules of elements that are taken from, or written to, positions that a tensor says."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from ridgeline.symmetry.labels import Value, combine, move, reduce, varies
from ridgeline.symmetry.rules.ordered import in_order
from ridgeline.symmetry.rules.pointers import along, pointed, points_of, spread
from ridgeline.symmetry.rules.registry import Walk, rule, unknown, why_of
from ridgeline.symmetry.units import coordinates

__all__ = ["is_mask", "picked"]


def is_mask(of: fx.Node) -> bool:
    """True if a tensor that chooses says yes or no of each position."""
    return of.meta["val"].dtype in (torch.bool, torch.uint8)


def picked(
    walk: Walk,
    value: Value,
    axes: Sequence[int],
    at: int,
    new: int,
    shape: tuple[int, ...],
    why: str,
) -> Value:
    """After axes were replaced by others, whose positions are chosen from them.

    Args:
        walk: The walk.
        value: Before.
        axes: The axes that are gone; units along them are fixed.
        at: Where the new ones stand.
        new: How many there are.
        shape: Of the value after.
        why: What to say of units that are fixed.
    """
    layers = []
    for layer in value.layers:
        if varies(layer) & set(axes):
            walk.units.fix(layer, why)
        else:
            sizes = [n for k, n in enumerate(layer.shape) if k not in axes]
            layers.append(layer.reshape([*sizes[:at], *[1] * new, *sizes[at:]]))
    told = set().union(*map(varies, layers)) if layers else set()
    for k, n in enumerate(shape):
        if n > 1 and k not in told:
            sizes = [n if j == k else 1 for j in range(len(shape))]
            layers.append(coordinates([n]).reshape(sizes))
    return Value(shape, tuple(layers))


def _positions(walk: Walk, of: fx.Node, why: str) -> Value:
    """A tensor of positions: they are numbers, so that none of what it holds may move."""
    value = walk.value(of)
    for layer in value.layers:
        walk.units.fix(layer, why)
    return value


def _at_all(walk: Walk, value: Value, axis: int, shape: Sequence[int], why: str) -> Value:
    """A value of which any position along an axis may be at any of another axis."""
    total = reduce(walk.units, in_order(walk, value, [axis], why), [axis], why)
    size = tuple(shape)[axis]

    def spread(f: Any) -> Any:
        sizes = list(f.shape)
        sizes[axis] = size
        return f.expand(sizes)

    return move(walk.units, total, spread, why)


@rule("gather", "take_along_dim")
def _gather(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, dim = walk.value(given["self"]), given.get("dim")
    of = given["index"] if "index" in given else given["indices"]
    if dim is None or len(walk.shape(of)) != len(x.shape) or not x.shape:
        return unknown(walk, node)
    axis, why, shape = dim % len(x.shape), why_of(node), walk.shape(node)
    points = points_of(walk, of)
    if points is not None and len(points) == x.shape[axis] and not _off(x, walk.value(of), axis):
        x = pointed(walk, x, axis, points, why)
        return combine(walk.units, [spread(walk, x, axis, shape, why), walk.value(of)], why)
    index = _positions(walk, of, why)
    taken = _at_all(walk, x, axis, shape, why)
    if "index" in given:  # an index that is smaller than what it looks up takes its first ones
        taken = move(walk.units, taken, lambda f: f[tuple(map(slice, shape))], why)
    return combine(walk.units, [taken, index], why)


@rule(
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "index_add",
    "index_copy",
    "index_reduce",
    "index_fill",
)
def _written(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    """Positions along one axis are written over, or added to, from those of another."""
    x, why = walk.value(given["self"]), why_of(node)
    if not x.shape:
        return unknown(walk, node)
    axis = given["dim"] % len(x.shape)
    if (made := _to_pointed(walk, node, x, axis, given)) is not None:
        return made
    index = _positions(walk, given["index"], why)
    source = next((given[n] for n in ("src", "source", "value") if n in given), None)
    parts = [walk.value(source)] if isinstance(source, fx.Node) else []
    parts += [index] if "scatter" in str(node.target) else []  # the others' have but one axis
    if any(_off(x, part, axis) for part in parts if part.shape):
        return unknown(walk, node)
    spread = [_at_all(walk, p, axis, x.shape, why) for p in parts if p.shape]
    return combine(walk.units, [in_order(walk, x, [axis], why), *spread], why)


def _to_pointed(
    walk: Walk, node: fx.Node, x: Value, axis: int, given: dict[str, Any]
) -> Value | None:
    """After writing to units that are pointed at, which move along with what points at them."""
    points = points_of(walk, given["index"]) if "scatter" in str(node.target) else None
    if points is None or len(points) != x.shape[axis]:
        return None
    source = next((given[n] for n in ("src", "value") if n in given), None)
    parts = [walk.value(of) for of in (given["index"], source) if isinstance(of, fx.Node)]
    if any(_off(x, part, axis) for part in parts if part.shape):
        return None
    why = why_of(node)
    laid = [spread(walk, part, axis, x.shape, why) for part in parts if part.shape]
    return combine(walk.units, [x, along(x.shape, axis, points), *laid], why)


def _off(x: Value, part: Value, axis: int) -> bool:
    """True if a part covers other positions than all of the axes that are not written along."""
    size = len(x.shape)
    return len(part.shape) != size or any(
        x.shape[k] != part.shape[k] for k in range(size) if k != axis
    )


@rule("index_put")
def _put(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    """Rows that tensors choose are written over: of the first axes, all in one go."""
    x, why = walk.value(given["self"]), why_of(node)
    indices = list(given["indices"])
    several = [one for one in indices if one is not None]
    masks = [is_mask(one) for one in several]
    if several != indices or (any(masks) and len(masks) > 1):
        return unknown(walk, node)  # other axes, or several masks
    for one in several:
        _positions(walk, one, why)
    axes = range(len(walk.shape(several[0])) if masks[0] else len(indices))
    new = 1 if masks[0] else max(len(walk.shape(one)) for one in several)
    rest = len(x.shape) - len(axes)
    rows = walk.value(given["values"])
    written = [k for k in range(len(rows.shape)) if k < len(rows.shape) - rest]
    if len(written) > new:
        return unknown(walk, node)
    rows = reduce(walk.units, in_order(walk, rows, written, why), written, why) if written else rows
    kept = rows.shape[len(written) :]
    rows = move(walk.units, rows, lambda f: f.reshape(kept), why)
    return combine(walk.units, [in_order(walk, x, list(axes), why), rows], why)


@rule("nonzero", "nonzero_numpy")
def _true(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    """Positions at which a value is true, one after the other."""
    _positions(walk, next(iter(given.values())), why_of(node))
    made = node.meta["val"]
    if isinstance(made, (tuple, list)):
        return [Value.of(part.shape) for part in made]
    return Value.of(made.shape)


@rule("where")
def _where(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    """One of two values, element by element; of a condition alone, where it is true."""
    if len(given) == 1:
        return _true(walk, node, given)
    return combine(walk.units, [walk.value(of) for of in given.values()], why_of(node))


@rule("masked_select")
def _selected(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    """Elements at which a mask is true, one after the other."""
    for of in (given["self"], given["mask"]):
        _positions(walk, of, why_of(node))
    return Value.of(walk.shape(node))


@rule("embedding_bag")
def _bags(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    """A sum, mean or maximum of rows for each bag."""
    weight, made = walk.value(given["weight"]), node.meta["val"]
    for name in ("indices", "offsets", "per_sample_weights"):
        if given.get(name) is not None:
            _positions(walk, given[name], why_of(node))
    bags = picked(walk, weight, [0], 0, 1, tuple(made[0].shape), "rows chosen by data")
    return [bags, *(Value.of(v.shape) for v in made[1:])]
