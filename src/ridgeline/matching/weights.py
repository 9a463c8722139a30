"""Weight matching: the element that brings b's parameters nearest to a's.

Reference: Ainsworth, Hayase & Srinivasa (2023), "Git Re-Basin: Merging Models modulo Permutation
Symmetries", section 3.2 and algorithm 1: coordinate descent over the layers' permutations, each
step a linear assignment, in random order, until nothing changes. Differs in: groups are those of
any symmetry, with fibres and groups inside of groups; a group is solved again only if one that
stands in a tensor with it has moved, and only those products are made anew; several starts, of
which the best counts, the identity among them; random sets of groups are then forgotten, built up
anew from the others and descended from, which is kept where it overlaps more; the growth that
counts is relative, 1e-7 of what the units that move overlap, where their code has 1e-12 in
float32. ``WeightMatching(init="identity")`` is their algorithm alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from ridgeline.errors import UnknownName, UsageError
from ridgeline.matching.contract import Matched, Strategy
from ridgeline.matching.descent import descend
from ridgeline.matching.outward import outer_groups, outward, renewed
from ridgeline.matching.overlap import Overlap
from ridgeline.matching.search import Search
from ridgeline.numerals import several
from ridgeline.progress import Progress
from ridgeline.rng import seed_of
from ridgeline.symmetry import Symmetry, Transform
from ridgeline.symmetry.frame import Orders, compose, framed
from ridgeline.symmetry.stacking import stacked

__all__ = ["WeightMatching"]

RENEWALS = 30
"""Times that groups are forgotten, of small networks."""

NUMBERS = 30_000_000
"""Numbers that all renewals together may read: larger networks have fewer of them."""

PERFECT = 1e-9
"""A state that overlaps as much as the norms allow, up to this share, is found."""

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
        init: Where starts begin. ``"outward"``: at what `outward` builds, and one more at the
            identity. Else the identity, a transform, or what another strategy finds.
        renewals: Times that some groups of the best orders are forgotten and built up anew. By
            default 30, fewer above a million numbers, and none where `init` says where to begin;
            also none of a match that is perfect.
        tolerance: Growth that counts as none, as a share of what the units that move overlap.
        statistics: Count running statistics of normalisation layers too.

    Raises:
        UsageError: If a number is not positive.
    """

    restarts: int = 1
    sweeps: int = 100
    init: Literal["outward", "identity"] | Transform | Strategy = "outward"
    renewals: int | None = None
    tolerance: float = 1e-7
    statistics: bool = False

    never_worse: ClassVar[bool] = True
    exchanges: ClassVar[bool] = True
    """Whole modules are exchanged too."""

    def __post_init__(self) -> None:
        for name in ("restarts", "sweeps"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is at least 1.", got=str(getattr(self, name)))
        if self.renewals is not None and self.renewals < 0:
            raise UsageError("renewals is not negative.", got=str(self.renewals))
        if not self.tolerance >= 0:
            raise UsageError("A tolerance is not negative.", got=str(self.tolerance))
        if isinstance(self.init, str) and self.init not in ("outward", "identity"):
            raise UnknownName(
                "start of weight matching",
                self.init,
                ["outward", "identity"],
                "Or give a transform, or a strategy such as ActivationMatching(...).",
            )

    def brief(self) -> "WeightMatching":
        """The same without renewals, for the turns of a search that goes on."""
        return replace(self, renewals=0)

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

        Whole modules are exchanged too, unless the search begins at what another strategy finds.

        Raises:
            UsageError: If the symmetry has no group among the counted tensors, or the start is
                no permutation.
        """
        given = isinstance(self.init, (str, Transform))
        if given and (stack := stacked(symmetry)) is not None:
            held = stack.state(a), stack.state(b), stack.symmetry
            init = stack.within(self.init) if isinstance(self.init, Transform) else self.init
            matched = replace(self, init=init).match(*held, seed=seed, progress=progress)
            assert matched.transform is not None
            return replace(matched, transform=stack.transform(matched.transform))
        overlap = Overlap(a, b, symmetry, statistics=self.statistics)
        given = self._given(a, b, symmetry, overlap, seed, progress)
        search = Search(
            overlap.identities(), overlap.value, "maximise", margin=ROUNDING * overlap.scale
        )
        history, ends = (search.before,), list[float]()
        for restart in range(self.restarts + (self.init == "outward")):
            if ends and search.value >= overlap.scale * (1 - PERFECT):
                break
            draws = np.random.default_rng(seed_of(seed, "weight matching", restart))
            if restart < self.restarts:
                start = self._start(symmetry, overlap, given, draws, restart)
            else:
                start = overlap.identities()
            found, values = self._descended(overlap, start, draws, restart, progress)
            ends.append(search.offer(found))
            if restart == 0 or search.best is found:
                history = tuple(values)
        notes = self._notes(ends, history)
        if gained := self._renewed(overlap, search, seed):
            notes = (*notes, f"{several(gained, 'renewal')} of groups overlapped more")
            history = (*history, search.value)
        if max(ends) < search.before and not gained:
            notes = (*notes, "the start led to less than the identity, which is given instead")
        return search.matched(
            compose(search.best, symmetry),
            measure="overlap <a, g(b)>",
            sweeps=len(history) - 1 - bool(gained),
            history=history,
            notes=notes,
            start=history[0],
        )

    def _descended(
        self,
        overlap: Overlap,
        start: Orders,
        draws: np.random.Generator,
        restart: int,
        progress: Progress | None,
    ) -> tuple[Orders, list[float]]:
        """Return where a start leads, and the overlap after each sweep."""
        found, values = start, [overlap.value(start)]
        if overlap.perfect(start):
            return found, values * 2  # the round that would change nothing
        for orders, grown in descend(overlap, start, draws, self.tolerance, self.sweeps):
            found = orders
            values.append(values[-1] + grown)
            if progress is not None:
                done = min(restart * self.sweeps + len(values) - 1, self.restarts * self.sweeps)
                progress("weight matching", done, self.restarts * self.sweeps)
        return found, values

    def _renewed(self, overlap: Overlap, search: Search[Orders], seed: int) -> int:
        """Forget some groups of the best, again and again; how often that gained."""
        count = self.renewals
        if count is None:
            numbers = sum(x.numel() for x in overlap.a.values())
            count = min(RENEWALS, NUMBERS // max(numbers, 1)) if self.init == "outward" else 0
        names, gained = outer_groups(overlap), 0
        for k in range(count):
            if search.value >= overlap.scale * (1 - PERFECT):
                break
            draws = np.random.default_rng(seed_of(seed, "renewal", k))
            chosen = {n for n in names if draws.random() < 0.5}
            chosen = chosen or {names[int(draws.integers(len(names)))]}
            found = renewed(overlap, search.best, chosen, draws)
            for orders, _ in descend(overlap, found, draws, self.tolerance, self.sweeps):
                found = orders
            search.offer(found)
            gained += search.best is found
        return gained

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
        """Return where one start begins; the first draws nothing."""
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
