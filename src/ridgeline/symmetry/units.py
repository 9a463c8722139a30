r"""Units while they are being found: what must move together, and what stands inside of what.

A unit is an integer. Every position on an axis of a state's tensor begins as a unit of its own.
Walking through the network's trace joins them: where an output of one layer meets a column of
the next, the two are one unit (`join`). Where one value meets many, as a head's weight meets all
channels of the head, the many stand inside of the one (`hold`). What cannot be followed is
`fix`\\ ed, with the reason.

Labels of a value are units (positive), coordinates (negative: places that never move, such as
pixels and tokens, numbered along their axis) or `NOTHING` where a constant was padded in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ridgeline.symmetry.labelling import (
    FIXED,
    NOTHING,
    TIMES,
    Labels,
    coordinates,
    occurrences,
    of_inputs,
)

__all__ = [
    "FIXED",
    "NOTHING",
    "TIMES",
    "Labels",
    "Owner",
    "Units",
    "coordinates",
    "occurrences",
    "of_inputs",
]


@dataclass(frozen=True)
class Owner:
    """The axis of a tensor of which a run of units are positions.

    Args:
        tensor: Its name in the state.
        axis: Which axis.
        first: The first unit.
        index: Position on the axis of each unit, counted from the first.
        within: Which block of another axis each unit is confined to, if any: the axis, the
            block of each unit, and the positions of each block.
    """

    tensor: str
    axis: int
    first: int
    index: np.ndarray
    within: tuple[int, np.ndarray, Sequence[np.ndarray] | np.ndarray] | None = None


class Units:
    """All units of a network, and what was found out about them."""

    def __init__(self) -> None:
        self._up = np.zeros(1, np.int64)  # union-find: each unit's nearer representative
        self._still = np.zeros(1, bool)  # by representative
        self._count = 1
        self.owners: list[Owner] = []
        self.held: list[tuple[np.ndarray, np.ndarray]] = []
        """Pairs (inner, outer): units that stand inside of others, or of coordinates."""
        self.why: dict[int, str] = {}
        """Representatives of fixed units, with the reason; nothing is joined to them."""
        self.told: set[tuple[bytes, bytes]] = set()
        """Cuts that are known, lest the same one at each step of a loop be held again."""

    def fresh(self, count: int) -> Labels:
        """New units that are joined to nothing."""
        first, self._count = self._count, self._count + count
        if self._count > len(self._up):
            grown = np.arange(max(2 * len(self._up), self._count), dtype=np.int64)
            grown[: len(self._up)] = self._up
            self._up = grown
            still = np.zeros(len(grown), bool)
            still[: len(self._still)] = self._still
            self._still = still
        return np.arange(first, self._count)

    def of_axis(self, tensor: str, axis: int, size: int) -> Labels:
        """New units for the positions on an axis of a tensor."""
        made = self.fresh(size)
        self.owners.append(Owner(tensor, axis, int(made[0]), np.arange(size)))
        return made

    def of_blocks(
        self,
        tensor: str,
        axis: int,
        size: int,
        where: Sequence[np.ndarray] | np.ndarray,
        across: int = 0,
    ) -> Labels:
        """New units for the positions on an axis, others in each block of another axis.

        Args:
            tensor: Its name.
            axis: The axis.
            size: Positions on it.
            where: The positions of each block on the other axis.
            across: The other axis.

        Returns:
            Shape (blocks, size).
        """
        blocks = len(where)
        made = self.fresh(blocks * size)
        index, block = np.tile(np.arange(size), blocks), np.repeat(np.arange(blocks), size)
        self.owners.append(Owner(tensor, axis, int(made[0]), index, (across, block, where)))
        return made.reshape(blocks, size)

    def at(self, tensor: str, axis: int, positions: Sequence[int]) -> Labels:
        """Units at positions on an axis, and those of blocks that lie there altogether.

        Args:
            tensor: Its name.
            axis: The axis.
            positions: On it.
        """
        found = [np.zeros(0, np.int64)]
        for owner in self.owners:
            if owner.tensor != tensor:
                continue
            mine = owner.first + np.arange(len(owner.index))
            if owner.axis == axis:
                found.append(mine[np.isin(owner.index, positions)])
            elif owner.within is not None and owner.within[0] == axis:
                _, block, where = owner.within
                there = [b for b, rows in enumerate(where) if np.isin(rows, positions).all()]
                found.append(mine[np.isin(block, there)])
        return np.concatenate(found)

    def forget(self, tensor: str, axes: Sequence[int]) -> None:
        """Take away the units of axes, which nothing has met yet."""
        self.owners = [o for o in self.owners if o.tensor != tensor or o.axis not in axes]

    def represent(self, labels: Labels) -> Labels:
        """The representatives of units; other labels are passed on."""
        found = np.where(labels > 0, labels, 0)
        while True:
            further = self._up[found]
            if np.array_equal(further, found):
                break
            found = further
        self._up[np.where(labels > 0, labels, 0)] = found  # shorter next time
        return np.where(labels > 0, found, labels)

    def find(self, labels: Labels) -> Labels:
        """The representatives of units; fixed ones as the coordinates that they are."""
        found = self.represent(labels)
        still = self._still[np.where(found > 0, found, 0)]
        return np.where(still, FIXED - found, found) if still.any() else found

    @property
    def size(self) -> int:
        """Count of the numbers that have been given, with one for none."""
        return self._count

    @property
    def everything(self) -> Labels:
        """The representative of every unit, by number."""
        return self.represent(np.arange(self._count))

    def join(self, a: Labels, b: Labels) -> None:
        """Make two rows of units one, pair by pair."""
        a, b = self.represent(a.ravel()), self.represent(b.ravel())
        while (apart := a != b).any():
            low, high = np.minimum(a, b)[apart], np.maximum(a, b)[apart]
            self._up[high] = low  # of several claims on one, the last stands; the rest come again
            a, b = self.represent(a), self.represent(b)

    def hold(self, inner: Labels, outer: Labels) -> None:
        """Say that units stand inside of others, or of coordinates, pair by pair."""
        self.held.append((inner.ravel(), outer.ravel()))

    def fix(self, labels: Labels, why: str) -> None:
        """Leave units where they are."""
        found = self.find(labels)
        found = np.unique(found[found > 0])
        self._still[found] = True
        self.why |= dict.fromkeys(found.tolist(), why)

    def relate(self, x: Labels, y: Labels, why: str) -> int:
        """Two rows of labels meet, element by element, in an operation that treats all alike.

        Equal in number, they are joined; many to one, the many stand inside of the one; all
        with all, as the rows and columns of a grid, they have nothing to do with each other.

        Args:
            x: Labels.
            y: Labels that x broadcasts with.
            why: What to say if they must be fixed because no such rule holds.

        Returns:
            1 if x tells y (y may be forgotten), -1 if y tells x, 0 if neither does.
        """
        raw = [part.ravel() for part in np.broadcast_arrays(x, y)]
        x, y = (self.find(part) for part in raw)
        for inner, outer, before in ((x, y, raw[1]), (y, x, raw[0])):
            self._once_apart(inner, outer, before)
        pairs = np.unique(np.stack([x, y]), axis=1)
        # A padded constant is the same for all that it meets, and tells none of it.
        blank = (pairs == NOTHING) & (pairs != NOTHING)[::-1]
        pairs = pairs[:, ~blank.any(0)]
        told = self._relate(pairs, why)
        return 0 if told and blank[0 if told == 1 else 1].any() else told

    def _once_apart(self, inner: Labels, outer: Labels, before: Labels) -> None:
        """Tell apart what meets several units that have become one, by which of them it met.

        Where channels are added to their neighbours all become one unit; what meets it here and
        what meets it there are not the same for that.
        """
        times = occurrences(before, outer)
        if times.any():
            units = inner > 0
            self.hold(inner[units], TIMES - times[units])

    def _relate(self, pairs: Labels, why: str) -> int:
        x, y = pairs
        (xs, nx), (ys, ny) = (np.unique(part, return_counts=True) for part in pairs)
        one, other = bool((nx == 1).all()), bool((ny == 1).all())
        if (x <= 0).all() and (y <= 0).all():
            return 1 if one else -1 if other else 0
        if one and other:
            units = (x > 0) & (y > 0)
            self.join(x[units], y[units])
            self._told(x[~units], y[~units])
            self._told(y[~units], x[~units])
            return 1 if (x <= 0).all() or (y > 0).any() else -1
        if one or other:
            inner, outer = (x, y) if one else (y, x)
            self._told(inner, outer)
            return 1 if one else -1
        if len(xs) * len(ys) != len(x):
            self._blocks(x, y, why)
        return 0

    def _told(self, inner: Labels, outer: Labels) -> None:
        """Each inner label has one outer one."""
        units = inner > 0
        self.hold(inner[units], outer[units])
        given = of_inputs(inner)
        self.fix(outer[~units & ~given], "meets coordinates that never move")
        self.fix(outer[given], "inputs of the network")

    def _blocks(self, x: Labels, y: Labels, why: str) -> None:
        """Several grids side by side: each is a block that both its rows and columns stand in."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        (xs, at), (ys, of) = (np.unique(part, return_inverse=True) for part in (x, y))
        size = len(xs) + len(ys)
        graph = coo_array((np.ones(len(x)), (at, of + len(xs))), shape=(size, size))
        count, part = connected_components(graph, directed=False)
        rows, columns = (
            np.bincount(p, minlength=count) for p in (part[: len(xs)], part[len(xs) :])
        )
        if int((rows * columns).sum()) != len(x):
            self.fix(np.concatenate([x, y]), why)
            return
        if count > 1:
            still = (xs <= 0).all() or (ys <= 0).all()
            blocks = coordinates([count]) if still else self.fresh(count)
            for labels, of_block in ((xs, part[: len(xs)]), (ys, part[len(xs) :])):
                self._told(labels, blocks[of_block])
