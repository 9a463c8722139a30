"""The best order of one group, and of all that stands inside of it.

For a plain group it is one linear assignment. For units that hold units, such as heads that hold
channels, unit j fits in the place of unit i as well as its contents can be ordered to. All pairs
are tried: at once where the units stand simply (`contents`), else in n steps, in which the outer
units are turned by 0, 1, ..., n - 1 places and the inner groups solved, all fibres at once. The
pair's worth is what the unit of the result overlaps with a's. An assignment over the pairs gives
the outer order, and the inner orders are those found for the chosen pairs: O(n^2 k^3 + n^3) for n
units of k. With a single inner group, or inner groups that share no number, the joint optimum is
exact, all else held; otherwise the inner ones are improved in turn [derived].
"""

from collections.abc import Collection

import numpy as np

from ridgeline.matching.assignment import assign, value
from ridgeline.matching.contents import Contents
from ridgeline.matching.overlap import Overlap
from ridgeline.symmetry.frame import Orders

__all__ = ["improve", "solve"]

ROUNDS = 4
"""Times that inner groups are solved in turn, for each pair of outer units."""


def solve(
    overlap: Overlap, name: str, orders: Orders, only: Collection[str] | None = None
) -> Orders:
    """The orders with a group's, and those inside it, at their best while all others are held.

    Where a group stands twice in one tensor the best is that of a linearisation, which may be
    worse than what was: the caller compares.

    Args:
        overlap: Of two states.
        name: The group's.
        orders: Of every group, in the frame.
        only: Names of tensors to count; all by default.
    """
    if not overlap.inside[name]:
        return orders | {name: assign(overlap.gains(name, orders, only), orders[name])}
    if Contents.suit(overlap, name):
        return _paired(overlap, name, orders, only)
    return _nested(overlap, name, orders, only)


def improve(overlap: Overlap, name: str, orders: Orders, tolerance: float) -> tuple[Orders, float]:
    """Better orders for a group and those inside it, and by how much the overlap grows.

    Args:
        overlap: Of two states.
        name: The group's.
        orders: Of every group, in the frame.
        tolerance: Growth that counts as none, as a share of what the units that move overlap: a
            unit of large weights, that stays, then hides no growth of others.

    Returns:
        The orders, the same object if there are none better, and the growth.
    """
    if not overlap.inside[name] and not overlap.twice(name):
        gains, before = overlap.gains(name, orders), orders[name]
        order = assign(gains, before)
        grown = value(gains, order) - value(gains, before)
        moved = order != before
        held = [np.take_along_axis(gains, o[:, :, None], 2)[:, :, 0] for o in (order, before)]
        better = orders | {name: order}
    else:
        better = solve(overlap, name, orders)
        touched = {t for n in (name, *overlap.below(name)) for t in overlap.tensors(n)}
        grown = overlap.value(better, touched) - overlap.value(orders, touched)
        moved = _moved(overlap, name, orders, better)
        held = [overlap.held(name, o) for o in (better, orders)]
    least = tolerance * max(float(np.abs(x[moved]).sum(dtype=np.float64)) for x in held)
    return (better, grown) if grown > least else (orders, 0.0)


def _moved(overlap: Overlap, name: str, one: Orders, other: Orders) -> np.ndarray:
    """Return which units of a group, or of those inside of them, two orders place differently."""
    found = one[name] != other[name]
    for child in overlap.below(name):
        found = found | (one[child] != other[child]).reshape(*found.shape, -1).any(-1)
    return found


def _paired(overlap: Overlap, name: str, orders: Orders, only: Collection[str] | None) -> Orders:
    fitted = Contents(overlap, name, orders, only).fitted()
    order = assign(fitted.worth[None], orders[name])
    place = np.arange(order.shape[1])
    return orders | {name: order} | {c: x[place, order[0]] for c, x in fitted.orders.items()}


def _nested(overlap: Overlap, name: str, orders: Orders, only: Collection[str] | None) -> Orders:
    group, below = overlap.groups[name], overlap.below(name)
    fibres, size = group.fibres, group.size
    place = np.arange(size)
    worth = np.empty((fibres, size, size))
    inner: list[Orders] = []
    for turn in range(size):
        trial = orders | {name: np.tile((place + turn) % size, (fibres, 1))}
        if turn:  # for the pairs of now the inner orders of now, else any: the identity
            trial |= {n: overlap.identities()[n] for n in below}
        trial = _settle(overlap, name, trial, only)
        worth[:, place, (place + turn) % size] = overlap.held(name, trial, only)
        inner.append({n: trial[n] for n in below})
    order = assign(worth, orders[name])
    return orders | {name: order} | _chosen(overlap, name, order, inner)


def _settle(overlap: Overlap, name: str, orders: Orders, only: Collection[str] | None) -> Orders:
    """Inner groups solved in turn, until none changes."""
    for _ in range(ROUNDS):
        before = orders
        for child in overlap.inside[name]:
            orders = solve(overlap, child, orders, only)
        same = all((orders[n] == before[n]).all() for n in overlap.below(name))
        if same or len(overlap.inside[name]) == 1:
            break
    return orders


def _chosen(overlap: Overlap, name: str, order: np.ndarray, inner: list[Orders]) -> Orders:
    """For each outer unit of the result the inner orders of the turn that brought its content."""
    fibres, size = order.shape
    turns = ((order - np.arange(size)) % size).ravel()
    found: Orders = {}
    for child in overlap.below(name):
        rows = len(inner[0][child]) // (fibres * size)  # of this child, in each outer unit
        parts = [inner[t][child][u * rows : (u + 1) * rows] for u, t in enumerate(turns)]
        found[child] = np.concatenate(parts)
    return found
