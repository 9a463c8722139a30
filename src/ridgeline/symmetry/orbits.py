"""From units and what they stand inside of to groups: which of them may change places.

Units of one kind that stand inside of the same things, and inside of which nothing stands, may
change places. Units with others inside of them may if what stands inside can be carried along:
each to one of the same kind, inside of the images of whatever else it stands inside of.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import pairwise

import numpy as np

from ridgeline.symmetry.units import TIMES, Units, occurrences

__all__ = ["Family", "Kinds", "Relations", "families"]


@dataclass(frozen=True)
class Kinds:
    """Positions of units in the state, sorted by unit: the axis, the index, the block."""

    units: np.ndarray
    owner: np.ndarray
    index: np.ndarray
    block: np.ndarray

    @classmethod
    def of(cls, units: Units) -> "Kinds":
        """All positions of all units."""
        roots = units.everything
        rows: list[np.ndarray] = []
        for k, owner in enumerate(units.owners):
            size = len(owner.index)
            block = np.full(size, -1) if owner.within is None else owner.within[1]
            mine = roots[owner.first : owner.first + size]
            rows.append(np.stack([mine, np.full(size, k), owner.index, block]))
        table = np.concatenate(rows, axis=1) if rows else np.zeros((4, 0), np.int64)
        return cls(*table[:, np.lexsort(table[[2, 3, 1, 0]])])

    @cached_property
    def runs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Units that have positions, where those of each begin, and how many they are."""
        return np.unique(self.units, return_index=True, return_counts=True)

    @cached_property
    def spans(self) -> dict[int, slice]:
        """Return where each unit's positions are."""
        found, first, count = (x.tolist() for x in self.runs)
        return {u: slice(i, i + n) for u, i, n in zip(found, first, count, strict=True)}

    @cached_property
    def rows(self) -> tuple[list[int], list[int], list[int]]:
        """Axis, index and block of each position."""
        return self.owner.tolist(), self.index.tolist(), self.block.tolist()

    @cached_property
    def signs(self) -> dict[int, int]:
        """The axes that each unit stands on, with repetitions, as a number."""
        found, first, count = self.runs
        signs: dict[int, int] = {}
        for many in np.unique(count):
            mine = count == many
            axes = self.owner[first[mine][:, None] + np.arange(many)]
            rows = axes if many > 1 else axes[:, 0]  # of one axis are most of a long table
            _, number = np.unique(rows, axis=0, return_inverse=True)
            numbers = (len(signs) + number.ravel()).tolist()  # beyond those of other lengths
            signs |= dict(zip(found[mine].tolist(), numbers, strict=True))
        return signs

    def positions(self, units: np.ndarray) -> np.ndarray | None:
        """Return where the positions are of rows of units, axis by axis.

        Args:
            units: Shape (rows, units of a row).

        Returns:
            Numbers of positions, shape (rows, positions); each row on the same axes as the first,
            in the same order. None if the rows stand on different axes.
        """
        found, first, count = self.runs
        if not len(found):
            return np.zeros((len(units), 0), np.int64)
        at = np.minimum(np.searchsorted(found, units), len(found) - 1)
        many = np.where(found[at] == units, count[at], 0)
        if (many.sum(1) != many[0].sum()).any():
            return None
        starts, many = first[at].ravel(), many.ravel()
        ends = np.cumsum(many)
        inside = np.arange(many.sum()) - np.repeat(ends - many, many)
        flat = (np.repeat(starts, many) + inside).reshape(len(units), -1)
        order = np.argsort(self.owner[flat], axis=1, kind="stable")
        flat = np.take_along_axis(flat, order, 1)
        return flat if (self.owner[flat] == self.owner[flat[0]]).all() else None


class Relations:
    """Who stands inside of whom.

    Args:
        units: Settled.
        kinds: Their positions.
    """

    def __init__(self, units: Units, kinds: Kinds) -> None:
        self.fixed = units.why
        self.parents: dict[int, set[int]] = defaultdict(set)
        self.children: dict[int, set[int]] = defaultdict(set)
        pairs = [np.zeros((2, 0), np.int64)]
        for inner, outer in units.held:
            xs, ps = units.find(inner), units.find(outer)
            k = occurrences(outer, ps)
            kept = (xs != ps) & (xs > 0)
            again = kept & (k != 0)
            pairs += [np.stack([xs[kept], ps[kept]]), np.stack([xs[again], TIMES - k[again]])]
        inner, outer = np.concatenate(pairs, axis=1)
        self.parents |= _gathered(inner, outer)
        self.children |= _gathered(outer[outer > 0], inner[outer > 0])
        self.everyone = sorted({*kinds.spans, *self.children, *self.parents})
        self._depth: dict[int, int] = {}
        self._type: dict[int, int] = {}
        self._types: dict[object, int] = {}
        for unit in self.everyone:
            self._deep(unit, kinds, ())
        self.buckets: dict[tuple[int, frozenset[int]], list[int]] = defaultdict(list)
        for unit in self.everyone:
            if unit not in self.fixed:
                self.buckets[self.key(unit)].append(unit)

    def key(self, unit: int) -> tuple[int, frozenset[int]]:
        """The kind of a unit, and what it stands inside of."""
        return self._type[unit], frozenset(self.parents.get(unit, ()))

    def depth(self, unit: int) -> int:
        """Return how many things a unit stands inside of, one inside the other."""
        if unit not in self._depth:
            self._depth[unit] = 0  # cuts a circle, which no sound derivation has
            outer = [p for p in self.parents.get(unit, ()) if p > 0]
            self._depth[unit] = 1 + max((self.depth(p) for p in outer), default=-1)
        return self._depth[unit]

    def _deep(self, unit: int, kinds: Kinds, above: tuple[int, ...]) -> int:
        """The kind of a unit: its axes, and the kinds of what stands inside of it."""
        if unit not in self._type and unit not in above:
            inside = self.children.get(unit)
            if not inside:  # most of them
                described = (kinds.signs.get(unit, -1), ())
                self._type[unit] = self._types.setdefault(described, len(self._types))
                return self._type[unit]
            held = tuple(sorted(self._deep(c, kinds, (*above, unit)) for c in inside))
            described = (kinds.signs.get(unit, -1), held)
            self._type[unit] = self._types.setdefault(described, len(self._types))
        return self._type.get(unit, -1)

    def carry(self, one: int, other: int) -> dict[int, int] | None:
        """Return what changes places if two units do, or None if they cannot."""
        image = {one: other, other: one}
        waiting: list[tuple[int, int, int, tuple[int, frozenset[int]]]] = []
        known: set[tuple[int, frozenset[int]]] = set()

        def wait(unit: int) -> None:
            for key in {self.key(c) for c in self.children.get(unit, ())} - known:
                known.add(key)
                outer = max(map(self.depth, _units(key[1])), default=0)
                heappush(waiting, (outer, key[0], len(known), key))

        for unit in (one, other):
            wait(unit)
        while waiting:
            kind, outer = heappop(waiting)[-1]
            key = (kind, outer)
            carried = frozenset(image.get(p, p) for p in outer)
            if carried == outer:
                continue
            mine, theirs = self.buckets.get(key, []), self.buckets.get((kind, carried), [])
            if len(mine) != len(theirs) or not mine:
                return None
            for x, y in zip(mine, theirs, strict=True):
                image[x] = y
                wait(x)
        return image


def _gathered(keys: np.ndarray, values: np.ndarray) -> dict[int, set[int]]:
    """The values of each key."""
    order = np.lexsort((values, keys))
    keys, values = keys[order], values[order]
    found, first = np.unique(keys, return_index=True)
    starts, listed = [*first.tolist(), len(values)], values.tolist()
    spans = zip(found.tolist(), pairwise(starts), strict=True)
    return {u: set(listed[i:j]) for u, (i, j) in spans}


def _units(labels: Iterable[int]) -> list[int]:
    return [u for u in labels if u > 0]


@dataclass(frozen=True)
class Family:
    """Units that may change places, each with what it carries along, in the same order.

    Args:
        fibres: Lists of units, each of which is a list of what moves: itself first.
        inside: The family whose units hold the fibres, if there is one.
        depth: How deep they stand.
    """

    fibres: tuple[tuple[tuple[int, ...], ...], ...]
    inside: "Family | None"
    depth: int

    @property
    def holds(self) -> bool:
        """True if something stands inside of the units."""
        return len(self.fibres[0][0]) > 1


def families(relations: Relations) -> list[Family]:
    """All families, outer ones first."""
    found: list[Family] = []
    home: dict[int, Family] = {}
    order = sorted(relations.buckets, key=lambda k: relations.depth(relations.buckets[k][0]))
    gathered: dict[object, list[tuple[tuple[int, ...], ...]]] = {}
    depths = [relations.depth(relations.buckets[k][0]) for k in order]
    for depth in sorted(set(depths)):
        gathered.clear()
        for key in (k for k, d in zip(order, depths, strict=True) if d == depth):
            outer = frozenset(id(home[p]) if p in home else p for p in key[1])
            for alike in _alike(relations, relations.buckets[key]):
                gathered.setdefault((key[0], outer, len(alike), len(alike[0])), []).append(alike)
        for fibres in gathered.values():
            held = [home[p] for p in relations.parents.get(fibres[0][0][0], ()) if p in home]
            family = Family(tuple(fibres), held[0] if held else None, depth)
            found.append(family)
            for fibre in fibres:
                home |= dict.fromkeys((unit[0] for unit in fibre), family)
    return found


def _alike(relations: Relations, bucket: list[int]) -> list[tuple[tuple[int, ...], ...]]:
    """Units of a bucket that may change places: sets of two or more."""
    if not relations.children.get(bucket[0]):
        return [tuple((u,) for u in bucket)] if len(bucket) > 1 else []
    rest, found = list(bucket), []
    while len(rest) > 1:
        first, *others = rest
        images = {u: relations.carry(first, u) for u in others}
        able = [u for u in others if images[u] is not None]
        if able:
            carried = _carried(relations, first, images[able[0]] or {})
            alike = [tuple(carried)]
            for u in able:
                image: Mapping[int, int] = images[u] or {}
                if all(x in image for x in carried):
                    alike.append(tuple(image[x] for x in carried))
            if len(alike) > 1:
                found.append(tuple(alike))
        rest = [u for u in others if u not in able]
    return found


def _carried(relations: Relations, unit: int, image: Mapping[int, int]) -> list[int]:
    """A unit and all that moves along inside of it."""
    found, at = [unit], 0
    known = {unit}
    while at < len(found):
        for inner in sorted(relations.children.get(found[at], ())):
            if inner not in known and image.get(inner, inner) != inner:
                known.add(inner)
                found.append(inner)
        at += 1
    return found
