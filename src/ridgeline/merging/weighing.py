"""Strategies that weigh by what data say: Fisher merging and RegMean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ridgeline.errors import StateMismatch, UsageError
from ridgeline.merging.pool import Plan, Pool, mean
from ridgeline.state import check_finite

__all__ = ["Fisher", "RegMean"]

CUT = 1e-10
"""Share of the largest eigenvalue below which a direction of the inputs counts as unseen."""


@dataclass(frozen=True, eq=False)
class Fisher:
    """The mean weighted by diagonal Fisher information (Matena & Raffel 2022).

    ``sum_i w_i F_i theta_i / sum_i w_i F_i``, entry by entry. Where no state has information
    the plain mean is taken.

    Args:
        fishers: For each state, name to the diagonal, of the tensor's shape, not negative; see
            `diagonal_fisher`. Statistics and labels need none.
    """

    fishers: Sequence[Mapping[str, Tensor]] = field(repr=False)
    needs_base = False

    def plan(self, pool: Pool) -> Plan:
        """As `Strategy.plan`."""
        _check_fishers(self.fishers, pool)

        def rule(name: str) -> Tensor:
            centre = mean(pool, name)
            total, weight = torch.zeros_like(centre), torch.zeros_like(centre)
            for state, fisher, share in zip(pool.states, self.fishers, pool.shares, strict=True):
                counts = share * fisher[name].to(centre.device, torch.float64)
                total += counts * (state[name].to(centre.device, torch.float64) - centre)
                weight += counts
            return centre + torch.where(weight > 0, total / weight, 0.0)

        return Plan(rule, pool.shares)


def _check_fishers(fishers: Sequence[Mapping[str, Tensor]], pool: Pool) -> None:
    if len(fishers) != len(pool.states):
        raise UsageError(
            "Each state has its own Fisher information.",
            got=f"{len(fishers)} for {len(pool.states)} states",
        )
    for i, fisher in enumerate(fishers):
        shapes = {n: tuple(pool.states[0][n].shape) for n in pool.names}
        missing: dict[str, object] = {n: s for n, s in shapes.items() if n not in fisher}
        changed: dict[str, tuple[object, object]] = {
            n: (s, tuple(fisher[n].shape))
            for n, s in shapes.items()
            if n in fisher and tuple(fisher[n].shape) != s
        }
        if missing or changed:
            raise StateMismatch(missing=missing, changed=changed, a="state 0", b=f"Fisher {i}")
        used = {n: fisher[n] for n in pool.names}
        check_finite(used, f"Fisher {i}")
        if negative := [n for n, x in used.items() if bool((x < 0).any())]:
            raise UsageError("Fisher information is not negative.", got=f"{negative[0]} of {i}")


@dataclass(frozen=True, eq=False)
class RegMean:
    """Regression mean: linear layers that fit all states' outputs best (Jin et al. 2023).

    For a weight W of shape (out, in) and Gram matrices G_i = X_i^T X_i of the inputs that it
    meets in state i, ``sum_i W_i G_i (sum_i G_i)^-1`` minimises
    ``sum_i |X_i W^T - X_i W_i^T|^2``. Weights of the merge multiply the G_i. In directions of
    the input that no state saw, and for all other tensors, the plain mean is taken.

    Args:
        grams: For each state, name of a weight to its Gram matrix of shape (in, in); see
            `gram_matrices`.
        shrink: What off-diagonal entries of the G_i are multiplied by, in [0, 1]; the paper
            uses 0.9 and finds 1 unstable.

    Raises:
        UsageError: If `shrink` is outside [0, 1].
    """

    grams: Sequence[Mapping[str, Tensor]] = field(repr=False)
    shrink: float = 0.9
    needs_base = False

    def __post_init__(self) -> None:
        if not 0 <= self.shrink <= 1:
            raise UsageError("Off-diagonals shrink by a factor in [0, 1].", got=f"{self.shrink}")

    def plan(self, pool: Pool) -> Plan:
        """As `Strategy.plan`."""
        known = _check_grams(self.grams, pool)

        def rule(name: str) -> Tensor:
            centre = mean(pool, name)
            return centre + self._shift(pool, name, centre) if name in known else centre

        plan = Plan(rule, pool.shares)
        if plain := [n for n in pool.names if n not in known]:
            shown = ", ".join(plain[:5]) + (f" and {len(plain) - 5} more" if plain[5:] else "")
            plan.notes.append(f"Averaged, for they have no Gram matrix: {shown}.")
        return plan

    def _shift(self, pool: Pool, name: str, centre: Tensor) -> Tensor:
        """From the mean to the regression mean."""
        total = torch.zeros(centre.shape[1], centre.shape[1], dtype=torch.float64)
        moment = torch.zeros(centre.shape, dtype=torch.float64)
        for state, gram, share in zip(pool.states, self.grams, pool.shares, strict=True):
            g = share * gram[name].to("cpu", torch.float64)
            g = self.shrink * g + (1 - self.shrink) * torch.diag(g.diagonal())
            total += g
            moment += (state[name].double() - centre).cpu() @ g
        inverse = torch.linalg.pinv(total, rtol=CUT, hermitian=True)
        return (moment @ inverse).to(centre.device)


def _check_grams(grams: Sequence[Mapping[str, Tensor]], pool: Pool) -> set[str]:
    """Names with a Gram matrix in every state."""
    if len(grams) != len(pool.states):
        raise UsageError(
            "Each state has its own Gram matrices.",
            got=f"{len(grams)} for {len(pool.states)} states",
        )
    known = [n for n in pool.names if all(n in gram for gram in grams)]
    if not known:
        raise UsageError(
            "One weight at least has a Gram matrix in every state.",
            got=f"matrices of {', '.join(grams[0]) or 'nothing'}",
        )
    for i, gram in enumerate(grams):
        check_finite({n: gram[n] for n in known}, f"Gram matrices {i}")
        for name in known:
            shape = pool.states[0][name].shape
            if len(shape) != 2 or gram[name].shape != (shape[1], shape[1]):
                raise UsageError(
                    "A Gram matrix of a weight (out, in) has the shape (in, in).",
                    got=f"{tuple(gram[name].shape)} for {name!r} of {tuple(shape)}",
                )
    return set(known)
