"""Modules that may change places, seen as a stack: their exchange is that of units of a group.

Weights of a kind are laid one on the other, along a new first axis. The modules are units along
it; what stands inside of each is a group with a fibre for each module. A search that knows groups
alone finds both.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.state import State
from ridgeline.symmetry.exchange import Exchange, Exchanged
from ridgeline.symmetry.frame import orders_of as permutations_of
from ridgeline.symmetry.group import Group, Order, Place
from ridgeline.symmetry.symmetry import Symmetry
from ridgeline.symmetry.transform import Permutation, Transform

__all__ = ["Stacking", "orders_of", "stacked"]


@dataclass(frozen=True)
class Stacking:
    """A symmetry with exchanges, and the same with groups of stacked weights.

    Args:
        whole: The symmetry.
        symmetry: Of stacked states.
        parts: Name of a group of stacked weights to the groups that it is of, a module's each.
        exchanges: Those that are groups of the stack.
    """

    whole: Symmetry
    symmetry: Symmetry
    parts: Mapping[str, tuple[str, ...]]
    exchanges: tuple[Exchange, ...]

    def state(self, state: Mapping[str, Tensor]) -> State:
        """A state with stacked weights in place of those of the modules.

        Args:
            state: Of the network.
        """
        held = dict(state)
        for exchange in self.exchanges:
            for slot, name in enumerate(exchange.members.slots):
                held[name] = torch.stack([held.pop(t[slot]) for t in exchange.members.tensors])
        return held

    def within(self, element: Transform) -> Transform:
        """The element of the stack that does what one of the whole symmetry does.

        Args:
            element: Of permutations and exchanges.

        Raises:
            UsageError: If it does something else, or exchanges what is not stacked.
        """
        home = {
            part: (name, k) for name, names in self.parts.items() for k, part in enumerate(names)
        }
        known = {g.name: g for g in self.symmetry.groups}
        actions = []
        for action in element.actions:
            given = action.group.name
            name, k = home.get(given, (given, 0))
            if not isinstance(action, (Permutation, Exchanged)) or name not in known:
                raise UsageError(
                    "A search over permutations starts from permutations.",
                    got=f"a transform with {type(action).__name__} of {given!r}",
                )
            order = known[name].identity()
            fibres = len(action.order)
            order[k * fibres : (k + 1) * fibres] = action.order
            actions.append(Permutation(known[name], order))
        return Transform(tuple(actions), self.symmetry.ties)

    def transform(self, found: Transform) -> Transform:
        """The element of the whole symmetry that does what one of the stack does.

        Args:
            found: Of permutations, of the stack.
        """
        return self.whole.transform(self.orders(found))

    def orders(self, found: Transform) -> dict[str, Order]:
        """The orders of the whole symmetry's groups and exchanges; see `transform`."""
        orders: dict[str, Order] = {}
        for name, order in permutations_of(found, self.symmetry).items():
            names = self.parts.get(name, (name,))
            rows = order.reshape(len(names), -1, order.shape[1])
            orders |= dict(zip(names, rows, strict=True))
        return orders


def stacked(symmetry: Symmetry) -> Stacking | None:
    """A symmetry's exchanges as groups of stacked weights; None if it has none that can be.

    Args:
        symmetry: The symmetry. Exchanges of modules that stand inside of others that are exchanged
            stay out, as do those whose modules hold weights in blocks.
    """
    made, taken = Stacking(symmetry, replace(symmetry, exchanges=()), {}, ()), set[str]()
    for exchange in sorted(symmetry.exchanges, key=lambda e: e.name.count(".")):
        tensors = set(exchange.tensors())
        if not tensors & taken and (further := _with(made, exchange)) is not None:
            made = further
            taken |= tensors
    return made if made.exchanges else None


def orders_of(transform: Transform, symmetry: Symmetry) -> dict[str, Order]:
    """The order of every group and exchange, of any composition.

    Args:
        transform: Of the symmetry's groups and exchanges.
        symmetry: What stands inside of what is known from there.

    Returns:
        Name to order, such that ``symmetry.transform(orders)`` does the same.

    Raises:
        UsageError: If it does something other than permute and exchange.
        UnknownName: If it acts on a group that the symmetry does not have.
    """
    exchanges = any(isinstance(a, Exchanged) for a in transform.actions)
    if exchanges and (stack := stacked(symmetry)) is not None:
        return stack.orders(stack.within(transform))
    return permutations_of(transform, symmetry)


def _with(made: Stacking, exchange: Exchange) -> Stacking | None:
    """One more exchange in the stack."""
    members = exchange.members
    at = {n: (s, k) for k, tensors in enumerate(members.tensors) for s, n in enumerate(tensors)}
    widths = {(name, axis): width for name, axis, width in exchange.rows}
    groups: list[Group] = []
    inner: dict[object, dict[int, Group]] = defaultdict(dict)
    for group in made.symmetry.groups:
        mine = {_member(p, at, widths) for p in group.places}
        if mine == {None}:
            groups.append(group)
        elif len(mine) == 1 and (k := mine.pop()) is not None:
            inner[_kind(group, at, widths)][k] = group
        elif (shared := _shared(group, exchange, at)) is not None:
            groups.append(shared)
        else:
            return None
    parts = dict(made.parts)
    names = {}
    for several in inner.values():
        alike = [several[k] for k in sorted(several)]
        if len(alike) < members.count or any(p.within is not None for p in alike[0].places):
            return None
        names |= {g.name: _name(alike, exchange) for g in alike}
        parts[names[alike[0].name]] = tuple(g.name for g in alike)
    for several in inner.values():
        alike = [several[k] for k in sorted(several)]
        outer = names.get(alike[0].inside or "", exchange.name)
        # Fibres that something fixed holds, or units outside of the modules do.
        if outer == exchange.name and (alike[0].inside is not None or alike[0].fibres > 1):
            return None
        groups.append(_inner(alike, names[alike[0].name], outer, exchange, at, widths))
    everyone = np.arange(members.count).reshape(1, -1, 1)
    places = [Place(name, 0, everyone) for name in members.slots]
    groups.append(Group(exchange.name, (*places, *exchange.places)))
    shapes = {n: s for n, s in made.symmetry.shapes.items() if n not in at}
    first = dict(zip(members.slots, members.tensors[0], strict=True))
    shapes |= {n: (members.count, *made.symmetry.shapes[t]) for n, t in first.items()}
    order = sorted(groups, key=lambda g: -_depth(g, groups))
    symmetry = Symmetry(tuple(order), shapes, ties=made.symmetry.ties)
    return replace(made, symmetry=symmetry, parts=parts, exchanges=(*made.exchanges, exchange))


def _depth(group: Group, groups: list[Group]) -> int:
    outer = next((g for g in groups if g.name == group.inside), None)
    return 0 if outer is None else 1 + _depth(outer, groups)


def _member(
    place: Place, at: Mapping[str, tuple[int, int]], widths: Mapping[tuple[str, int], int]
) -> int | None:
    """The module that a place is of, or whose rows it is of; None if it is of none, or several."""
    if place.tensor in at:
        return at[place.tensor][1]
    width = widths.get((place.tensor, place.axis))
    found = np.unique(place.index // width) if width is not None else []
    return int(found[0]) if len(found) == 1 else None


def _where(
    place: Place, at: Mapping[str, tuple[int, int]], widths: Mapping[tuple[str, int], int]
) -> tuple[str, int, tuple[int, ...], bytes]:
    """Part of a place of one module in common with those of the others."""
    if place.tensor in at:
        name, index = f"slot {at[place.tensor][0]}", place.index
    else:
        name, index = place.tensor, place.index % widths[place.tensor, place.axis]
    return name, place.axis, index.shape, index.tobytes()


def _kind(
    group: Group, at: Mapping[str, tuple[int, int]], widths: Mapping[tuple[str, int], int]
) -> object:
    """Part of a group of one module in common with those of the others: where it stands."""
    return tuple(sorted(_where(p, at, widths) for p in group.places))


def _shared(group: Group, exchange: Exchange, at: Mapping[str, tuple[int, int]]) -> Group | None:
    """A group that stands in all modules in the same way, with places in the stack."""
    kept = [p for p in group.places if p.tensor not in at]
    found: dict[object, list[Place]] = defaultdict(list)
    for p in group.places:
        if p.tensor in at:
            within = None if p.within is None else (p.within[0], p.within[1].tobytes())
            found[at[p.tensor][0], p.axis, p.index.tobytes(), within].append(p)
    for places in found.values():
        if len({at[p.tensor][1] for p in places}) != exchange.size or len(places) != exchange.size:
            return None
        one = places[0]
        within = None if one.within is None else (one.within[0] + 1, one.within[1])
        name = exchange.members.slots[at[one.tensor][0]]
        kept.append(Place(name, one.axis + 1, one.index, within))
    return Group(group.name, tuple(kept), group.inside)


def _name(alike: list[Group], exchange: Exchange) -> str:
    """A name for groups of several modules."""
    return f"{exchange.name} of {alike[0].name}"


def _inner(
    alike: list[Group],
    name: str,
    outer: str,
    exchange: Exchange,
    at: Mapping[str, tuple[int, int]],
    widths: Mapping[tuple[str, int], int],
) -> Group:
    """Groups of a module each as one with a fibre for each module, inside of the modules."""
    places = []
    ordered = [sorted(g.places, key=lambda p: _where(p, at, widths)) for g in alike]
    for several in zip(*ordered, strict=True):
        fibres = several[0].index.shape[0]
        index = np.concatenate([p.index for p in several])
        if several[0].tensor not in at:
            places.append(Place(several[0].tensor, several[0].axis, index))
            continue
        module = np.repeat(np.arange(len(several)), fibres)[:, None]
        slot = exchange.members.slots[at[several[0].tensor][0]]
        places.append(Place(slot, several[0].axis + 1, index, (0, module)))
    return Group(name, tuple(places), outer)
