"""Simulated annealing over permutations, for comparison.

Reference: Entezari, Sedghi, Saukh & Neyshabur (2022), "The Role of Permutation Invariance in
Linear Mode Connectivity of Neural Networks", section 4: 50,000 steps with the temperature falling
from 25,000 to 2.5, as in their code; geometric cooling and the best state seen kept [memory, as
the package they use does]. A step swaps two units of one group [memory]. Differs in: the energy
is whatever is given, and the squared distance by default, of which a swap changes few terms, and
which coordinate descent lessens at the end, from the best state seen and from the identity.

At their temperatures nearly every step is taken unless energies differ by thousands: the search
is a walk that keeps the best it saw. Lower `initial_temperature` and `final_temperature` to anneal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.matching.contract import Matched
from ridgeline.matching.descent import descended
from ridgeline.matching.overlap import Overlap
from ridgeline.matching.search import Search
from ridgeline.matching.swaps import Swaps
from ridgeline.progress import Progress
from ridgeline.rng import seed_of
from ridgeline.symmetry import Symmetry
from ridgeline.symmetry.frame import Orders, act, compose, identities

__all__ = ["SimulatedAnnealing"]

Energy = Callable[[Mapping[str, Tensor]], float]
"""The objective that is minimised, of the carried state; such as the barrier of a and the state."""

TOLD = 100
"""Times that progress is told and the history kept."""


@dataclass(frozen=True)
class SimulatedAnnealing:
    """Random swaps of units, taken if the energy falls, or with probability exp(-rise / T).

    Args:
        energy: Of b carried; the squared distance to a by default.
        steps: Swaps tried.
        initial_temperature: First temperature, in the energy's units.
        final_temperature: Last temperature.
        settle: Of the squared distance: descend at the end. The paper does not.

    Raises:
        UsageError: If a number is not positive, or the temperature would rise.
    """

    energy: Energy | None = None
    steps: int = 50_000
    initial_temperature: float = 25_000.0
    final_temperature: float = 2.5
    settle: bool = True

    never_worse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError("steps is at least 1.", got=str(self.steps))
        if not self.initial_temperature >= self.final_temperature > 0:
            raise UsageError(
                "Temperatures are positive and fall.",
                got=f"from {self.initial_temperature:g} to {self.final_temperature:g}",
            )

    def match(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Matched:
        """The best element that the walk saw; never worse than the identity.

        Raises:
            UsageError: If no group has two units to swap.
        """
        draws = np.random.default_rng(seed_of(seed, "simulated annealing"))
        walk = _Walk(a, b, symmetry, self.energy)
        cooling = np.log(self.final_temperature / self.initial_temperature)
        history, taken, late = [walk.energy], 0, 0
        best, least = walk.orders, walk.energy
        for step in range(self.steps):
            heat = self.initial_temperature * np.exp(cooling * step / max(self.steps - 1, 1))
            rise = walk.propose(draws)
            if rise <= 0 or draws.random() < np.exp(-rise / heat):
                walk.accept()
                taken += 1
                late += step >= self.steps - self._tail
                if walk.energy < least:
                    best, least = walk.orders, walk.energy
            else:
                walk.reject()
            if (step + 1) % max(1, self.steps // TOLD) == 0:
                history.append(walk.energy)
                if progress is not None:
                    progress("simulated annealing", step + 1, self.steps)
        search = Search(symmetry.identity(), lambda x: walk.of(x(b)))
        search.offer(compose(best, symmetry))
        if self.settle and self.energy is None:
            search.offer(descended(a, b, symmetry, [search.best], seed))
        return search.matched(
            search.best,
            measure="squared distance" if self.energy is None else "energy",
            sweeps=self.steps,
            history=history,
            notes=(f"{taken} of {self.steps} swaps were taken{self._heat(late)}",),
        )

    @property
    def _tail(self) -> int:
        """Steps that count as the end of the cooling."""
        return max(1, self.steps // 10)

    def _heat(self, late: int) -> str:
        """Return the note that is due if the end was a random walk still."""
        if late <= self._tail / 2:
            return ""
        return (
            f", {late} of the last {self._tail}: at these temperatures it is a random walk; lower "
            "`initial_temperature` and `final_temperature`"
        )


class _Walk:
    """A place in the group, and the swap that is being thought about."""

    def __init__(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        energy: Energy | None,
    ) -> None:
        self.of = energy or (lambda x: states.distance(a, x) ** 2)
        self.symmetry, self.b, self.given = symmetry, b, energy
        self.orders = identities(symmetry)
        overlap = Overlap(a, b, symmetry)
        self.inside = overlap.inside
        # Groups whose units can be swapped, as often as they have units.
        able = [g for g in symmetry.groups if g.size > 1]
        if not able:
            raise UsageError("Annealing needs a group of two units.", got="none")
        self.names = [g.name for g in able]
        weights = np.array([g.fibres * g.size for g in able], float)
        self.shares = np.cumsum(weights / weights.sum())
        self.shapes = {g.name: (g.fibres, g.size) for g in able}
        self.swaps = None if energy else Swaps(overlap)
        self.energy = self.of(b)
        self._next: tuple[str, int, int, int, float] = ("", 0, 0, 0, 0.0)

    def propose(self, draws: np.random.Generator) -> float:
        """Think of a swap; by how much would the energy rise?"""
        at = min(int(np.searchsorted(self.shares, draws.random())), len(self.names) - 1)
        name = self.names[at]
        fibres, size = self.shapes[name]
        f, i = int(draws.integers(fibres)), int(draws.integers(size))
        j = (i + int(draws.integers(1, size))) % size
        if self.swaps is not None:
            rise = -2.0 * self.swaps.swap(name, f, i, j)
        else:
            rise = self.of(compose(self._swapped(name, f, i, j), self.symmetry)(self.b))
            rise -= self.energy
        self._next = name, f, i, j, rise
        return rise

    def accept(self) -> None:
        """Do it."""
        name, f, i, j, rise = self._next
        self.orders = self._swapped(name, f, i, j)
        self.energy += rise

    def reject(self) -> None:
        """Leave it."""
        if self.swaps is not None:
            self.swaps.undo()

    def _swapped(self, name: str, f: int, i: int, j: int) -> Orders:
        fibres, size = self.shapes[name]
        order = np.tile(np.arange(size), (fibres, 1))
        order[f, [i, j]] = j, i
        return act(self.orders, name, order, self.inside)
