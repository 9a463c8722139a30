"""What is merged, and what a strategy makes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.state import State

__all__ = ["Plan", "Pool", "Rule", "Strategy", "affine", "mean"]

Rule = Callable[[str], Tensor]
"""Name of a tensor to its merged value, in float64."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Checked states that are to be merged.

    Args:
        states: One at least, all with the same finite tensors.
        base: What the states were fine-tuned from, if the strategy needs it.
        weights: One for each state, as the caller gave them; finite.
        names: The tensors to merge: coordinates, the first name of each tie.
    """

    states: tuple[State, ...]
    base: State | None
    weights: tuple[float, ...] | None
    names: tuple[str, ...]

    @cached_property
    def factors(self) -> tuple[float, ...]:
        """The weights as they are; ones by default."""
        return self.weights or (1.0,) * len(self.states)

    @cached_property
    def shares(self) -> tuple[float, ...]:
        """The weights as shares that sum to one; equal by default.

        Raises:
            UsageError: If a weight is negative or all are zero.
        """
        total = sum(self.factors)
        if min(self.factors) < 0 or not total > 0:
            raise UsageError(
                "Weights of a mean are not negative, and one at least is positive.",
                got=str(list(self.factors)),
                remedy="To go beyond a state use a path, or task arithmetic.",
            )
        return tuple(w / total for w in self.factors)

    @property
    def equal(self) -> tuple[float, ...]:
        """The same share for each state."""
        return (1 / len(self.states),) * len(self.states)

    @property
    def origin(self) -> State:
        """The base.

        Raises:
            UsageError: If there is none.
        """
        if self.base is None:
            raise UsageError(
                "This strategy adds up what changed since a common start.",
                got="no base",
                remedy="Give it: merge(states, by=..., base=pretrained).",
            )
        return self.base

    def delta(self, index: int, name: str) -> Tensor:
        """Return what changed in a tensor since the base, in float64 (a *task vector*)."""
        return _double(self.states[index][name], self.origin[name]) - self.origin[name].double()


@dataclass(eq=False)
class Plan:
    """Rule by which a strategy merges one pool.

    Args:
        rule: Called once for each tensor, so that no more than one tensor's float64 copies
            are held at a time.
        shares: How much each state counts for running statistics, and for labels; sum to one.
        notes: What the reader of the result must know; a rule may add to them.
    """

    rule: Rule
    shares: Sequence[float]
    notes: list[str] = field(default_factory=list)


class Strategy(Protocol):
    """A way to merge states: a frozen dataclass with its settings."""

    @property
    def needs_base(self) -> bool:
        """True if it starts from a common base."""
        ...

    def plan(self, pool: Pool) -> Plan:
        """Look at the pool, refuse what cannot be merged, and say how each tensor is.

        Args:
            pool: Checked states.

        Raises:
            UsageError: If settings and pool do not fit.
        """
        ...


def affine(points: list[Tensor], shares: Sequence[float]) -> Tensor:
    """The affine combination of tensors in float64: ``p_0 + sum_i w_i (p_i - p_0)``.

    Written about the first point that counts, so that points that are equal, and a weight of
    one, give that point exactly and not a sum of rounded shares. Points are widened one at a
    time.

    Args:
        points: Of one shape.
        shares: That sum to one.
    """
    counted = [(p, w) for p, w in zip(points, shares, strict=True) if w]
    first = counted[0][0].double()
    total = torch.zeros_like(first)
    for point, share in counted[1:]:
        total += share * (_double(point, first) - first)
    return first + total if len(counted) > 1 else first


def mean(pool: Pool, name: str, shares: Sequence[float] | None = None) -> Tensor:
    """The mean of one tensor in float64, with the pool's shares or others."""
    return affine([s[name] for s in pool.states], pool.shares if shares is None else shares)


def _double(x: Tensor, like: Tensor) -> Tensor:
    return x.to(device=like.device, dtype=torch.float64)
