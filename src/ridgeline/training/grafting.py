"""One optimiser's length on another's direction."""

# pyright: reportPrivateImportUsage=false
# (torch's foreach kernels have no other name)

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeAlias

import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.training.optimisers import SGD, Adam, AdamW, Optimiser, RMSProp, Slots

__all__ = ["Graftable", "Grafted"]

Graftable: TypeAlias = SGD | Adam | AdamW | RMSProp
SHORTEST = 1e-5
"""A direction shorter than this is not stretched to the whole length, as in the released code."""


@dataclass(frozen=True, kw_only=True)
class Grafted(Optimiser):
    """Each step has the length of one optimiser's step and the direction of another's.

    p <- p + (|d_A| / max(|d_B|, 1e-5)) d_B, where d_A and d_B are what the two would add to the
    weights, decay and rate included, and |d| is the Euclidean norm over all trained parameters
    of one network together. The norm over all is that of the released code of Lucas et al. (2021,
    optim/grafted.py); the formula alone would also allow one for each tensor. Both see the same
    gradients, both at the weights that the grafted steps have led to, and each remembers its own.
    """

    kind: Literal["grafted"] = "grafted"
    learning_rate: float = 1.0
    """Multiplies the rates of both, as a schedule does; it is what a log shows."""
    weight_decay: float = 0.0
    """Always 0: the two have their own."""
    length: Graftable
    """Whose step says how far."""
    direction: Graftable
    """Whose step says where to. Its rate matters to its decay and to steps below 1e-5 alone."""

    joint: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("length", "direction"):
            if not isinstance(getattr(self, name), SGD | Adam | RMSProp):
                raise UsageError(
                    f"`{name}` is one of SGD, Adam, AdamW and RMSProp.",
                    got=repr(getattr(self, name)),
                )
        if self.weight_decay:
            raise UsageError(
                "`weight_decay` of a grafted optimiser is 0.",
                got=str(self.weight_decay),
                remedy="Give it to `length` or to `direction`.",
            )

    def remembered(self) -> tuple[str, ...]:
        """See `Optimiser`: the slots of both, as ``length.velocity`` and ``direction.first``."""
        return tuple(
            f"{name}.{slot}"
            for name, rule in (("length", self.length), ("direction", self.direction))
            for slot in rule.remembered()
        )

    @torch.no_grad()
    def update(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        slots: Slots,
        count: int,
        rate: float,
    ) -> None:
        """See `Optimiser`; here all tensors are of the same K members, each (K, *shape)."""
        found: list[list[Tensor]] = []
        for name, rule in (("length", self.length), ("direction", self.direction)):
            own = {slot: slots[f"{name}.{slot}"] for slot in rule.remembered()}
            found.append(_added(rule, parameters, gradients, own, count, rule.learning_rate * rate))
        lengths, directions = found
        ratio = _norm(lengths) / _norm(directions).clamp(min=SHORTEST)
        for p, d in zip(parameters, directions, strict=True):
            p.addcmul_(d, ratio.view(-1, *[1] * (d.ndim - 1)).to(d.dtype))


def _added(
    rule: Optimiser,
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    slots: Slots,
    count: int,
    rate: float,
) -> list[Tensor]:
    """Return what a rule would add to the parameters; its slots move.

    Taken from zeros, because the difference of the weights after and before is rounded to the
    size of the weights, and the ratio of the norms may magnify that. Decay is put in by hand.
    """
    decay, decoupled = rule.weight_decay, isinstance(rule, AdamW)
    moved = [torch.zeros_like(p) for p in parameters]
    slopes = list(gradients)
    if decay and not decoupled:
        slopes = list(torch._foreach_add(slopes, list(parameters), alpha=decay))
    replace(rule, weight_decay=0.0).update(moved, slopes, slots, count, rate)
    if decay and decoupled:
        torch._foreach_add_(moved, list(parameters), alpha=-rate * decay)
    return moved


def _norm(steps: Sequence[Tensor]) -> Tensor:
    """Norm of each member's whole step, (K,)."""
    squares = [x.reshape(len(x), -1).square().sum(1) for x in steps]
    return torch.stack(squares).sum(0).sqrt()
