"""Rescaling as a step of alignment: the factors of b's units that bring it nearest to a.

The best factor of one unit is the root of a polynomial (`ridgeline.matching.factors`). Units of
different groups share tensors, so this is repeated until nothing changes; the distance never
grows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.matching.contract import Matched, Strategy
from ridgeline.matching.factors import factors_of
from ridgeline.matching.search import alternate
from ridgeline.progress import Progress
from ridgeline.state import State
from ridgeline.symmetry import Group, Symmetry, Transform
from ridgeline.symmetry.canonical import canonically
from ridgeline.symmetry.scaling import Rescalable, Scaling

__all__ = ["Rescaling", "rescaled"]


@dataclass(frozen=True, kw_only=True)
class Rescaling:
    """Factors and signs of units, after a permutation found by another strategy.

    Permutation and factors are found in turn: given the one, the best of the other. They start
    from the permutation of b as it is, and from that of both canonical forms; the nearer end
    counts. What takes long of a strategy, which its `brief` form leaves out, is done first and
    last alone.

    Args:
        by: Finds permutations; None for factors alone. Weight matching makes every round nearer.
        rounds: Most turns of both.
        sweeps: Most rounds over the scalings within a turn.
        tolerance: Relative growth that counts as none.
    """

    by: Strategy | None = None
    rounds: int = 10
    sweeps: int = 100
    tolerance: float = 1e-9

    never_worse: ClassVar[bool] = True

    def match(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Matched:
        """The transform that brings b nearest to a, as far as turns find it.

        Raises:
            UsageError: If the symmetry has no scalings, or `by` gives no transform.
        """
        if not symmetry.scalings:
            raise UsageError(
                "Rescaling needs a symmetry with scalings.",
                got="one without",
                remedy="Find them with `rescalable(symmetry, model, example)`; networks of GELU "
                "and the like have none.",
            )
        before = states.distance(a, b)
        best, history = symmetry.identity(), [before]
        shorter = getattr(self.by, "brief", None)
        brief: Strategy | None = self.by if shorter is None else shorter()
        starts = [symmetry.identity()]
        if self.by is not None and brief is not None:
            starts = [
                _permutation(self.by, a, b, symmetry, seed),
                self._canonical(a, b, symmetry, brief, seed),
            ]
        for start in starts:
            found, distances = self._turns(a, b, symmetry, brief, start, seed, progress)
            if distances[-1] < history[-1]:
                best, history = found, [before, *(distances[1:] if self.by is None else distances)]
        if brief != self.by:
            best, more = self._turns(a, b, symmetry, self.by, best, seed, progress)
            history += more[1:]
        return Matched(
            transform=best,
            objective={"before": before, "after": history[-1]},
            goal="minimise",
            measure="distance |a - g(b)|",
            sweeps=len(history) - 1,
            history=tuple(history),
        )

    def _turns(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        by: Strategy | None,
        start: Transform,
        seed: int,
        progress: Progress | None,
    ) -> tuple[Transform, list[float]]:
        """Permutation and factors in turn, until b comes no nearer."""

        def part(at: State) -> Transform:
            step = symmetry.identity()
            if by is not None:
                step = _permutation(by, a, at, symmetry, seed)
            return rescaled(a, step(at), symmetry, sweeps=self.sweeps) @ step

        return alternate(
            a, b, start, [part],
            rounds=self.rounds, tolerance=self.tolerance, what="rescaling", progress=progress,
        )  # fmt: skip

    def _canonical(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        by: Strategy,
        seed: int,
    ) -> Transform:
        """The element that the permutation of both canonical forms gives, a's form undone.

        A permutation alone is blind where units differ in factor or sign.
        """
        to_a, to_b = canonically(a, symmetry), canonically(b, symmetry)
        return to_a.inverse() @ _permutation(by, to_a(a), to_b(b), symmetry, seed) @ to_b


def _permutation(
    by: Strategy,
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    symmetry: Symmetry,
    seed: int,
) -> Transform:
    found = by.match(a, b, symmetry, seed=seed, progress=None).transform
    if found is None:
        raise UsageError("Rescaling follows a permutation.", got=type(by).__name__)
    return found


def rescaled(
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    symmetry: Symmetry,
    *,
    sweeps: int = 100,
    tolerance: float = 1e-12,
) -> Transform:
    """The factors and signs of b's units that bring it nearest to a; units stay in their places.

    Args:
        a: A state, which stays.
        b: Another of the same network, permuted already.
        symmetry: With its scalings.
        sweeps: Most rounds over them.
        tolerance: Relative change of the squared distance that counts as none.
    """
    fixed = {n: x.double() for n, x in a.items() if x.is_floating_point()}
    at: State = {n: x.double() if x.is_floating_point() else x for n, x in b.items()}
    total = {m.name: np.ones(symmetry.group(m.group).identity().shape) for m in symmetry.scalings}
    before = _squared(fixed, at)
    for _ in range(sweeps):
        start = before
        for member in symmetry.scalings:
            group = symmetry.group(member.group)
            factors = factors_of(fixed, at, group, member)
            changed, reached, factors = _kept(fixed, at, group, member, factors, before)
            if changed is not None:
                at |= changed
                before = reached
                total[member.name] *= factors
        if start - before <= tolerance * max(start, 1e-300):
            break
    actions = [Scaling(symmetry.group(m.group), m, total[m.name]) for m in symmetry.scalings]
    moving = [s for s in actions if (s.factors != 1).any()]
    return Transform(tuple(moving), symmetry.ties)


def _kept(
    a: Mapping[str, Tensor],
    b: State,
    group: Group,
    member: Rescalable,
    factors: np.ndarray,
    before: float,
) -> tuple[State | None, float, np.ndarray]:
    """A step, made smaller until it brings b nearer: units of one tensor may not agree."""
    for _ in range(1 if member.signs else 8):
        if (factors == 1).all():
            break
        changed = Scaling(group, member, factors).changed(b)
        names = [n for n in changed if n in a and not states.is_statistic(n)]
        gain = sum(_squared(a, b, n) - _squared(a, changed, n) for n in names)
        if gain > 0:
            return changed, before - gain, factors
        factors = np.sqrt(np.abs(factors))
    return None, before, factors


def _squared(a: Mapping[str, Tensor], b: Mapping[str, Tensor], name: str = "") -> float:
    names = [name] if name else list(states.coordinates(a))
    return float(sum(torch.sum((a[n] - b[n]) ** 2) for n in names))
