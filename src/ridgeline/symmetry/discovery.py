"""The symmetry of any module, discovered by following its trace and proved by evaluation."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import lgamma
from typing import Any

import numpy as np
from torch import nn

from ridgeline.errors import NotTraceable
from ridgeline.graph import Network, Trace, operation
from ridgeline.state import tensors_of
from ridgeline.symmetry.alternatives import exchanges
from ridgeline.symmetry.blocks import blocks_follow
from ridgeline.symmetry.confined import uneven
from ridgeline.symmetry.declared import declared
from ridgeline.symmetry.evaluation import steadily
from ridgeline.symmetry.group import Group, Place, Sighting
from ridgeline.symmetry.orbits import Family, Kinds, Relations, families
from ridgeline.symmetry.symmetry import Fixed, Symmetry
from ridgeline.symmetry.taken import each_its_own
from ridgeline.symmetry.units import FIXED, Units
from ridgeline.symmetry.walk import Tracing
from ridgeline.symmetry.words import shapes_of, told

__all__ = ["discover"]


def discover(network: Network, example: Any) -> Symmetry:
    """The symmetries that follow from a network's trace, or that its modules declare; not proved.

    Args:
        network: The network.
        example: A batch of inputs; one or two samples are enough.

    Raises:
        NotTraceable: If the network cannot be traced.
    """
    trace = network.trace(example, standins=True)
    with steadily(0), _uncollected():  # random constants are computed
        walk = _walked(trace)
        found = _groups(walk)
        for apart in _apart(trace, walk):
            again = Tracing(trace, apart)
            other = _groups(again)
            if _elements(other) > _elements(found):
                walk, found = again, other
    shapes = {name: tuple(x.shape) for name, x in tensors_of(network.module).items()}
    whole = exchanges(walk)
    moving = {place[:2] for exchange in whole for place in exchange.rows}
    groups = each_its_own(walk, found.groups)
    taken = [g.name for g in (*groups, *whole)]
    more, notes = declared(network.module, shapes, taken)
    return Symmetry(
        groups,
        shapes,
        (
            *(
                replace(f, why=told(f.why, walk.trace))
                for f in found.fixed
                if (f.tensor, f.axis) not in moving
            ),
            *(
                Fixed(n, 0, shapes[n][0], "not used by the network")
                for n in walk.unused
                if shapes[n]
            ),
        ),
        _ties(network.module, shapes),
        derived=(shapes_of(example), *notes),
        exchanges=whole,
        more=more,
    )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without searches for circles among what is made, of which there are none.

    Units are sets and tuples by the hundred thousand; to look through them again and again, and
    through all that the process has loaded, was a quarter of the time.
    """
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


def _walked(trace: Trace) -> Tracing:
    try:
        return Tracing(trace)
    except (ValueError, RuntimeError, IndexError) as error:
        if not trace.valued:
            raise
        raise NotTraceable(  # sizes that depend on values had to fit each other
            "The shapes of a network's values must not depend on the data, but for rows that are "
            "taken where a mask is true.",
            got=", ".join(sorted({operation(n) for n in trace.valued})),
            remedy="Give `forward=`, a function (model, inputs) -> outputs that keeps all of them, "
            "and masks by `torch.where` or a product.",
        ) from error


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
    moved = np.full((3, units.size), -1)  # group, fibre and unit there of each unit that moves
    grouped = np.zeros(units.size, bool)
    entangled: set[int] = set()
    for family in sorted(found, key=lambda f: -f.depth):
        places = _places(family, units, kinds)
        if not places:
            entangled.update(unit[0] for fibre in family.fibres for unit in fibre)
            continue
        inside = names.get(id(family.inside)) if family.inside is not None else None
        groups.append(Group(names[id(family)], tuple(places), inside))
        everyone = np.array(family.fibres)  # fibre, unit, what it carries along
        fibre, unit = np.indices(everyone.shape[:2])
        moved[:, everyone[..., 0]] = np.full_like(fibre, len(groups) - 1), fibre, unit
        grouped[everyone] = True
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
    """Return where the units of a family stand; none if that cannot be said in places."""
    everyone = np.array(family.fibres)  # fibre, unit, what it carries along
    found = kinds.positions(everyone.reshape(-1, everyone.shape[2]))
    if found is None or not blocks_follow(family, units, kinds):
        return []
    places: list[Place] = []
    axes = kinds.owner[found[0]]
    for o in _owners(family.fibres[0][0], kinds):
        owner = units.owners[o]
        table = found[:, axes == o].reshape(*everyone.shape[:2], -1)  # fibre, unit, position
        index, block = kinds.index[table], kinds.block[table]
        apart = index + (block + 1) * (index.max() + 1)
        if len(np.unique(apart)) < apart.size:
            return []  # what stands in two of the units cannot move with each of them
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


def _owners(unit: tuple[int, ...], kinds: Kinds) -> list[int]:
    """Axes that a unit stands on with what it carries along, in the order of those."""
    spans = [kinds.spans[x] for x in unit if x in kinds.spans]
    return list(dict.fromkeys(o for span in spans for o in kinds.owner[span].tolist()))


def _sightings(walk: Tracing, groups: list[Group], moved: np.ndarray) -> list[tuple[Sighting, ...]]:
    """Values in which all units of a group are seen along one axis."""
    found: list[list[Sighting]] = [[] for _ in groups]
    for value, axis, labels in walk.seen:
        roots = walk.units.find(labels)
        group, fibre, unit = np.where(roots > 0, moved[:, np.maximum(roots, 0)], -1)
        for g in np.unique(group[group >= 0]).tolist():
            fibres, size = groups[g].fibres, groups[g].size
            at = np.flatnonzero(group == g)
            which = fibre[at] * size + unit[at]
            widths = np.bincount(which, minlength=fibres * size)
            if (widths == widths[0]).all():
                index = at[np.argsort(which, kind="stable")].reshape(fibres, size, -1)
                found[g].append(Sighting(value, axis, index))
    return [tuple(s) for s in found]


def _fixed(
    units: Units, relations: Relations, grouped: np.ndarray, entangled: set[int]
) -> list[Fixed]:
    """Axes with positions that stand in no group, and why."""
    found = []
    roots = units.everything
    for owner in units.owners:
        mine = roots[owner.first : owner.first + len(owner.index)]
        left = mine[~grouped[mine]].tolist()
        if left and len(mine) > 1:
            if entangled and entangled.intersection(left):
                why = "could move only along with parts of others"
            else:
                reasons = (w for u in left if (w := _reason(u, relations)))
                why = next(reasons, "no other unit is used in the same way")
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
