"""Sinkhorn matching: descend over doubly stochastic matrices, then take the nearest permutations.

Pena, Medeiros, Dubail, Aminbeidokhti, Granger & Pedersoli (2023): each group's matrix is
``Sinkhorn(X / temperature)``, rows and columns scaled in turn until both sum to 1; a loss of the
network so carried is minimised over X by AdamW, and the permutations are taken by assignment.
The gradient is that of the fixed point, by one linear system in the number of units, whatever
the number of scalings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UnknownName, UsageError
from ridgeline.matching.contract import Matched
from ridgeline.matching.descent import descended
from ridgeline.matching.losses import batches_of, mixed, parameters
from ridgeline.matching.relaxed import hardened, matched_names, soft
from ridgeline.matching.search import Search
from ridgeline.objective import Objective, Samples, batch_loss
from ridgeline.progress import Progress
from ridgeline.rng import stream
from ridgeline.symmetry import Symmetry, Transform

__all__ = ["Sinkhorn", "SinkhornKind", "doubly_stochastic"]

SinkhornKind = Literal["distance", "midpoint", "random"]
KINDS: tuple[SinkhornKind, ...] = get_args(SinkhornKind)


class _Scaled(torch.autograd.Function):
    """The doubly stochastic matrix of the form ``exp(x + u + v)``, u by rows and v by columns."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, iterations: int, tolerance: float) -> Tensor:
        logs = x.double()
        for i in range(iterations):
            logs = logs - logs.logsumexp(-1, keepdim=True)
            columns = logs.logsumexp(-2, keepdim=True)
            logs = logs - columns
            if i % 5 == 4 and float(columns.abs().max()) < tolerance:
                break
        p = logs.exp()
        ctx.save_for_backward(p)
        return p.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """``P * (G - alpha 1' - 1 beta')``, such that rows and columns sum to zero."""
        (p,) = ctx.saved_tensors
        g = grads[0].double()
        m = p * g
        rows, columns = m.sum(-1, keepdim=True), m.sum(-2, keepdim=True).mT
        size = p.shape[-1]
        eye = torch.eye(size, dtype=p.dtype, device=p.device)
        # Singular along the constants, which change nothing; and near a permutation altogether,
        # where the gradient vanishes: the ridge settles both.
        system = eye * (1 + 1e-10) - p @ p.mT + 1 / size
        alpha = torch.linalg.solve(system, rows - p @ columns)
        beta = columns - p.mT @ alpha
        return (m - p * (alpha + beta.mT)).to(grads[0].dtype), None, None


def doubly_stochastic(x: Tensor, *, iterations: int = 100, tolerance: float = 1e-6) -> Tensor:
    """Scale the rows and columns of ``exp(x)`` until each sums to 1; in logarithms, float64.

    Args:
        x: Of shape (..., size, size).
        iterations: At most so many scalings of rows and columns.
        tolerance: Stop when the logarithm of no row's sum is farther from 0.

    Returns:
        Doubly stochastic matrices of the same shape. The gradient is exact at the fixed point,
        and as near to it as the scaling came otherwise.
    """
    return _Scaled.apply(x, iterations, tolerance)


@dataclass(frozen=True, kw_only=True)
class Sinkhorn:
    """Matching by descent over doubly stochastic matrices (Pena et al. 2023, Sinkhorn re-basin).

    Differs in: for ``kind="distance"`` coordinate descent goes on from the permutations that were
    best, and begins at the identity too, so that none ends farther than it does from there.

    Args:
        kind: What is minimised: the squared ``"distance"`` of a and the carried b, per
            coordinate; the loss at the ``"midpoint"``; or the loss at a ``"random"`` position on
            the line, another at each step. The last two need an objective.
        objective: Model, data and loss.
        temperature: Low ones give matrices near permutations, and small gradients.
        iterations: Scalings of rows and columns, at most.
        steps: Of AdamW.
        rate: Of AdamW.
        batch: Samples in a step.
        every: Harden every so many steps, and keep the permutations that were best so far by
            the kind's own number (for ``"random"``: at the midpoint). A loss so chosen is below
            what other samples give; measure the result anew.

    Raises:
        UnknownName: If the kind is not known.
        UsageError: If a loss is asked for without an objective.
    """

    kind: SinkhornKind = "distance"
    objective: Objective | None = None
    temperature: float = 1.0
    iterations: int = 100
    steps: int = 100
    rate: float = 0.1
    batch: int = 1000
    every: int = 10

    never_worse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownName("kind of Sinkhorn matching", self.kind, KINDS)
        if self.kind != "distance" and self.objective is None:
            raise UsageError(
                "The loss on a line needs an objective.",
                got=f"kind={self.kind!r}",
                remedy="Give `objective=`, or match by kind='distance'.",
            )
        if not (self.temperature > 0 and self.rate > 0 and min(self.steps, self.every) > 0):
            raise UsageError(
                "Temperature, rate, steps and every are positive.",
                got=f"{self.temperature}, {self.rate}, {self.steps}, {self.every}",
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
        """The permutations nearest to the matrices that descent finds; see `Strategy`.

        The `history` is the relaxed number after each step.
        """
        run = _Run(self, a, b, symmetry, seed)
        search = Search(symmetry.identity(), run.at)
        x = {
            g.name: torch.zeros(g.fibres, g.size, g.size, requires_grad=True)
            for g in symmetry.groups
        }
        if x:
            optimiser = torch.optim.AdamW(list(x.values()), lr=self.rate)

            def step(_: int) -> float:
                optimiser.zero_grad()
                with torch.enable_grad():
                    p = {n: doubly_stochastic(v / self.temperature, iterations=self.iterations)
                         for n, v in x.items()}  # fmt: skip
                    value = run.relaxed(soft(run.b, symmetry, p))
                value.backward()
                optimiser.step()
                return float(value.detach())

            # Scaling adds to rows and columns only, which no assignment depends on.
            search.follow(
                step,
                lambda: hardened(symmetry, x),
                steps=self.steps,
                every=self.every,
                what="Sinkhorn",
                progress=progress,
            )
        if self.kind == "distance" and run.names:
            search.offer(descended(a, b, symmetry, [search.best], seed))
        return search.matched(search.best, measure=run.measure)


class _Run:
    """One match: its data on the way to a number, relaxed or hard."""

    def __init__(
        self,
        settings: Sinkhorn,
        a: Mapping[str, Tensor],
        b: Mapping[str, Tensor],
        symmetry: Symmetry,
        seed: int,
    ) -> None:
        self.kind, self.symmetry, self.objective = settings.kind, symmetry, settings.objective
        if self.objective is None or self.kind == "distance":
            self.names = matched_names(symmetry, b)
            self.a = {n: states.wide(a[n].detach()) for n in self.names}
            self.b = {n: states.wide(x.detach()) for n, x in b.items()}
            self.size = max(sum(x.numel() for x in self.a.values()), 1)
            self.measure = "squared distance per coordinate"
            return
        self.a, self.b = (parameters(self.objective, x) for x in (a, b))
        self.batches = batches_of(self.objective, settings.batch, seed)
        self.judges: Samples = next(self.batches)  # the same for all permutations
        self.draws = stream(seed, "sinkhorn positions")
        self.measure = (
            f"loss at the midpoint, least of those compared on the {len(self.judges)} samples that "
            "they were chosen on"
        )

    def relaxed(self, carried: Mapping[str, Tensor]) -> Tensor:
        if self.objective is None or self.kind == "distance":
            squares = [(self.a[n] - carried[n]).square().sum() for n in self.names]
            return torch.stack(squares).sum() / self.size
        t = 0.5 if self.kind == "midpoint" else float(torch.rand((), generator=self.draws))
        return batch_loss(self.objective, mixed(self.a, carried, t), next(self.batches))

    def at(self, element: Transform) -> float:
        """The number of an element, hard."""
        carried = element(self.b)
        with torch.no_grad():
            if self.objective is None or self.kind == "distance":
                return float(self.relaxed(carried)) if self.names else 0.0
            return float(batch_loss(self.objective, mixed(self.a, carried), self.judges))
