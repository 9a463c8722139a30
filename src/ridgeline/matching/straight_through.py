"""Straight-through matching: the permutation whose midpoint has the lowest loss.

Ainsworth, Hayase & Srinivasa (2023), "Git Re-Basin", algorithm 2: free parameters are trained such
that, projected on the permutations of b by weight matching, the loss at the midpoint with a falls.
The projection has no gradient; that of the midpoint is passed straight through it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UnknownName, UsageError
from ridgeline.matching.contract import Matched
from ridgeline.matching.losses import batches_of, mixed, parameters
from ridgeline.matching.search import Search
from ridgeline.matching.weights import WeightMatching
from ridgeline.objective import Objective, Samples, batch_loss
from ridgeline.objective.point import gradients
from ridgeline.progress import Progress
from ridgeline.symmetry import Symmetry, Transform
from ridgeline.symmetry.stacking import orders_of

__all__ = ["StraightThrough"]


@dataclass(frozen=True, kw_only=True)
class StraightThrough:
    """Straight-through matching (Ainsworth et al. 2023, algorithm 2).

    Differs from their algorithm in two things. Permutations are compared on one batch, the same for
    all, where theirs keeps the one whose own minibatch happened to have the lowest loss; the
    identity and the start are among them. And the first projection starts at what weight matching
    finds, where theirs starts at the identity: ``init="identity"`` does as they do.

    The loss `after` is the least of all that were compared, on the samples they were compared on,
    and so below what other samples give; measure the result anew.

    Args:
        objective: Model, data and loss.
        steps: Of gradient descent on the free parameters.
        rate: Of gradient descent.
        momentum: Of gradient descent.
        batch: Samples in a step.
        eval_samples: Samples on which permutations are compared.
        sweeps: Most rounds of weight matching in a projection, which starts at the last one.
        init: Where the first projection starts: at the permutation of default weight matching of
            a and b (``"weights"``), or at the ``"identity"``.

    Raises:
        UnknownName: If `init` is neither.
        UsageError: If a number is out of its range.
    """

    objective: Objective
    steps: int = 200
    rate: float = 1e-2
    momentum: float = 0.9
    batch: int = 1000
    eval_samples: int = 5000
    sweeps: int = 100
    init: Literal["weights", "identity"] = "weights"

    never_worse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.init not in ("weights", "identity"):
            raise UnknownName(
                "start of straight-through matching", self.init, ["weights", "identity"]
            )
        if not (self.rate > 0 and 0 <= self.momentum < 1 and self.steps >= 1):
            raise UsageError(
                "The rate is positive, momentum in [0, 1), and there is at least one step.",
                got=f"{self.rate}, {self.momentum}, {self.steps}",
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
        """The permutation of lowest loss that the steps visit; see `Strategy`.

        The `history` is the loss of each step's midpoint on its own batch.
        """
        fixed, moving = (parameters(self.objective, x) for x in (a, b))
        free = dict(fixed)
        names = [n for n in states.coordinates(fixed) if n not in symmetry.ties]
        speed = {n: torch.zeros_like(fixed[n]) for n in names}
        batches = batches_of(self.objective, self.batch, seed)
        judges = next(batches_of(self.objective, self.eval_samples, seed))

        def judge(transform: Transform) -> float:
            with torch.no_grad():
                return float(batch_loss(self.objective, mixed(fixed, transform(moving)), judges))

        search = Search(symmetry.identity(), judge)
        at = before = search.identity
        if self.init == "weights":
            at = before = self._nearest(
                WeightMatching(sweeps=self.sweeps), fixed, moving, symmetry, seed
            )
            search.offer(at)

        def step(_: int) -> float:
            nonlocal at, before
            before, at = at, self._project(free, moving, symmetry, at, seed)
            loss, slopes = self._slopes(mixed(fixed, at(moving)), names, symmetry, next(batches))
            for n in names:
                # Half, since the midpoint moves by half of what the free parameters move by.
                speed[n] = self.momentum * speed[n] + slopes[n] / 2
                free[n] = free[n] - self.rate * speed[n]
            states.tie(free, symmetry.ties)
            return loss

        search.follow(
            step,
            lambda: at if _differ(at, before, symmetry) else None,
            steps=self.steps,
            what="straight-through",
            progress=progress,
        )
        return search.matched(
            search.best,
            measure=f"loss at the midpoint, least of {search.tried} permutations on the "
            f"{len(judges)} samples that they were chosen on",
            notes=(f"{search.tried} permutations were compared, the identity among them",),
        )

    def _project(
        self,
        free: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        start: Transform,
        seed: int,
    ) -> Transform:
        """The permutation of b nearest to the free parameters, sought from the last one."""
        states.check_finite(free, "the free parameters of straight-through matching")
        by = WeightMatching(init=start, sweeps=self.sweeps)
        return self._nearest(by, free, b, symmetry, seed)

    def _nearest(
        self,
        by: WeightMatching,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        seed: int,
    ) -> Transform:
        found = by.match(a, b, symmetry, seed=seed).transform
        assert found is not None  # weight matching gives transforms
        return found

    def _slopes(
        self, middle: Mapping[str, Tensor], names: list[str], symmetry: Symmetry, batch: Samples
    ) -> tuple[float, dict[str, Tensor]]:
        """The loss at the midpoint on a batch, and its derivative by each tensor."""
        with torch.enable_grad():
            held = {n: x.clone().requires_grad_(n in names) for n, x in middle.items()}
            given = states.tie(dict(held), symmetry.ties)
            loss = batch_loss(self.objective, given, batch)
            found = gradients(loss, [held[n] for n in names])
        return float(loss.detach()), dict(zip(names, found, strict=True))


def _differ(one: Transform, other: Transform, symmetry: Symmetry) -> bool:
    first, second = orders_of(one, symmetry), orders_of(other, symmetry)
    return any(not np.array_equal(first[n], second[n]) for n in first)
