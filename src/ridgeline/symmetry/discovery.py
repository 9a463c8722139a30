"""The symmetry of any module, discovered by following its trace and proved by evaluation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import lgamma
from typing import Any

import numpy as np
from torch import nn

from ridgeline.state import tensors_of
from ridgeline.symmetry.blocks import blocks_follow
from ridgeline.symmetry.confined import uneven
from ridgeline.symmetry.evaluation import steadily
from ridgeline.symmetry.group import Group, Place, Sighting
from ridgeline.symmetry.orbits import Family, Kinds, Relations, families
from ridgeline.symmetry.symmetry import Fixed, Symmetry
from ridgeline.symmetry.units import FIXED, Units
from ridgeline.symmetry.walk import Tracing
from ridgeline.symmetry.words import shapes_of, told
from ridgeline.tracing import Network, Trace

__all__ = ["discover"]


def discover(network: Network, example: Any) -> Symmetry:
    """The permutations of units that follow from a network's trace; not proved.

    Args:
        network: The network.
        example: A batch of inputs; one or two samples are enough.

    Raises:
        NotTraceable: If the network cannot be traced.
    """
    trace = network.trace(example, sized=True)
    with steadily(0):  # random constants are computed
        walk = Tracing(trace)
        found = _groups(walk)
        for apart in _apart(trace, walk):
            again = Tracing(trace, apart)
            other = _groups(again)
            if _elements(other) > _elements(found):
                walk, found = again, other
    shapes = {name: tuple(x.shape) for name, x in tensors_of(network.module).items()}
    return Symmetry(
        found.groups,
        shapes,
        (
            *(replace(f, why=told(f.why, walk.trace)) for f in found.fixed),
            *(
                Fixed(n, 0, shapes[n][0], "not used by the network")
                for n in walk.unused
                if shapes[n]
            ),
        ),
        _ties(network.module, shapes),
        derived=(shapes_of(example),),
    )


@dataclass(frozen=True)
class _Found:
    groups: tuple[Group, ...]
    fixed: tuple[Fixed, ...]


def _elements(found: _Found) -> float:
    return sum(g.fibres * lgamma(g.size + 1) for g in found.groups)


def _apart(trace: Trace, walk: Tracing) -> Iterator[dict[str, int]]:
    """Tensors to give units at each position of an axis: of the first that has several, or last."""
    names = uneven(trace, walk.constants, walk.units, walk.partly)
    axes = {
        n: [k for k, size in enumerate(trace.tensors[n].meta["val"].shape) if size > 1]
        for n in names
    }
    for end in (0, -1) if names else ():
        yield {n: axes[n][end] for n in names}


def _groups(walk: Tracing) -> _Found:
    units = walk.units
    kinds = Kinds.of(units)
    relations = Relations(units, kinds)
    found = families(relations)
    names = _names(found, units, kinds)
    groups: list[Group] = []
    moved: dict[int, tuple[int, int, int]] = {}
    grouped: set[int] = set()
    entangled: set[int] = set()
    for family in sorted(found, key=lambda f: -f.depth):
        places = _places(family, units, kinds)
        if not places:
            entangled.update(unit[0] for fibre in family.fibres for unit in fibre)
            continue
        inside = names.get(id(family.inside)) if family.inside is not None else None
        groups.append(Group(names[id(family)], tuple(places), inside))
        for f, fibre in enumerate(family.fibres):
            for n, unit in enumerate(fibre):
                moved[unit[0]] = (len(groups) - 1, f, n)
                grouped.update(unit)
    kept = {g.name for g in groups}
    seen = zip(groups, _sightings(walk, groups, moved), strict=True)
    return _Found(
        tuple(Group(g.name, g.places, g.inside if g.inside in kept else None, s) for g, s in seen),
        tuple(_fixed(units, relations, grouped, entangled)),
    )


def _ties(module: nn.Module, shapes: Mapping[str, Any]) -> dict[str, str]:
    """Other names of shared tensors."""
    first: dict[int, str] = {}
    found: dict[str, str] = {}
    state = tensors_of(module)
    for name in shapes:
        known = first.setdefault(id(state[name]), name)
        if known != name:
            found[name] = known
    return found


def _names(found: list[Family], units: Units, kinds: Kinds) -> dict[int, str]:
    """A name for each family: that of the module that makes its units."""
    names: dict[int, str] = {}
    for family in sorted(found, key=lambda f: (f.depth, f.fibres[0][0])):
        owners = [
            units.owners[o]
            for x in family.fibres[0][0]
            if x in kinds.spans
            for o in kinds.owner[kinds.spans[x]]
        ]
        makers = [o for o in owners if o.axis == 0] or owners
        name = makers[0].tensor.rpartition(".")[0] or makers[0].tensor if makers else "units"
        name += " blocks" if family.holds and any(f.inside is family for f in found) else ""
        taken, k = set(names.values()), 2
        unique = name
        while unique in taken:
            unique, k = f"{name} {k}", k + 1
        names[id(family)] = unique
    return names


def _places(family: Family, units: Units, kinds: Kinds) -> list[Place]:
    """Where the units of a family stand; none if that cannot be said in places."""
    fibres = [[_positions(unit, kinds) for unit in fibre] for fibre in family.fibres]
    first = fibres[0][0]
    if any(
        set(u) != set(first) or any(len(u[o]) != len(first[o]) for o in u)
        for f in fibres
        for u in f
    ):
        return []
    if not blocks_follow(family, units, kinds):
        return []
    places: list[Place] = []
    for o in first:
        owner = units.owners[o]
        table = np.array([[unit[o] for unit in fibre] for fibre in fibres])  # fibre, unit, k, 2
        if len(np.unique(table.reshape(-1, 2), axis=0)) < table.size // 2:
            return []  # what stands in two of the units cannot move with each of them
        index, block = table[..., 0], table[..., 1]
        if owner.within is None:
            places.append(Place(owner.tensor, owner.axis, index))
        elif (block == block[:, :1]).all():
            across, _, where = owner.within
            # Positions that lie in one block, in each fibre.
            apart, alike = np.unique(block[:, 0], axis=1, return_inverse=True)
            for k in range(apart.shape[1]):
                rows = [where[b] for b in apart[:, k].tolist()]
                if len({len(r) for r in rows}) > 1:
                    return []
                same = np.flatnonzero(alike.ravel() == k)
                within = (across, np.stack(rows))
                places.append(Place(owner.tensor, owner.axis, index[:, :, same], within))
        elif not (index == index[:, :1]).all():
            return []  # a block moves along with its rows; if its columns change too, it cannot
    return places


def _positions(unit: tuple[int, ...], kinds: Kinds) -> dict[int, list[tuple[int, int]]]:
    """Positions of a unit and of what it carries, by axis."""
    found: dict[int, list[tuple[int, int]]] = {}
    owner, index, block = kinds.rows
    for x in unit:
        span = kinds.spans.get(x, slice(0, 0))
        for k in range(span.start, span.stop):
            found.setdefault(owner[k], []).append((index[k], block[k]))
    return found


def _sightings(
    walk: Tracing, groups: list[Group], moved: Mapping[int, tuple[int, int, int]]
) -> list[tuple[Sighting, ...]]:
    """Values in which all units of a group are seen along one axis."""
    found: list[list[Sighting]] = [[] for _ in groups]
    for value, axis, labels in walk.seen:
        at: dict[int, dict[tuple[int, int], list[int]]] = {}
        for position, unit in enumerate(walk.units.find(labels).tolist()):
            if unit in moved:
                g, f, n = moved[unit]
                at.setdefault(g, {}).setdefault((f, n), []).append(position)
        for g, where in at.items():
            fibres, size = groups[g].fibres, groups[g].size
            widths = {len(p) for p in where.values()}
            if len(where) == fibres * size and len(widths) == 1:
                index = [[where[f, n] for n in range(size)] for f in range(fibres)]
                found[g].append(Sighting(value, axis, np.array(index)))
    return [tuple(s) for s in found]


def _fixed(
    units: Units, relations: Relations, grouped: set[int], entangled: set[int]
) -> list[Fixed]:
    """Axes with positions that stand in no group, and why."""
    found = []
    roots = units.everything
    for owner in units.owners:
        mine = roots[owner.first : owner.first + len(owner.index)].tolist()
        left = [u for u in mine if u not in grouped]
        if left and len(mine) > 1:
            reasons = [w for u in left if (w := _reason(u, relations))]
            if entangled.intersection(left):
                reasons.insert(0, "could move only along with parts of others")
            why = reasons[0] if reasons else "no other unit is used in the same way"
            found.append(Fixed(owner.tensor, owner.axis, len(left), why))
    return found


def _reason(unit: int, relations: Relations) -> str:
    if unit in relations.fixed:
        return relations.fixed[unit]
    outer = relations.parents.get(unit, ())
    for p in outer:
        if FIXED - p in relations.fixed:
            return relations.fixed[FIXED - p]
    return "meets inputs or positions, whose order is given" if any(p <= 0 for p in outer) else ""
