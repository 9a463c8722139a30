"""How well the contents of each unit fit into each other unit, for all pairs at once.

Units that hold units: 32 blocks of a grouped convolution that hold channels, heads that hold
coordinates. The worth of unit j of b in the place of unit i of a is the most that j's contents,
put in order, overlap with i's. What contents hold in tensors of their own is linear in their
order: one product of matrices gives it for all pairs. Where two kinds of contents stand in one
tensor, the channels that go into a block and those that come out, its part in the gain of the one
depends on the order of the other, and both are solved in turn.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ridgeline.matching.assignment import assign, assign_all
from ridgeline.matching.overlap import Overlap
from ridgeline.matching.products import units
from ridgeline.symmetry import Place
from ridgeline.symmetry.frame import Orders

__all__ = ["Contents", "Fitted"]

LARGEST = 4096
"""Units inside of all outer units together up to which all pairs are held at once: 64 MiB."""
ROUNDS = 4
"""Times that inner groups which share tensors are solved in turn."""

CELLS = 2**24
"""Numbers of a shared tensor that are gathered at a time: 64 MiB in float32."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """Gain of each pair, with the orders of contents that give it.

    Args:
        worth: Shape (n, n): of unit j of b in the place of unit i of a.
        orders: Inner group to orders of shape (n, n, size), by i and j.
    """

    worth: np.ndarray
    orders: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class _Crossing:
    """A tensor in which an inner group crosses another, by outer unit.

    Args:
        group: The one.
        other: The other.
        a: Shape (n, size of the group, size of the other, what one position of both holds).
        b: The same of the other state, carried by all groups outside.
    """

    group: str
    other: str
    a: Tensor
    b: Tensor

    def gains(self, order: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """Return what units of the group gain, for some pairs, those of the other in some order.

        Args:
            order: Of the other's m units, by pair: shape (n n, m).
            pairs: Numbers of pairs, each n times the one and the other.

        Returns:
            Shape (pairs, size, size).
        """
        n, size, m, _ = self.a.shape
        mine = self.a.flatten(2)  # (n, size, m r)
        columns = self.b.transpose(1, 2).flatten(0, 1)  # (n m, size, r)
        parts = [np.zeros((0, size, size), np.float32)]
        cells = len(pairs) * (self.b.numel() // n)
        for pair in np.array_split(pairs, max(1, -(-cells // CELLS))):
            rows = (pair % n)[:, None] * m + order[pair]
            at = torch.from_numpy(rows.ravel()).to(self.b.device)
            theirs = columns.index_select(0, at).unflatten(0, (-1, m)).transpose(1, 2).flatten(2)
            i = torch.from_numpy(pair // n).to(self.a.device)
            parts.append(torch.bmm(mine[i], theirs.transpose(1, 2)).cpu().numpy())
        return np.concatenate(parts)


class Contents:
    """The contents of the units of one group.

    Args:
        overlap: Of two states.
        name: The group's.
        orders: Of every group, in the frame: those outside are held.
        only: Names of tensors to count; all by default.
    """

    def __init__(
        self, overlap: Overlap, name: str, orders: Orders, only: Collection[str] | None = None
    ) -> None:
        self.group, self.inner = overlap.groups[name], overlap.inside[name]
        self.sizes = {c: overlap.groups[c].size for c in self.inner}
        self.now = orders[name][0]
        self.before = {c: orders[c] for c in self.inner}
        n = self.group.size
        self.fixed = np.zeros((n, n))
        self.linear = {c: np.zeros((n, n, k, k), np.float32) for c, k in self.sizes.items()}
        self.crossings: dict[str, list[_Crossing]] = {c: [] for c in self.inner}
        still = orders | {c: overlap.identities()[c] for c in (name, *self.inner)}
        for tensor in _tensors(overlap, name):
            if only is None or tensor in only:
                self._count(overlap, tensor, overlap.carried(tensor, still))

    @staticmethod
    def suit(overlap: Overlap, name: str) -> bool:
        """True if a group's contents can be compared so.

        Its units stand in no other unit, and once in each tensor of theirs; what they hold holds
        nothing; and of the contents either all stand on the units' own axis, or one stands on
        another, confined to the positions of its unit, alone or with one that fills them.
        """
        group, inner = overlap.groups[name], overlap.inside[name]
        if group.fibres != 1 or any(overlap.inside[c] for c in inner):
            return False
        if any(group.size * overlap.groups[c].size > LARGEST for c in inner):
            return False
        return all(_suits(overlap, name, t) for t in _tensors(overlap, name))

    def fitted(self) -> Fitted:
        """Solve all pairs.

        Inner groups are solved in turn until none changes, four times at most.
        """
        n = self.group.size
        found = {c: np.tile(np.arange(k), (n, n, 1)) for c, k in self.sizes.items()}
        place = np.arange(n)
        for c in self.inner:  # pairs of now start from the orders of now
            found[c][place, self.now] = self.before[c]
        solved: dict[str, dict[str, np.ndarray]] = {}  # for each, the orders that it was solved by
        for _ in range(ROUNDS):
            before = dict(found)
            for c in self.inner:
                known = {x.other: found[x.other] for x in self.crossings[c]}
                changed = np.zeros((n, n), bool) if c in solved else np.ones((n, n), bool)
                for other, order in known.items() if c in solved else ():
                    changed |= (order != solved[c][other]).any(2)
                found[c] = self._solved(c, found, changed)
                solved[c] = known
            if all((found[c] == before[c]).all() for c in self.inner if self.crossings[c]):
                break
        return Fitted(self._worth(found), found)

    # --- what is counted -----------------------------------------------------------------

    def _count(self, overlap: Overlap, tensor: str, b: Tensor) -> None:
        """Take one tensor in, carried by the groups outside."""
        a = overlap.a[tensor]
        inner = [s for s in overlap.stands[tensor] if s.group in self.sizes]
        (outer,) = (s.place for s in overlap.stands[tensor] if s.group == self.group.name)
        across = [s for s in inner if s.place.within is not None]
        along = [s for s in inner if s.place.within is None]
        if across and along:
            ends = along[0], across[0]
            x, y = (_blocks(v, outer.axis, *(s.place for s in ends)) for v in (a, b))
            for (s, o), turned in ((ends, False), (ends[::-1], True)):
                mine, theirs = (v.transpose(1, 2) if turned else v for v in (x, y))
                self.crossings[s.group].append(_Crossing(s.group, o.group, mine, theirs))
            return
        n = self.group.size
        for s in inner:
            x, y = (units(s.place, v).flatten(0, 1) for v in (a, b))
            gains = (x @ y.T).cpu().numpy().reshape(n, self.sizes[s.group], n, -1)
            self.linear[s.group] = self.linear[s.group] + gains.transpose(0, 2, 1, 3)
        rest = [] if across else _left(outer, [s.place for s in along])
        if len(rest) and rest[0].size:
            place = Place(tensor, outer.axis, np.stack(rest)[None])
            x, y = (place.units(v)[0].double() for v in (a, b))
            self.fixed += (x @ y.T).cpu().numpy()

    # --- solving ---------------------------------------------------------------------------

    def _solved(
        self, child: str, found: Mapping[str, np.ndarray], changed: np.ndarray
    ) -> np.ndarray:
        """The orders of an inner group, of pairs in which others have changed solved anew."""
        order, pairs = found[child].copy(), np.argwhere(changed)
        gains = self._gains(child, found, pairs)
        order[changed] = assign_all(gains)
        # Of the pairs of now, units that are equal stay where they are.
        own = np.flatnonzero(pairs[:, 1] == self.now[pairs[:, 0]])
        i, j = pairs[own].T
        order[i, j] = assign(gains[own], found[child][i, j])
        return order

    def _gains(self, child: str, found: Mapping[str, np.ndarray], pairs: np.ndarray) -> np.ndarray:
        """Return what the contents of j gain in the places of i: shape (pairs, size, size)."""
        n, (i, j) = self.group.size, pairs.T
        gains = self.linear[child][i, j]
        for crossing in self.crossings[child]:
            gains = gains + crossing.gains(found[crossing.other].reshape(n * n, -1), i * n + j)
        return gains

    def _worth(self, found: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return what each pair overlaps, shape (n, n): tensors that are shared count once."""
        worth = self.fixed.copy()
        for i, child in enumerate(self.inner):
            gains = self.linear[child]
            for crossing in self.crossings[child]:
                if self.inner.index(crossing.other) > i:
                    order = found[crossing.other].reshape(self.group.size**2, -1)
                    more = crossing.gains(order, np.arange(len(order)))
                    gains = gains + more.reshape(gains.shape)
            chosen = np.take_along_axis(gains, found[child][..., None], 3)
            worth += chosen.sum((2, 3), dtype=np.float64)
        return worth


def _tensors(overlap: Overlap, name: str) -> list[str]:
    own = (name, *overlap.inside[name])
    return list(dict.fromkeys(t for c in own for t in overlap.tensors(c)))


def _blocks(x: Tensor, outer: int, along: Place, across: Place) -> Tensor:
    """A tensor by outer unit: shape (n, size along, size across, what a position holds)."""
    grid = x.movedim((outer, across.axis), (0, 1))
    rows = torch.from_numpy(along.index[:, :, :, None, None]).to(x.device)
    columns = torch.from_numpy(across.index[:, None, None, :, :]).to(x.device)
    return grid[rows, columns].transpose(2, 3).flatten(3)


def _suits(overlap: Overlap, name: str, tensor: str) -> bool:
    """True if what a group and its contents hold of one tensor can be compared by pairs."""
    x, inner = overlap.a[tensor], overlap.inside[name]
    outers = [s.place for s in overlap.stands[tensor] if s.group == name]
    standings = [s for s in overlap.stands[tensor] if s.group in inner]
    places = [s.place for s in standings]
    if len(outers) != 1 or outers[0].within is not None:
        return False
    outer = outers[0]
    along = [p for p in places if p.within is None]
    across = [p for p in places if p.within is not None]
    if any(p.axis != outer.axis for p in along):
        return False
    if not across:
        return len({len(rest) for rest in _left(outer, along)}) == 1
    if len({s.group for s in standings}) < len(standings):
        return False  # a group that crosses itself
    fills = not along or (len(along) == 1 and not any(len(x) for x in _left(outer, along)))
    return fills and len(across) == 1 and _confined(across[0], outer, x)


def _confined(place: Place, outer: Place, x: Tensor) -> bool:
    """True if each fibre fills its axis, within just the positions of its outer unit."""
    assert place.within is not None
    axis, where = place.within
    own = np.sort(outer.index[0].reshape(len(where), -1), 1)
    same = own.shape == where.shape and (np.sort(where, 1) == own).all()
    filled = place.index[0].size == x.shape[place.axis]
    return axis == outer.axis and place.axis != axis and bool(same and filled)


def _left(outer: Place, along: Sequence[Place]) -> list[np.ndarray]:
    """Positions of each outer unit in which none of its contents stands."""
    none = np.zeros(0, np.int64)
    return [
        np.setdiff1d(own, np.concatenate([none, *(p.index[i].ravel() for p in along)]))
        for i, own in enumerate(outer.index[0])
    ]
