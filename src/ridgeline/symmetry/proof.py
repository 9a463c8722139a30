"""Proof that transforms leave a function unchanged: by evaluation, in float64."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ridgeline.errors import NotASymmetry
from ridgeline.graph import Network
from ridgeline.symmetry.evaluation import drawn, outputs_of, random_state
from ridgeline.symmetry.generator import Generator
from ridgeline.symmetry.lengths import many, of_one
from ridgeline.symmetry.residual import Residual
from ridgeline.symmetry.symmetry import Symmetry
from ridgeline.symmetry.transform import Transform
from ridgeline.symmetry.turns import sets
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
    moved = sum(g.units for g in symmetry.generators if g.elements or g in symmetry.more)
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
        # Of a single position much is silent: half of the way, too, is tried.
        between = self.here.shorter(longer[0]) if longer and of_one(example) else None
        sizes = (several, shorter and shorter[1], between and between[1])
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
        every, ties = symmetry.generators, symmetry.ties
        if size * len(every) > ALONE and not self._changed(every, ties, most=APART):
            return []
        alone = (Wrong(g.name, g.of, self._changed([g], ties, most=None)) for g in every)
        found = [w for w in alone if w.change]
        gone = {w.name for w in found}
        rest = [g for g in every if not {g.name, g.of} & gone]
        if self._changed(rest, ties):
            found += self._together(rest, ties)
        return found

    def _together(self, every: Sequence[Generator], ties: Mapping[str, str]) -> Iterator[Wrong]:
        """Generators that change outputs with those before them, though not alone."""
        kept: list[Generator] = []
        for generator in every:
            if generator.of not in {generator.name, *(g.name for g in kept)}:
                continue
            if change := self._changed([*kept, generator], ties):
                yield Wrong(generator.name, generator.of, change)
            else:
                kept.append(generator)

    def _changed(
        self, every: Sequence[Generator], ties: Mapping[str, str], *, most: int | None = 0
    ) -> float:
        """Return what turning all generators at once changes: 0 if rounding explains it.

        Args:
            every: The generators, inner ones first.
            ties: Other names of tensors.
            most: Sets of fibres that are turned without the others; None for as many as it takes.
        """
        first, second = (
            Transform(tuple(g.moving(self.seed, turn) for g in every), ties) for turn in (0, 1)
        )
        if change := self._change(first, second):
            return change
        by_name = {g.name: g for g in every}
        for chosen in sets({g.name: g.fibres for g in every if g.apart}, most=most):
            part = (by_name[name].moving(self.seed, 0, x) for name, x in chosen.items())
            if change := self._change(Transform(tuple(part), ties)):
                return change
        return 0.0

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
