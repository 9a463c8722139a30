"""Weight matching: the element that brings b's parameters nearest to a's.

Reference: Ainsworth, Hayase & Srinivasa (2023), "Git Re-Basin: Merging Models modulo Permutation
Symmetries", section 3.2 and algorithm 1: coordinate descent over the layers' permutations, each
step a linear assignment, in random order, until nothing changes. Differs in: groups are those of
any symmetry, with fibres and groups inside of groups; a group is solved again only if one that
stands in a tensor with it has moved, and only those products are made anew; several starts, of
which the best counts; the growth that counts is relative, 1e-7 of what the units that move
overlap, where their code has 1e-12 in float32.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from ridgeline.errors import UnknownName, UsageError
from ridgeline.matching.align import Matched, Progress, Strategy
from ridgeline.matching.blocks import improve
from ridgeline.matching.outward import outward
from ridgeline.matching.overlap import Overlap
from ridgeline.rng import seed_of
from ridgeline.symmetry import Symmetry, Transform
from ridgeline.symmetry.frame import Orders, compose, framed

__all__ = ["WeightMatching"]

ROUNDING = 1e-12
"""Share of |a| |b| within which two overlaps, summed in float64, are equal."""


@dataclass(frozen=True)
class WeightMatching:
    """Git Re-Basin's weight matching, on any symmetry.

    It maximises ``<a, g(b)>``, summed over the floating tensors in which a group stands; since a
    transform keeps norms, that is to minimise the distance. Each tensor counts once, whatever
    its names. Running statistics are carried but not counted, unless asked.

    A group that stands twice in one tensor (both axes of a residual stream's own weight) makes the
    objective quadratic: it is linearised at the current order, and the step is taken only if the
    true objective grows, so that the objective never falls. The result is a local optimum.

    Args:
        restarts: Starts, each with groups in other random orders; the best objective counts. The
            first begins at `init`; others too, if it is given. Else they begin at random elements,
            and for ``"outward"`` every second one is built up in random order.
        sweeps: Most rounds over the groups, for each start.
        init: Where starts begin. ``"outward"``: at what `outward` builds, or at the identity if
            that overlaps more. Else the identity, a transform, or what another strategy finds.
        tolerance: Growth that counts as none, as a share of what the units that move overlap.
        statistics: Count running statistics of normalisation layers too.

    Raises:
        UsageError: If a number is not positive.
    """

    restarts: int = 1
    sweeps: int = 100
    init: Literal["outward", "identity"] | Transform | Strategy = "outward"
    tolerance: float = 1e-7
    statistics: bool = False

    never_worse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("restarts", "sweeps"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is at least 1.", got=str(getattr(self, name)))
        if not self.tolerance >= 0:
            raise UsageError("A tolerance is not negative.", got=str(self.tolerance))
        if isinstance(self.init, str) and self.init not in ("outward", "identity"):
            raise UnknownName(
                "start of weight matching",
                self.init,
                ["outward", "identity"],
                "Or give a transform, or a strategy such as ActivationMatching(...).",
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
        """The transform that brings b's parameters nearest to a's; see the class.

        Raises:
            UsageError: If the symmetry has no group among the counted tensors, or the start is
                no permutation.
        """
        overlap = Overlap(a, b, symmetry, statistics=self.statistics)
        given = self._given(a, b, symmetry, overlap, seed, progress)
        rounding = ROUNDING * overlap.scale
        before = overlap.value(overlap.identities())
        best, after, history, ends = given, before, (before,), []
        for restart in range(self.restarts):
            draws = np.random.default_rng(seed_of(seed, "weight matching", restart))
            found = self._start(symmetry, overlap, given, draws, restart)
            values = [overlap.value(found)]
            if restart == 0 and self.init == "outward" and values[0] < before:
                found, values = overlap.identities(), [before]
            for orders, grown in descend(overlap, found, draws, self.tolerance, self.sweeps):
                found = orders
                values.append(values[-1] + grown)
                if progress is not None:
                    progress(
                        "weight matching",
                        restart * self.sweeps + len(values) - 1,
                        self.restarts * self.sweeps,
                    )
            ends.append(overlap.value(found))
            if restart == 0 or ends[-1] > after + rounding:
                best, after, history = found, ends[-1], tuple(values)
        notes = self._notes(ends, history)
        if after < before:  # only from a start that is not the identity
            best, after = overlap.identities(), before
            notes = (*notes, "the start led to less than the identity, which is given instead")
        return Matched(
            transform=compose(best, symmetry),
            objective={"before": before, "after": after, "start": history[0]},
            goal="maximise",
            measure="overlap <a, g(b)>",
            sweeps=len(history) - 1,
            history=history,
            notes=notes,
        )

    def _given(
        self,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        overlap: Overlap,
        seed: int,
        progress: Progress | None,
    ) -> Orders:
        """The orders that `init` names, or the identity."""
        init = self.init
        if isinstance(init, str):
            return overlap.identities()
        if not isinstance(init, Transform):
            found = init.match(a, b, symmetry, seed=seed, progress=progress).transform
            if found is None:
                raise UsageError(
                    "Weight matching starts from a transform.",
                    got=f"{type(init).__name__}, which mixes units",
                )
            init = found
        return framed(init, symmetry)

    def _start(
        self,
        symmetry: Symmetry,
        overlap: Overlap,
        given: Orders,
        draws: np.random.Generator,
        restart: int,
    ) -> Orders:
        """Where one start begins; the first draws nothing."""
        if self.init == "outward" and (restart == 0 or restart % 2):
            return outward(overlap, draws if restart else None)
        if isinstance(self.init, str) and restart:
            return framed(symmetry.random(int(draws.integers(2**62))), symmetry)
        return given

    def _notes(self, ends: list[float], history: tuple[float, ...]) -> tuple[str, ...]:
        notes = []
        if len(history) - 1 >= self.sweeps:
            notes.append(f"stopped after {self.sweeps} sweeps, not yet at rest")
        if len(ends) > 1:
            notes.append(f"{len(ends)} starts ended between {min(ends):.6g} and {max(ends):.6g}")
        return tuple(notes)


def descend(
    overlap: Overlap, start: Orders, draws: np.random.Generator, tolerance: float, sweeps: int
) -> Iterator[tuple[Orders, float]]:
    """Coordinate descent: the orders after each sweep, and by how much the overlap grew.

    Args:
        overlap: Of two states.
        start: Orders of every group, in the frame.
        draws: Of the order of groups within a sweep.
        tolerance: Growth that counts as none; see `improve`.
        sweeps: The most there are.

    Yields:
        Until every group was solved since its neighbours last moved.
    """
    names = [name for name in overlap.groups if _matters(overlap, name)]
    near = {name: overlap.neighbours(name) for name in names}
    solved: dict[str, tuple[object, ...]] = {}
    orders = start
    for _ in range(sweeps):
        total, moved = 0.0, False
        for i in draws.permutation(len(names)):
            name = names[i]
            known = tuple(orders[n] for n in near[name])
            if name in solved and all(x is y for x, y in zip(solved[name], known, strict=True)):
                continue
            solved[name] = known
            orders, grown = improve(overlap, name, orders, tolerance)
            total, moved = total + grown, moved or grown > 0
        yield orders, total
        if not moved:
            return


def _matters(overlap: Overlap, name: str) -> bool:
    return any(overlap.of[n] for n in (name, *overlap.below(name)))
