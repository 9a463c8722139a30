"""Strategies that need no data: mean, great circle, task arithmetic, model stock."""

from dataclasses import dataclass
from math import acos, isnan, pi, sin
from typing import Literal

import torch
from torch import Tensor

from ridgeline.errors import UnknownName, UsageError
from ridgeline.merging.pool import Plan, Pool, affine, mean
from ridgeline.numerals import several
from ridgeline.state import State, cosine

__all__ = ["Mean", "ModelStock", "Slerp", "TaskArithmetic"]

STRAIGHT = 1e-6
"""Radians from 0 below which the great circle is the line to 1e-13, and from pi below which
rounding would choose it."""


@dataclass(frozen=True)
class Mean:
    """The weighted mean (model soup, Wortsman et al. 2022; the merge of Git Re-Basin)."""

    needs_base = False

    def plan(self, pool: Pool) -> Plan:
        """As `Strategy.plan`."""
        return Plan(lambda name: mean(pool, name), pool.shares)


@dataclass(frozen=True)
class Slerp:
    """Spherical linear interpolation of two states (Shoemake 1985) [memory].

    ``sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b`` with w the angle between a and b as
    arrows from zero. The coefficients are applied to the arrows as they are; their lengths are
    not made equal first [memory: as merging tools do]. Where no great circle is singled out
    (an arrow is zero, or they point in opposite directions) the straight line is taken, and the
    result's notes name the tensor. Running statistics are averaged with shares 1 - t and t.

    Args:
        t: In [0, 1]; 0 is the first state, 1 the second, exactly.
        per: An angle for each tensor, or one for all that is merged.

    Raises:
        UsageError: If t is outside [0, 1].
        UnknownName: If `per` is neither.
    """

    t: float = 0.5
    per: Literal["tensor", "whole"] = "tensor"
    needs_base = False

    def __post_init__(self) -> None:
        if not 0 <= self.t <= 1:
            raise UsageError("t lies in [0, 1].", got=f"{self.t}")
        if self.per not in ("tensor", "whole"):
            raise UnknownName("angle", self.per, ["tensor", "whole"])

    def plan(self, pool: Pool) -> Plan:
        """As `Strategy.plan`."""
        if len(pool.states) != 2 or pool.weights is not None:
            raise UsageError(
                "A great circle goes through two states, and t says how far.",
                got=several(len(pool.states), "state") + (" with weights" if pool.weights else ""),
                remedy="Leave out weights: t is the second's."
                if len(pool.states) == 2
                else "Take the mean of more states than two.",
            )
        a, b = pool.states
        plan = Plan(lambda name: self._point(pool, name, whole, plan), (1 - self.t, self.t))
        whole = _angle(a, b, pool.names) if self.per == "whole" else None
        return plan

    def _point(self, pool: Pool, name: str, whole: float | None, plan: Plan) -> Tensor:
        a, b = (s[name] for s in pool.states)
        between = _angle(pool.states[0], pool.states[1], (name,)) if whole is None else whole
        defined = not isnan(between) and between < pi - STRAIGHT
        if not defined:
            what = name if whole is None else "the whole"
            plan.notes.append(f"No great circle is singled out, the line was taken: {what}.")
        if not defined or between < STRAIGHT or self.t in (0, 1):
            return affine([a, b], plan.shares)
        p, q = (sin(s * between) / sin(between) for s in plan.shares)
        return p * a.double() + q * b.to(a.device, torch.float64)


def _angle(a: State, b: State, names: tuple[str, ...]) -> float:
    """The angle between two arrows from zero; NaN if one of them is zero."""
    return acos(cosine(a, b, names=names))


@dataclass(frozen=True)
class TaskArithmetic:
    """The base and a multiple of the summed task vectors (Ilharco et al. 2023).

    ``base + scale sum_i w_i (theta_i - base)``; weights are factors, 1 by default, and may be
    negative (which forgets a task).

    Args:
        scale: The multiple; 1 / k gives the mean of k states.

    Raises:
        UsageError: If it is not finite.
    """

    scale: float = 1.0
    needs_base = True

    def __post_init__(self) -> None:
        check_scale(self.scale)

    def plan(self, pool: Pool) -> Plan:
        """As `Strategy.plan`."""
        base = pool.origin

        def rule(name: str) -> Tensor:
            start = base[name].double()
            total = torch.zeros_like(start)
            for i, factor in enumerate(pool.factors):
                total += factor * pool.delta(i, name)
            return start + self.scale * total

        return Plan(rule, pool.equal)


@dataclass(frozen=True)
class ModelStock:
    """Between the base and the mean of k fine-tuned states (Jang et al. 2024) [memory].

    ``t mean + (1 - t) base`` with ``t = k cos / (1 + (k - 1) cos)``, cos the mean cosine
    between the task vectors of two states, tensor by tensor. A cosine below zero counts as zero
    [derived]: the task vectors agree in nothing, and the base is kept. A tensor that did not
    change in some state is averaged.
    """

    needs_base = True

    def plan(self, pool: Pool) -> Plan:
        """As `Strategy.plan`."""
        base, count = pool.origin, len(pool.states)
        if count < 2 or pool.weights is not None:
            raise UsageError(
                "Model stock compares two states at least, all alike.",
                got=several(count, "state") + (" with weights" if pool.weights else ""),
            )

        def rule(name: str) -> Tensor:
            cosine = _mean_cosine(pool, name)
            ratio = 1.0 if isnan(cosine) else count * cosine / (1 + (count - 1) * cosine)
            return affine([base[name], mean(pool, name)], (1 - ratio, ratio))

        return Plan(rule, pool.equal)


def _mean_cosine(pool: Pool, name: str) -> float:
    """The mean cosine over pairs of task vectors, at least 0; NaN if one of them is zero.

    The sum over pairs comes from the sum of unit vectors: ``|sum u|^2 = k + 2 sum cos``.
    """
    count = len(pool.states)
    total = torch.zeros_like(pool.origin[name], dtype=torch.float64)
    for i in range(count):
        delta = pool.delta(i, name)
        total += delta / delta.norm()
    cosine = (float(total.square().sum()) - count) / (count * (count - 1))
    return min(max(cosine, 0.0), 1.0) if cosine == cosine else cosine


def check_scale(scale: float) -> None:
    """Refuse a scale that is not finite."""
    if not abs(scale) < float("inf"):
        raise UsageError("A scale is finite.", got=f"{scale}")
