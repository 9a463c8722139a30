"""Rules of what depends on the order along an axis, or on which element is the largest."""

import operator
from collections.abc import Sequence
from typing import Any

from torch import fx

from ridgeline.symmetry.labels import Value, combine, move, reduce
from ridgeline.symmetry.rules.pointers import counts_of, points_of
from ridgeline.symmetry.rules.registry import Walk, over, rule, unknown, why_of
from ridgeline.symmetry.units import coordinates

__all__ = ["in_order", "indices_used"]


def in_order(walk: Walk, value: Value, axes: Sequence[int], why: str) -> Value:
    """Before an operation that tells positions along axes apart: units along them are fixed."""
    size = len(value.shape)
    for axis in {a % size for a in axes}:
        n = value.shape[axis]
        if n > 1:
            shape = tuple(n if k == axis else 1 for k in range(size))
            places = Value(shape, (coordinates([n]).reshape(shape),))
            value = combine(walk.units, [places, value], why)
    return value


def indices_used(node: fx.Node) -> bool:
    """True if something is made of the second of two results, the indices."""
    return any(
        bool(user.users) and user.args[1] != 0 if user.target is operator.getitem else True
        for user in node.users
    )


def _scanned(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    """After each position was made of those before it."""
    x, why = walk.value(given["self"]), why_of(node)
    if not x.shape:
        return x
    if counts_of(walk, given["self"]):  # ends of runs of rows, which move along
        return Value.of(x.shape)
    return over(walk, in_order(walk, x, [given["dim"]], why), [given["dim"]], why)


rule("cumsum", "cumprod", "logcumsumexp")(_scanned)


@rule("cummax", "cummin")
def _running(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    value = _scanned(walk, node, given)
    return [value, value]  # the indices are positions along an axis that is in order already


def _anew(walk: Walk, x: Value, axis: int, shape: Sequence[int], why: str) -> Value:
    """After an axis was replaced by one in order, each position of it made of all before."""
    total = reduce(walk.units, in_order(walk, x, [axis], why), [axis], why)
    made = move(walk.units, total, lambda f: f.expand(tuple(shape)), why)
    return in_order(walk, made, [axis], why)


@rule("sort", "msort")
def _sorted(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    """After sorting along an axis: a rank holds the same value whichever unit it is of."""
    x, made = walk.value(given["self"]), node.meta["val"]
    several = isinstance(made, (tuple, list))
    points = points_of(walk, given["self"])
    if several and points is not None and len(x.shape) == 1:
        # Rows are put in the order of what they point at; the proof sees if they stay in it.
        firsts = [user for user in node.users if user.args[1] == 0]
        walk.pointers |= dict.fromkeys(firsts, points)
        return [Value.of(x.shape), Value.of(x.shape)]
    if not x.shape or (several and indices_used(node)):
        return unknown(walk, node)
    shape = tuple((made[0] if several else made).shape)
    axis, why = given.get("dim", -1 if several else 0) % len(x.shape), why_of(node)
    total = reduce(walk.units, x, [axis], why)
    made = move(walk.units, total, lambda f: f.expand(shape), why)
    ranked = in_order(walk, made, [axis], why)
    return [ranked, Value.of(shape)] if several else ranked


@rule("diff")
def _differences(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    if given.get("prepend") is not None or given.get("append") is not None:
        return unknown(walk, node)
    x = walk.value(given["self"])
    return _anew(walk, x, given.get("dim", -1), walk.shape(node), why_of(node))


@rule("quantile", "nanquantile")
def _quantile(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Value:
    """One of them; several stand along a first axis."""
    if not isinstance(given["q"], float):
        return unknown(walk, node)
    x, dim, shape = walk.value(given["self"]), given.get("dim"), walk.shape(node)
    axes = range(len(x.shape)) if dim is None else [dim]
    total = reduce(walk.units, x, list(axes), why_of(node))
    return move(walk.units, total, lambda f: f.reshape(shape), why_of(node))


@rule("median", "nanmedian", "kthvalue", "mode")
def _ranked(walk: Walk, node: fx.Node, given: dict[str, Any]) -> Any:
    """One element of each row along an axis, by its size."""
    x, made = walk.value(given["self"]), node.meta["val"]
    if not x.shape or not isinstance(made, (tuple, list)):
        return Value(())  # of all elements, whatever their order
    if indices_used(node):
        return unknown(walk, node)
    shape = tuple(made[0].shape)
    total = reduce(walk.units, x, [given.get("dim", -1)], why_of(node))
    one = move(walk.units, total, lambda f: f.reshape(shape), why_of(node))
    return [one, Value.of(shape)]
