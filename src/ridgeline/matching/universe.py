"""Strategies that carry many networks into one frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.matching.contract import MatchedMany, Strategy, spread
from ridgeline.matching.frank_wolfe import FrankWolfe, ascend
from ridgeline.matching.relaxed import Matrices, barycentre, degree, harden, matched_names, soft
from ridgeline.matching.together import match_together
from ridgeline.matching.weights import WeightMatching
from ridgeline.progress import Progress
from ridgeline.rng import seed_of
from ridgeline.state import State
from ridgeline.symmetry import Symmetry, Transform
from ridgeline.symmetry.shortened import shortened

__all__ = ["CycleConsistent", "MergeMany", "ToReference"]

States = Sequence[Mapping[str, Tensor]]


def _pair(
    by: Strategy, a: Mapping[str, Tensor], b: Mapping[str, Tensor], symmetry: Symmetry, seed: int
) -> Transform:
    found = match_together(by, a, b, symmetry, seed=seed, progress=None).transform
    if found is None:
        raise UsageError(
            "A common frame is reached by transforms.", got=f"{type(by).__name__}, that mixes units"
        )
    return found


@dataclass(frozen=True, kw_only=True)
class ToReference:
    """Each network matched to one of them, on its own: the obvious way.

    Args:
        by: How; weight matching by default.
        reference: Which network the others are carried to.
    """

    by: Strategy | None = None
    reference: int = 0

    def match_many(
        self, given: States, symmetry: Symmetry, *, seed: int = 0, progress: Progress | None = None
    ) -> MatchedMany:
        """A transform for each state, the identity for the reference."""
        if not -len(given) <= self.reference < len(given):
            raise UsageError("The reference is one of the states.", got=f"{self.reference}")
        anchor = self.reference % len(given)
        found = []
        for i, x in enumerate(given):
            by = self.by or WeightMatching()
            own = symmetry.identity()
            found.append(own if i == anchor else _pair(by, given[anchor], x, symmetry, seed))
            if progress:
                progress("to the reference", i + 1, len(given))
        return MatchedMany(transforms=tuple(found))


@dataclass(frozen=True, kw_only=True)
class MergeMany:
    """Each network in turn matched to the mean of the others, until nothing comes nearer.

    Ainsworth et al. (2023), algorithm 3. A match that does not bring the states nearer to each
    other is not taken, so the spread never grows.

    Args:
        by: How one is matched to the mean of the others; weight matching by default.
        rounds: At most so many, each over all networks in a random order.
        tolerance: Stop when a round lessens the spread by no more than this share.
    """

    by: Strategy | None = None
    rounds: int = 100
    tolerance: float = 1e-6

    def match_many(
        self, given: States, symmetry: Symmetry, *, seed: int = 0, progress: Progress | None = None
    ) -> MatchedMany:
        """A transform for each state; `history` is the spread, at first and after each round."""
        start = [symmetry.identity()] * len(given)
        found, history = self.settle(given, start, symmetry, seed=seed, progress=progress)
        measure = "spread: root mean square distance from the mean"
        notes = () if len(history) <= self.rounds else (f"stopped after {self.rounds} rounds",)
        return MatchedMany(
            transforms=tuple(found),
            objective={"before": history[0], "after": history[-1]},
            history=tuple(history),
            measure=measure,
            notes=notes,
        )

    def settle(
        self,
        given: States,
        transforms: Sequence[Transform],
        symmetry: Symmetry,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> tuple[list[Transform], list[float]]:
        """Rounds from where transforms have carried the states; see `match_many`."""
        found = list(transforms)
        carried: list[State] = [t(x) for t, x in zip(found, given, strict=True)]
        names = list(states.coordinates(given[0]))
        total = {n: torch.stack([x[n].double() for x in carried]).sum(0) for n in names}
        history = [spread(carried)]
        draws = np.random.default_rng(seed_of(seed, "merge many"))
        by = self.by or WeightMatching(renewals=0)  # each round is another try
        for done in range(self.rounds):
            for i in draws.permutation(len(given)).tolist():
                before = {n: carried[i][n].double() for n in names}
                rest = {n: total[n] - before[n] for n in names}
                others = dict(carried[i]) | {
                    n: (x / (len(given) - 1)).to(carried[i][n].dtype) for n, x in rest.items()
                }
                step = _pair(by, others, carried[i], symmetry, seed_of(seed, i, done))
                moved = step(carried[i])
                after = {n: moved[n].double() for n in names}
                gain = sum(float((rest[n] * (after[n] - before[n])).sum()) for n in names)
                if gain > 0:
                    found[i] = shortened(step @ found[i], symmetry)
                    carried[i] = moved
                    total = {n: rest[n] + after[n] for n in names}
            history.append(spread(carried))
            if progress:
                progress("merge many", done + 1, self.rounds)
            if history[-2] - history[-1] <= self.tolerance * history[-2]:
                break
        return found, history


@dataclass(frozen=True, kw_only=True)
class CycleConsistent:
    """All networks at once into a universe, by Frank-Wolfe steps (Crisostomi et al. 2024, C2M3).

    Maximises ``sum_{a < b} <P_a a, P_b b>`` over the matrices of all networks and groups. Derived:
    the sum is ``(|sum_k P_k a_k|^2 - sum_k |P_k a_k|^2) / 2``, so a step costs as much as there are
    networks, not pairs; and the line search is exact (`frank_wolfe.best_step`). The universe is
    known only up to a permutation of its own, which is settled by holding one network, the anchor,
    where it is; the others start from the barycentre of all permutations. (The paper starts all of
    them from the identity, among other choices.) Also its own: the gain that counts as none is a
    share of the objective, where theirs is 1e-6 itself, and the identity is kept where no start
    ends with less spread.

    Args:
        restarts: Starts, each with another anchor; the least spread counts.
        iterations: Frank-Wolfe steps at most, for each start.
        tolerance: Stop when steps gain less than this share of the objective.
        patience: So many small gains in a row are needed to stop.
        settle: Rounds of `MergeMany` after the permutations were taken, at most; they can only
            lessen the spread. The paper has none: 0.
    """

    restarts: int = 1
    iterations: int = 200
    tolerance: float = 1e-6
    patience: int = 5
    settle: int = 20

    def match_many(
        self, given: States, symmetry: Symmetry, *, seed: int = 0, progress: Progress | None = None
    ) -> MatchedMany:
        """A transform for each state; `history` is the objective after each step."""
        if symmetry.more and not self.settle:
            names = ", ".join(g.name for g in symmetry.more)
            raise UsageError(
                "Generators beside groups are matched in the rounds that settle all networks.",
                got=f"settle=0, and {names}",
                remedy="Leave `settle` as it is, or use `MergeMany`.",
            )
        if self.restarts < 1 or self.settle < 0:
            raise UsageError(
                "There is at least one start, and no negative number of rounds.",
                got=f"{self.restarts}, {self.settle}",
            )
        anchors = np.random.default_rng(seed_of(seed, "anchors")).permutation(len(given))
        best, history, least = [symmetry.identity()] * len(given), [], spread(given)
        notes: tuple[str, ...] = ("No start ended better than the identity, which is kept.",)
        for start, anchor in enumerate(anchors[: self.restarts].tolist()):
            found, values = list(best), []
            if symmetry.groups:
                found, values = self._climb(given, symmetry, anchor)
            if self.settle:
                found, _ = MergeMany(rounds=self.settle).settle(given, found, symmetry, seed=seed)
            reached = spread([t(x) for t, x in zip(found, given, strict=True)])
            history = history or values
            if reached < least:
                best, history, least, notes = found, values, reached, ()
            if progress:
                progress("cycle-consistent", start + 1, min(self.restarts, len(given)))
        own = [n for g in symmetry.more for n in g.tensors() if given[0][n].is_floating_point()]
        names = list(dict.fromkeys([*matched_names(symmetry, given[0]), *own]))
        carried = [t(x) for t, x in zip(best, given, strict=True)]
        before, after = (
            float(_pairs([{n: states.wide(x[n].detach()) for n in names} for x in each], names))
            for each in (given, carried)
        )
        return MatchedMany(
            transforms=tuple(best),
            objective={"before": before, "after": after},
            history=tuple(history),
            measure="sum of inner products of pairs, relaxed in the history",
            notes=notes,
        )

    def _climb(
        self, given: States, symmetry: Symmetry, anchor: int
    ) -> tuple[list[Transform], list[float]]:
        names = matched_names(symmetry, given[0])
        moving = [{n: states.wide(x[n].detach()) for n in names} for x in given]
        free = [k for k in range(len(given)) if k != anchor]
        at = {f"{k}/{g.name}": barycentre(g, torch.float32) for k in free for g in symmetry.groups}

        def objective(p: Matrices) -> Tensor:
            held = [
                x if k == anchor
                else soft(x, symmetry, {g.name: p[f"{k}/{g.name}"] for g in symmetry.groups})
                for k, x in enumerate(moving)
            ]  # fmt: skip
            return _pairs(held, names)

        settings = FrankWolfe(
            iterations=self.iterations, tolerance=self.tolerance, patience=self.patience
        )
        at, history = ascend(objective, at, 2 * degree(symmetry, names), settings)
        found = [
            symmetry.identity() if k == anchor
            else symmetry.transform({g.name: harden(at[f"{k}/{g.name}"]) for g in symmetry.groups})
            for k in range(len(given))
        ]  # fmt: skip
        return found, history


def _pairs(held: States, names: Sequence[str]) -> Tensor:
    """The sum over pairs of inner products, summed in float64."""
    sums = []
    for n in names:
        stack = torch.stack([x[n] for x in held])
        whole = stack.sum(0).square().sum(dtype=torch.float64)
        sums.append((whole - stack.square().sum(dtype=torch.float64)) / 2)
    return torch.stack(sums).sum() if sums else torch.zeros((), dtype=torch.float64)
