"""Weights that are taken by a router's choice: each expert's units have an order of their own.

A row of a value that was made with a chosen matrix is in the order of whichever expert was chosen
for it. Labels say one order for all rows. Where all tensors that a group stands in are taken by
the choice of experts, and nothing else, each expert's may be another one.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import fx

from ridgeline.graph import operation
from ridgeline.symmetry.group import Group, Place
from ridgeline.symmetry.moves import MOVES
from ridgeline.symmetry.rules.pointers import points_of
from ridgeline.symmetry.walk import Tracing

__all__ = ["as_one", "each_its_own"]

TAKING = {"index", "index_select", "embedding"}


def each_its_own(walk: Tracing, groups: Sequence[Group]) -> tuple[Group, ...]:
    """Groups in which each of several experts that are chosen has an order of its own.

    Args:
        walk: Through the trace.
        groups: As it finds them, with one order for all experts.
    """
    taken = {name for name, node in walk.trace.tensors.items() if node.users and _taken(walk, node)}
    holds = {g.inside for g in groups}
    inner: list[Group] = []
    found: list[Group] = []
    for group in groups:
        outer = _experts(group, groups) if group.name not in holds else None
        mine = group.fibres == 1 and group.inside is None
        if outer is None or not mine or not taken.issuperset(p.tensor for p in group.places):
            found.append(group)
            continue
        rows = {p.tensor: p.index[0] for p in outer.places if p.axis == 0}
        places = tuple(
            Place(p.tensor, p.axis, np.repeat(p.index, outer.size, 0), (0, rows[p.tensor]))
            for p in group.places
        )
        inner.append(Group(group.name, places, outer.name))
    return (*inner, *found)


def as_one(group: Group) -> Group | None:
    """A group of `each_its_own` with one order for all experts again; None of another one."""
    if group.inside is None or group.fibres < 2 or any(p.within is None for p in group.places):
        return None
    if any((p.index != p.index[:1]).any() for p in group.places):
        return None
    places = tuple(replace(p, index=p.index[:1], within=None) for p in group.places)
    return Group(group.name, places)


def _experts(group: Group, groups: Sequence[Group]) -> Group | None:
    """Units that stand on the first axis of each tensor that a group stands in."""
    tensors = {p.tensor for p in group.places}
    for other in groups:
        first = {p.tensor for p in other.places if p.axis == 0 and p.width == 1}
        if other is not group and other.fibres == 1 and tensors <= first:
            return other
    return None


def _taken(walk: Tracing, node: fx.Node) -> bool:
    """True if nothing is done with a tensor but that parts of it are taken by pointers."""
    for user in node.users:
        name = operation(user)
        if name in MOVES and user.args[0] is node and name not in TAKING:
            if not _taken(walk, user):
                return False
            continue
        by = [n for n in user.all_input_nodes if n is not node]
        if name not in TAKING or len(by) != 1 or points_of(walk, by[0]) is None:
            return False
    return True
