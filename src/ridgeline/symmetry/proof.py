"""Proof that transforms leave a function unchanged: by evaluation, in float64."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ridgeline.errors import NotASymmetry
from ridgeline.graph import Network
from ridgeline.symmetry.evaluation import drawn, outputs_of, random_state
from ridgeline.symmetry.group import Order
from ridgeline.symmetry.lengths import many
from ridgeline.symmetry.residual import Residual
from ridgeline.symmetry.scaling import Rescalable
from ridgeline.symmetry.symmetry import Symmetry
from ridgeline.symmetry.transform import Transform
from ridgeline.symmetry.turns import cycles, sets
from ridgeline.symmetry.words import made_in

__all__ = ["Bench", "Proof", "Wrong", "drawn", "outputs_of", "prove", "random_state"]

ALONE = 50_000_000
"""Numbers that may be turned to try each group alone; above, all are turned at once, and alone only
if that fails."""

CHEAP = 1_000_000
"""Numbers of a state up to which there are `SAMPLES` samples."""

SAMPLES = 16

APART = 2
"""Sets of fibres that are turned without the others where all groups are turned at once."""


@dataclass(frozen=True)
class Proof:
    """Outcome of the evaluation of a symmetry.

    Args:
        residual: Largest change of an output over its size.
        tolerance: What it had to stay below.
        moved: Units that were moved, each group's at least once; 0 of a symmetry without groups,
            of which nothing is proved.
    """

    residual: float
    tolerance: float
    moved: int


@dataclass(frozen=True)
class Wrong:
    """A group or a scaling that changes outputs.

    Args:
        name: Of the group or the scaling.
        group: Of the group.
        change: Of the outputs, over their size.
    """

    name: str
    group: str
    change: float


def prove(symmetry: Symmetry, network: Network, example: Any, *, seed: int = 0) -> Proof:
    """Compare a network's outputs before and after elements that move every unit.

    The weights are random, so that no bias is zero and no channel like another by chance, and
    inputs have noise added, so that no two are alike. Every fibre of every group is turned by a
    cycle through all of its units at the example, and by another element, which together with the
    first generates all of its permutations, at inputs of another magnitude, batch size and length
    where the network takes them. Of scalings, no factor is near 1 and an odd number of signs flips
    in each fibre. Small networks are turned by one group at a time, large ones by
    all groups at once, with cycles that are drawn apart.
    Rows of a table that the example's tokens do not choose are not tested.

    Args:
        symmetry: What to prove; groups of one's own among them.
        network: The network.
        example: A batch of inputs.
        seed: Of the weights and of the elements.

    Raises:
        NotASymmetry: Naming each group that changes the outputs by itself.
        UsageError: If no output is a tensor, or none is finite.
    """
    bench = Bench(network, example, seed)
    if wrong := bench.wrong(symmetry):
        raise NotASymmetry(
            {w.name: w.change for w in wrong},
            bench.here.tolerance,
            where={w.name: made_in(symmetry.named(w.group)) for w in wrong},
            groups=list(dict.fromkeys(w.group for w in wrong)),
        )
    moved = sum(g.fibres * g.size for g in symmetry.groups if g.size > 1)
    return Proof(bench.largest, bench.here.tolerance, moved)


class Bench:
    """A network at the inputs of a proof: the example's, far from it, longer and shorter ones.

    Args:
        network: The network.
        example: A batch of inputs.
        seed: Of weights, inputs and elements.

    Raises:
        NonFinite: If a parameter or a statistic of the network is not finite.
        UsageError: If no output is a tensor, or none is finite.
    """

    def __init__(self, network: Network, example: Any, seed: int) -> None:
        self.seed = seed
        self.here = Residual(network, example, seed)
        longer, shorter = self.here.longer(example), self.here.shorter(example)
        self.longer = None if longer is None else longer[0]
        """A longer batch than the example that the network takes, if there is one."""
        several = self._many(example) or (longer and longer[1])
        sizes = (several, shorter and shorter[1])
        self.sizes = [one for one in sizes if one is not None]
        self.far = self.here.elsewhere() or self.here
        self.largest = 0.0
        """Change of an output at the example, of those explained by rounding."""

    def _many(self, example: Any) -> Residual | None:
        """At more samples of the longer batch, if that is cheap: a unit may be silent at two."""
        if sum(x.numel() for x in self.here.network.tensors.values()) >= CHEAP:
            return None
        return self.here.at(many(example if self.longer is None else self.longer, SAMPLES))

    def wrong(self, symmetry: Symmetry) -> list[Wrong]:
        """Groups and scalings that change outputs, first those that do so alone.

        Args:
            symmetry: Any.

        Returns:
            What must be left out for the rest to be a symmetry.
        """
        size = sum(int(np.prod(shape)) for shape in symmetry.shapes.values())
        parts = len(symmetry.groups) + len(symmetry.scalings) + len(symmetry.exchanges)
        if size * parts > ALONE and not self._changed(symmetry, most=APART):
            return []
        found = [w for w in self._alone(symmetry) if w.change]
        rest = _less(symmetry, found)
        if self._changed(rest):
            found += self._together(rest)
        return found

    def _alone(self, symmetry: Symmetry) -> Iterator[Wrong]:
        for group in (*symmetry.groups, *symmetry.exchanges):
            yield Wrong(group.name, group.name, self._changed(symmetry.only(group.name), most=None))
        for member in symmetry.scalings:
            yield Wrong(member.name, member.group, self._scaled(symmetry, member))

    def _scaled(self, symmetry: Symmetry, member: Rescalable) -> float:
        """What the factors of one member change, in all fibres and in sets of them."""
        group = symmetry.group(member.group)

        def moving(spread: float, fibres: np.ndarray | None = None) -> Transform:
            scaling = member.moving(group, self.seed + int(spread), spread, fibres)
            return Transform((scaling,), symmetry.ties)

        if change := self._change(moving(1.0), moving(7.0)):
            return change
        for bit in range((group.fibres - 1).bit_length()):
            chosen = (np.arange(group.fibres) >> bit & 1).astype(bool)
            if change := self._change(moving(1.0, chosen)):
                return change
        return 0.0

    def _together(self, symmetry: Symmetry) -> Iterator[Wrong]:
        """Groups and scalings that change outputs with those before them, though not alone."""
        every = (*symmetry.groups, *symmetry.exchanges)
        kept = _less(symmetry, [Wrong(g.name, g.name, 1.0) for g in every])
        for group in symmetry.groups:
            more = kept.adding(group)
            if change := self._changed(more):
                yield Wrong(group.name, group.name, change)
            else:
                kept = more
        for exchange in symmetry.exchanges:
            more = replace(kept, exchanges=(*kept.exchanges, exchange))
            if change := self._changed(more):
                yield Wrong(exchange.name, exchange.name, change)
            else:
                kept = more
        for member in symmetry.scalings:
            if all(g.name != member.group for g in kept.groups):
                continue
            more = _with(kept, member)
            if change := self._changed(more):
                yield Wrong(member.name, member.group, change)
            else:
                kept = more

    def _changed(self, symmetry: Symmetry, *, most: int | None = 0) -> float:
        """Return what turning all groups at once changes: 0 if rounding explains it.

        Args:
            symmetry: Whose groups and scalings.
            most: Sets of fibres that are turned without the others; None for as many as it takes.
        """
        every = (*symmetry.groups, *symmetry.exchanges)
        orders = {g.name: cycles(g, self.seed) for g in every}
        first, second = ({n: both[k] for n, both in orders.items()} for k in (0, 1))
        if change := self._change(
            self._element(symmetry, first, 1.0), self._element(symmetry, second, 7.0)
        ):
            return change
        for chosen in sets(symmetry.groups, most=most):
            part = {n: _part(first[n], fibres) for n, fibres in chosen.items()}
            if change := self._change(symmetry.transform(part)):
                return change
        return 0.0

    def _element(self, symmetry: Symmetry, orders: Mapping[str, Order], spread: float) -> Transform:
        element = symmetry.transform(orders)
        for k, member in enumerate(symmetry.scalings):
            group = symmetry.group(member.group)
            moving = member.moving(group, self.seed + int(spread) + k, spread)
            element = Transform((moving,), symmetry.ties) @ element
        return element

    def _change(self, first: Transform, second: Transform | None = None) -> float:
        """Change of outputs by a first element, at other sizes too, and far away by a second.

        At other sizes units are turned by what leaves none where it is: which of them is told
        from the others may be another one at each size.
        """
        turned = self.here.carried(first)
        change = self.here.changed(turned)
        if not self.here.small(change):
            return change
        self.largest = max(self.largest, change)
        if second is None:
            return 0.0
        for place in self.sizes:
            if not place.small(change := place.changed(turned)):
                return change
        change = self.far.changed(self.far.carried(second))
        return 0.0 if self.far.small(change) else change


def _part(order: Order, fibres: np.ndarray) -> Order:
    """An order of some fibres; the others stay."""
    return np.where(fibres[:, None], order, np.arange(order.shape[1]))


def _less(symmetry: Symmetry, wrong: Sequence[Wrong]) -> Symmetry:
    """A symmetry without what was found wrong."""
    names = {w.name for w in wrong}
    groups = [g.name for g in (*symmetry.groups, *symmetry.exchanges) if g.name in names]
    left = symmetry.without(*groups)
    kept = tuple(m for m in left.scalings if m.name not in names)
    return replace(left, scalings=kept)


def _with(symmetry: Symmetry, member: Rescalable) -> Symmetry:
    return replace(symmetry, scalings=(*symmetry.scalings, member))
