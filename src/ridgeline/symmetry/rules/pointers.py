"""Integers that point at units: a router's choice of experts, which moves as the experts do.

The index of the largest of several logits becomes another one when the logits change places. It
may for all that be followed where every use of it looks up, or writes to, what changes places
along with the logits.
"""

import operator
from collections.abc import Sequence
from typing import Any

from torch import fx

from ridgeline.graph import operation
from ridgeline.symmetry.labels import Value, combine, move, reduce, varies
from ridgeline.symmetry.moves import MOVES
from ridgeline.symmetry.rules.registry import Walk, rule, unknown, why_of
from ridgeline.symmetry.units import Labels, coordinates

__all__ = ["along", "counts_of", "pointed", "points_of", "spread"]

PADS = {"pad", "constant_pad_nd", "reflection_pad2d", "replication_pad2d"}
PASSED = {"to", "_to_copy", "type_as", *MOVES} - PADS
"""Operations after which integers point at what they pointed at."""


def points_of(walk: Walk, of: Any) -> Labels | None:
    """The units that integers point at, by their number; None if they point at none.

    Args:
        walk: The walk.
        of: A value.
    """
    while isinstance(of, fx.Node):
        if of in walk.pointers:
            return walk.pointers[of]
        if operation(of) not in PASSED or not isinstance(of.args[0], fx.Node):
            return None
        of = of.args[0]
    return None


def _followed(node: fx.Node) -> bool:
    """True if every use of integers is of a kind whose rule takes pointers."""
    for user in node.users:
        name = operation(user)
        if name in PASSED and user.args[0] is node and len(user.all_input_nodes) == 1:
            if not _followed(user):
                return False
        elif name == "one_hot":
            pass
        elif name == "sort" or name == "histc":
            if not (_sorted_followed(user) if name == "sort" else _ends(user)):
                return False
        elif name in ("embedding", "gather", "take_along_dim", "index_select"):
            index = 2 if name in ("gather", "index_select") else 1
            if user.args[index] is not node or user.args[0] is node:
                return False
        elif name == "scatter":
            if user.args[2] is not node or user.args[0] is node or node in user.args[3:]:
                return False
        elif name == "index":
            chosen: Any = user.args[1]
            if [one for one in chosen if one is not None] != [node] or user.args[0] is node:
                return False
        else:
            return False
    return True


def _sorted_followed(node: fx.Node) -> bool:
    """True if the values of a sort of pointers are followed; its indices put rows in order."""
    values = [user for user in node.users if user.args[1] == 0]
    return all(map(_followed, values))


def _ends(node: fx.Node) -> bool:
    """True if counts of pointers are summed to where the run of each unit's rows ends."""
    for user in node.users:
        if operation(user) in PASSED and user.args[0] is node:
            if not _ends(user):
                return False
        elif operation(user) == "cumsum":
            if not all(map(_looked_for, user.users)):
                return False
        else:
            return False
    return True


def _looked_for(node: fx.Node) -> bool:
    """True if the unit of each row is looked for, by where its run ends."""
    if operation(node) in PASSED:
        return all(map(_looked_for, node.users))
    return operation(node) == "searchsorted" and _followed(node)


def along(shape: Sequence[int], axis: int, labels: Labels) -> Value:
    """A value that tells units apart along one axis.

    Args:
        shape: Its shape.
        axis: The axis.
        labels: Of the units.
    """
    laid = labels.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return Value(tuple(shape), (laid,) if len(labels) > 1 else ())


def pointed(walk: Walk, value: Value, axis: int, points: Labels, why: str) -> Value:
    """A value without the layer along an axis, whose units are those that are pointed at."""
    both = combine(walk.units, [value, along(value.shape, axis, points)], why)
    return Value(value.shape, tuple(f for f in both.layers if varies(f) != {axis}))


def spread(walk: Walk, value: Value, axis: int, shape: Sequence[int], why: str) -> Value:
    """A value of which any position along an axis may be at any of another one, in any order."""
    total = reduce(walk.units, value, [axis], why)
    size = tuple(shape)[axis]

    def grown(f: Any) -> Any:
        return f.expand([size if k == axis else -1 for k in range(f.ndim)])

    return move(walk.units, total, grown, why)


def _pointed_at(x: Value, axis: int, indices: Sequence[fx.Node]) -> Labels | None:
    """The units along an axis, if the indices of it may be followed."""
    layers = [f for f in x.layers if axis in varies(f)]
    if len(layers) != 1 or varies(layers[0]) != {axis}:
        return None
    return layers[0].ravel() if all(map(_followed, indices)) else None


@rule("topk")
def _largest(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    """The largest along an axis, in order, and where they were."""
    x, why = walk.value(given["self"]), why_of(node)
    if not x.shape:
        return unknown(walk, node)
    axis = given.get("dim", -1) % len(x.shape)
    indices = [user for user in node.users if user.target is operator.getitem and user.args[1] == 1]
    points = _pointed_at(x, axis, indices)
    if points is None and any(user.users for user in indices):
        return unknown(walk, node)
    shape = tuple(node.meta["val"][0].shape)
    ranks = along(shape, axis, coordinates([shape[axis]]))
    made = combine(walk.units, [spread(walk, x, axis, shape, why), ranks], why)
    if points is not None:
        walk.pointers |= dict.fromkeys(indices, points)
    return [made, made]


@rule("argmax", "argmin")
def _which(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    x, dim, shape = walk.value(given["self"]), given.get("dim"), walk.shape(node)
    points = None if dim is None else _pointed_at(x, dim % len(x.shape), [node])
    if points is None or dim is None:
        return unknown(walk, node)
    walk.pointers[node] = points
    total = reduce(walk.units, x, [dim], why_of(node))
    return move(walk.units, total, lambda f: f.reshape(shape), why_of(node))


@rule("one_hot")
def _marked(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    """A one at the unit that is pointed at, which is told by the last axis."""
    points, shape = points_of(walk, given["self"]), walk.shape(node)
    if points is None or len(points) != shape[-1]:
        return unknown(walk, node)
    index = move(walk.units, walk.value(given["self"]), lambda f: f.unsqueeze(-1), why_of(node))
    last = along(shape, len(shape) - 1, points)
    return combine(walk.units, [index, last], why_of(node))


@rule("histc")
def _counted(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    """How often each unit is pointed at."""
    points, shape = points_of(walk, given["self"]), walk.shape(node)
    if points is None or shape != (len(points),):
        return unknown(walk, node)
    walk.counts[node] = points
    return along(shape, 0, points)


@rule("searchsorted")
def _run_of(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    """The unit in whose run a row lies: rows were put in the order of what they point at."""
    points = ends_of(walk, given["sorted_sequence"])
    if points is None:
        return unknown(walk, node)
    walk.pointers[node] = points
    return Value.of(walk.shape(node))


def counts_of(walk: Walk, of: Any) -> bool:
    """True if numbers are how often each unit is pointed at.

    Args:
        walk: The walk.
        of: A value.
    """
    while isinstance(of, fx.Node) and of not in walk.counts:
        if operation(of) not in PASSED:
            return False
        of = of.args[0]
    return isinstance(of, fx.Node)


def ends_of(walk: Walk, of: Any) -> Labels | None:
    """The units whose runs of rows end at given numbers; None if they are no such ends.

    Args:
        walk: The walk.
        of: A value.
    """
    summed = False
    while isinstance(of, fx.Node):
        if of in walk.counts:
            return walk.counts[of] if summed else None
        if operation(of) == "cumsum" and not summed:
            summed = True
        elif operation(of) not in PASSED:
            return None
        of = of.args[0]
    return None
