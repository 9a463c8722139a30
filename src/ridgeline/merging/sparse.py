"""Strategies that thin out task vectors before they are added: TIES and DARE."""

from dataclasses import dataclass
from math import ceil
from typing import Literal

import torch
from torch import Tensor

from ridgeline.errors import UnknownName, UsageError
from ridgeline.merging.pool import Plan, Pool
from ridgeline.merging.strategies import check_scale
from ridgeline.rng import stream

__all__ = ["Dare", "Ties"]


@dataclass(frozen=True)
class Ties:
    """Trim, elect sign, disjoint mean (Yadav et al. 2023, algorithm 1).

    Of each task vector the largest entries are kept, the others set to zero. Of each parameter
    the sign of the summed entries is elected; the mean is taken of those kept entries that have
    it. A parameter whose entries sum to zero stays at the base. With weights, signs and means
    are weighted [derived].

    Args:
        keep: Share of entries kept, in (0, 1]; the paper's k. Entries as large as the smallest
            kept one are kept too.
        scale: The multiple of the merged task vector that is added to the base; the paper's
            lambda.
        per: Trim each task vector as a whole, as the paper does, or tensor by tensor. The whole
            holds the magnitudes of one task vector in float64 while its threshold is found.

    Raises:
        UsageError: If `keep` is outside (0, 1] or the scale is not finite.
        UnknownName: If `per` is neither.
    """

    keep: float = 0.2
    scale: float = 1.0
    per: Literal["whole", "tensor"] = "whole"
    needs_base = True

    def __post_init__(self) -> None:
        check_scale(self.scale)
        if not 0 < self.keep <= 1:
            raise UsageError("The share kept lies in (0, 1].", got=f"{self.keep}")
        if self.per not in ("whole", "tensor"):
            raise UnknownName("trimming", self.per, ["whole", "tensor"])

    def plan(self, pool: Pool) -> Plan:
        """As `Strategy.plan`."""
        base, shares = pool.origin, pool.shares
        votes = pool.factors  # ones by default: shares of 1/3 would not cancel exactly
        limits = [self._limit(pool, i, pool.names) for i in range(len(pool.states))]

        def trimmed(index: int, name: str) -> Tensor:
            delta = pool.delta(index, name)
            own = self.per == "tensor"
            limit = _threshold(delta.abs().flatten(), self.keep) if own else limits[index]
            return torch.where(delta.abs() >= limit, delta, 0.0)

        def rule(name: str) -> Tensor:
            start = base[name].double()
            elected = torch.zeros_like(start)
            for i, vote in enumerate(votes):
                elected += vote * trimmed(i, name)
            total, counted = torch.zeros_like(start), torch.zeros_like(start)
            for i, vote in enumerate(votes):
                entry = trimmed(i, name)
                agrees = (entry * elected.sign() > 0).double()
                total += vote * entry * agrees
                counted += vote * agrees
            return start + self.scale * torch.where(counted > 0, total / counted, 0.0)

        return Plan(rule, shares)

    def _limit(self, pool: Pool, index: int, names: tuple[str, ...]) -> float:
        """The smallest magnitude that is kept of a whole task vector."""
        if self.per == "tensor" or self.keep == 1:
            return 0.0
        sizes = [pool.origin[n].numel() for n in names]
        magnitudes = torch.empty(sum(sizes), dtype=torch.float64)
        for name, part in zip(names, magnitudes.split(sizes), strict=True):
            part.copy_(pool.delta(index, name).abs().flatten())
        return _threshold(magnitudes, self.keep)


def _threshold(magnitudes: Tensor, keep: float) -> float:
    """The ceil(keep n)-th largest of n magnitudes."""
    count = len(magnitudes)
    if not count:
        return 0.0
    wanted = min(count, ceil(keep * count - 1e-9))
    return float(magnitudes.kthvalue(count - max(wanted, 1) + 1).values)


@dataclass(frozen=True)
class Dare:
    """Drop entries of the task vectors at random and rescale the rest (Yu et al. 2023).

    ``base + scale sum_i w_i m_i (theta_i - base) / (1 - drop)`` with masks m of independent
    entries that are 0 with probability `drop`: task arithmetic in expectation. The masks belong
    to the seed, the state's position in the list and the tensor's name.

    Args:
        drop: Probability that an entry is dropped, in [0, 1).
        seed: Of the stream ``dare``.
        scale: As in `TaskArithmetic`.

    Raises:
        UsageError: If `drop` is outside [0, 1) or the scale is not finite.
    """

    drop: float = 0.9
    seed: int = 0
    scale: float = 1.0
    needs_base = True

    def __post_init__(self) -> None:
        check_scale(self.scale)
        if not 0 <= self.drop < 1:
            raise UsageError("The probability to drop lies in [0, 1).", got=f"{self.drop}")

    def plan(self, pool: Pool) -> Plan:
        """As `Strategy.plan`."""
        base = pool.origin

        def rule(name: str) -> Tensor:
            start = base[name].double()
            total = torch.zeros_like(start)
            for i, factor in enumerate(pool.factors):
                draws = stream(self.seed, "dare", i, name)  # on the CPU: the same on any device
                kept = torch.rand(start.shape, generator=draws, dtype=torch.float64) >= self.drop
                total += factor * pool.delta(i, name) * kept.to(start.device)
            return start + self.scale / (1 - self.drop) * total

        return Plan(rule, pool.equal)
