"""Orders as a search holds them: outer groups act first.

A transform acts with inner groups first: the channels inside a head are ordered, then the heads
moved. A search wants it the other way round: given where the heads go, which order of channels
is best? In this *frame* the outer group acts first, and row f of an inner group's order is of
the f-th fibre of the *result*. Both describe the same elements [derived]: if J is the order of
an inner group in the frame, and result fibre k was fibre ``m[k]`` of before, then the order in
the transform is I with ``I[m[k]] = J[k]``.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from ridgeline.errors import UnknownName, UsageError
from ridgeline.symmetry.group import Group, Order
from ridgeline.symmetry.symmetry import Symmetry
from ridgeline.symmetry.transform import Permutation, Transform

__all__ = ["Orders", "act", "children", "compose", "depth", "framed", "identities", "orders_of"]

Orders = dict[str, Order]
"""Group name to order, of shape (fibres, size), in the frame of the search."""


def children(groups: Iterable[Group]) -> dict[str, list[str]]:
    """Group name to the groups that stand directly inside it.

    Raises:
        UsageError: If an inner group has not one fibre for each outer unit.
    """
    known = {g.name: g for g in groups}
    found: dict[str, list[str]] = {name: [] for name in known}
    for g in known.values():
        outer = known.get(g.inside or "")
        if outer is None:
            continue
        if g.fibres != outer.fibres * outer.size:
            raise UsageError(
                "A group that stands inside another has a fibre for each of its units.",
                got=f"{g.name!r} with {g.fibres} fibres inside {outer.name!r} of "
                f"{outer.fibres} x {outer.size} units",
            )
        found[outer.name].append(g.name)
    return found


def depth(group: Group, known: Mapping[str, Group]) -> int:
    """Return how many groups it stands inside of."""
    outer = known.get(group.inside or "")
    return 0 if outer is None else 1 + depth(outer, known)


def identities(symmetry: Symmetry) -> Orders:
    """The orders that change nothing."""
    return {g.name: g.identity() for g in symmetry.groups}


def act(orders: Orders, name: str, order: Order, inside: Mapping[str, list[str]]) -> Orders:
    """The orders after the units of one group are put into another order, last of all.

    What stands inside of its units goes along.

    Args:
        orders: In the frame.
        name: The group that acts.
        order: Of shape (fibres, size).
        inside: As `children` gives.
    """
    after = dict(orders)
    after[name] = np.take_along_axis(orders[name], order, 1)
    came = (np.arange(len(order))[:, None] * order.shape[1] + order).ravel()
    waiting = [(child, came) for child in inside[name]]
    while waiting:
        child, rows = waiting.pop()
        after[child] = after[child][rows]
        size = after[child].shape[1]
        below = (rows[:, None] * size + np.arange(size)).ravel()
        waiting += [(grandchild, below) for grandchild in inside[child]]
    return after


def framed(transform: Transform, symmetry: Symmetry) -> Orders:
    """A transform's orders in the frame; any composition of permutations will do.

    Args:
        transform: Of the symmetry's groups.
        symmetry: The symmetry.

    Raises:
        UsageError: If it does something other than permute.
        UnknownName: If it acts on a group that the symmetry does not have.
    """
    inside = children(symmetry.groups)
    orders = identities(symmetry)
    for action in transform.actions:
        if not isinstance(action, Permutation):
            raise UsageError(
                "A search over permutations starts from permutations.",
                got=f"a transform with {type(action).__name__}",
            )
        if action.group.name not in orders:
            raise UnknownName("group", action.group.name, list(orders))
        orders = act(orders, action.group.name, action.order, inside)
    return orders


def compose(orders: Orders, symmetry: Symmetry) -> Transform:
    """The transform of orders in the frame."""
    return symmetry.transform(_unframed(orders, symmetry))


def orders_of(transform: Transform, symmetry: Symmetry) -> Orders:
    """The permutation of every group, of any composition, as `Symmetry.transform` takes them.

    Args:
        transform: Of the symmetry's groups.
        symmetry: What stands inside of what is known from there.

    Returns:
        Group name to order, such that ``symmetry.transform(orders)`` does the same.

    Raises:
        UsageError: If it does something other than permute.
        UnknownName: If it acts on a group that the symmetry does not have.
    """
    return _unframed(framed(transform, symmetry), symmetry)


def _unframed(orders: Orders, symmetry: Symmetry) -> Orders:
    known = {g.name: g for g in symmetry.groups}
    sources: dict[str, np.ndarray] = {}  # of each unit of the result: which it was, counted flat

    def source(name: str) -> np.ndarray:
        if name not in sources:
            order = orders[name]
            sources[name] = (fibre(name)[:, None] * order.shape[1] + order).ravel()
        return sources[name]

    def fibre(name: str) -> np.ndarray:
        outer = known[name].inside
        return source(outer) if outer in known else np.arange(known[name].fibres)

    found: Orders = {}
    for name, order in orders.items():
        found[name] = np.empty_like(order)
        found[name][fibre(name)] = order
    return found
