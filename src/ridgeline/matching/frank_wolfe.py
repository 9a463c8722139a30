"""Frank-Wolfe matching: all groups at once, over doubly stochastic matrices.

Crisostomi, Fumero, Baieri, Bernard & Rodola (2024, C2M3), pairwise: maximise the inner product
``<a, P b>`` over the matrices of all groups; the linear step is an assignment in every fibre, and
one step length is shared by all groups. Derived, not the paper's: the inner product is a
polynomial of the step length, of the degree that a tensor has places, so the line search is exact
(the paper's is a bounded search of twenty evaluations).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.matching.contract import Matched
from ridgeline.matching.descent import descended
from ridgeline.matching.relaxed import (
    Matrices,
    barycentre,
    degree,
    harden,
    hardened,
    inner,
    matched_names,
    matrix,
    soft,
)
from ridgeline.matching.search import Search, counted
from ridgeline.progress import Progress
from ridgeline.rng import stream
from ridgeline.symmetry import Symmetry, Transform

__all__ = ["FrankWolfe", "ascend", "best_step", "starts"]


@dataclass(frozen=True, kw_only=True)
class FrankWolfe:
    """Matching by Frank-Wolfe steps on all groups at once (Crisostomi et al. 2024, pairwise).

    Differs in: the gain that counts as none is a share of the objective, where theirs is 1e-4
    itself; the line search is exact, where theirs is a bounded search; the first start is the
    barycentre, one of the starts they name; and permutations are settled by coordinate descent,
    which begins at the identity too, so that none ends farther than it does from there.

    Args:
        restarts: Starts: the first from the barycentre of all permutations, the others from
            random points near it. The one whose permutations match best is kept.
        iterations: At most so many steps from a start.
        tolerance: Stop when a step gains less than this share of the objective.
        patience: So many small gains in a row are needed to stop.
        settle: Descend from the permutations that were taken, and from the identity. The paper
            does not.
    """

    never_worse: ClassVar[bool] = True

    restarts: int = 3
    iterations: int = 200
    tolerance: float = 1e-4
    patience: int = 5
    settle: bool = True

    def __post_init__(self) -> None:
        if self.restarts < 1 or self.iterations < 1 or self.patience < 1:
            raise UsageError(
                "Starts, iterations and patience are counted from 1.",
                got=f"{self.restarts}, {self.iterations}, {self.patience}",
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
        """The transform of b that Frank-Wolfe steps find; see `Strategy`.

        The `history` is the inner product after each step of the best start.
        """
        names = matched_names(symmetry, b)
        fixed, moving = _wide(a, names), _wide(b, names)

        def objective(p: Matrices) -> Tensor:
            return inner(fixed, soft(moving, symmetry, p), names)

        def reached(element: Transform) -> float:
            return float(inner(fixed, _wide(element(b), names), names))

        power, search = degree(symmetry, names), Search(symmetry.identity(), reached, "maximise")
        begun, ends, most = starts(symmetry, self.restarts, seed), list[Transform](), -np.inf
        for start in counted("Frank-Wolfe", self.restarts, progress):
            p, history = ascend(objective, begun[start], power, self)
            ends.append(hardened(symmetry, p))
            if (value := search.offer(ends[-1])) > most:
                most, search.history = value, history
        if self.settle:
            search.offer(descended(a, b, symmetry, ends, seed))
        kept = "No start ended better than the identity, which is kept."
        return search.matched(
            search.best,
            measure="inner product of a and b over coordinates",
            sweeps=len(search.history) - 1,
            notes=() if search.gained else (kept,),
        )


def ascend(
    objective: Callable[[Matrices], Tensor],
    p: Mapping[str, Tensor],
    power: int,
    settings: FrankWolfe,
) -> tuple[dict[str, Tensor], list[float]]:
    """Frank-Wolfe steps uphill; no step lowers the objective.

    Args:
        objective: A polynomial of the matrices.
        p: Where to start.
        power: Its degree along a segment.
        settings: When to stop.

    Returns:
        The matrices at the end, and the objective at the start and after each step.
    """
    at = dict(p)
    history: list[float] = []
    small = 0
    for _ in range(settings.iterations):
        value, gradients = _gradients(objective, at)
        history = history or [value]
        corner = {n: matrix(harden(g), g.dtype) for n, g in gradients.items()}
        towards = {n: corner[n] - at[n] for n in at}
        slope = sum(float((gradients[n] * towards[n]).sum(dtype=torch.float64)) for n in at)

        def along(s: float, start: Matrices = at, towards: Matrices = towards) -> float:
            with torch.no_grad():
                return float(objective({n: x + s * towards[n] for n, x in start.items()}))

        step, reached = best_step(along, value, slope, power)
        if step > 0:
            at = {n: x + step * towards[n] for n, x in at.items()} if step < 1 else corner
            history.append(reached)
        gain = reached - value
        small = small + 1 if gain <= settings.tolerance * abs(value) else 0
        if step == 0 or small >= settings.patience:
            break
    return at, history


def _gradients(
    objective: Callable[[Matrices], Tensor], p: Matrices
) -> tuple[float, dict[str, Tensor]]:
    """The objective and its derivative by each matrix."""
    with torch.enable_grad():
        held = {n: x.detach().requires_grad_() for n, x in p.items()}
        value = objective(held)
        found = torch.autograd.grad(value, list(held.values()), allow_unused=True)
    zeros = (torch.zeros_like(x) for x in p.values())
    return float(value.detach()), {
        n: z if g is None else g for n, g, z in zip(held, found, zeros, strict=True)
    }


def best_step(
    along: Callable[[float], float], value: float, slope: float, power: int
) -> tuple[float, float]:
    """The largest value of a polynomial on [0, 1], exactly.

    Its value and slope at 0 are known, so that a polynomial of degree d costs d - 1 evaluations.

    Args:
        along: The polynomial.
        value: At 0.
        slope: At 0.
        power: Its degree.

    Returns:
        Where it is largest, and its value there; (0, value) if it nowhere exceeds that.
    """
    if power < 2:
        return (1.0, along(1.0)) if slope > 0 else (0.0, value)
    points = 0.5 + 0.5 * np.cos(np.pi * np.arange(power - 1) / max(power - 1, 1))
    # f(s) = value + slope s + s^2 q(s), q of degree power - 2
    rest = [(along(float(s)) - value - slope * s) / s**2 for s in points]
    q = np.linalg.solve(np.vander(points, power - 1, increasing=True), np.array(rest))
    f = np.polynomial.Polynomial([value, slope, *q])
    turning = f.deriv().roots()
    inside = turning[abs(turning.imag) < 1e-9].real
    candidates = [1.0, *(float(s) for s in inside if 0 < s < 1)]
    best = max(candidates, key=lambda s: float(f(s)))
    return (best, float(f(best))) if f(best) > value else (0.0, value)


def starts(symmetry: Symmetry, count: int, seed: int) -> list[dict[str, Tensor]]:
    """Doubly stochastic matrices to start from: the barycentre, then random ones.

    A random one is half the barycentre and half a uniformly random permutation.

    Args:
        symmetry: Whose groups.
        count: How many.
        seed: Of the stream ``frank-wolfe``.
    """
    middle = {g.name: barycentre(g, torch.float32) for g in symmetry.groups}
    found = [middle]
    for start in range(1, count):
        draws = stream(seed, "frank-wolfe", start)
        found.append({n: (x + _random(x, draws)) / 2 for n, x in middle.items()})
    return found


def _random(like: Tensor, draws: torch.Generator) -> Tensor:
    order = torch.rand(like.shape[:2], generator=draws).argsort(1)
    return matrix(order.numpy(), like.dtype)


def _wide(state: Mapping[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    return {n: states.wide(state[n].detach()) for n in names}
