"""How weights follow gradients, for one network or for many stacked ones at once.

Written out because `torch.optim` imports the compiler when its first optimiser is made (1.3 s)
and has no notion of members with rates of their own. The updates are PyTorch's own fused
kernels, which go over memory once (16 networks of 64-64-64-10: 19 us, and 31 us as two
operations), where there is one. Each rule agrees with `torch.optim`; a test holds that.

A rule is a frozen set of numbers; what it remembers are *slots*, one tensor for each parameter,
kept by whoever trains, so that they can be stacked, saved, and carried to a child.
"""

# pyright: reportPrivateImportUsage=false
# (torch's foreach and fused kernels have no other name)

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ridgeline.errors import UsageError

__all__ = ["SGD", "Adam", "AdamW", "Library", "Optimiser", "RMSProp", "Slots"]

Slots = Mapping[str, Sequence[Tensor]]


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """Base of all update rules."""

    learning_rate: float
    """At a schedule's factor of 1."""
    weight_decay: float = 0.0

    slots: ClassVar[tuple[str, ...]] = ()
    """What is remembered of each parameter; zero before the first step."""
    joint: ClassVar[bool] = False
    """True if a step looks at all tensors of a member at once; each then has the members' axis."""

    def __post_init__(self) -> None:
        for name in ("learning_rate", "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(
                    f"`{name}` must be finite and not negative.", got=str(getattr(self, name))
                )
        for name in ("momentum", "beta1", "beta2", "smoothing"):
            if hasattr(self, name) and not 0 <= getattr(self, name) < 1:
                raise UsageError(
                    f"`{name}` must be at least 0 and below 1.", got=str(getattr(self, name))
                )

    def remembered(self) -> tuple[str, ...]:
        """The slots that these numbers need."""
        return self.slots

    def update(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        slots: Slots,
        count: int,
        rate: float,
    ) -> None:
        """Take one step, in place.

        Args:
            parameters: To be moved.
            gradients: One for each.
            slots: By name, one tensor for each parameter; updated in place.
            count: Steps taken before this one since the slots were zero.
            rate: The learning rate of this step.
        """
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SGD(Optimiser):
    """Gradient descent: v <- momentum v + g + decay p, then p <- p - rate v.

    With `nesterov`, p <- p - rate (g + decay p + momentum v). Without momentum there is no v.
    As PyTorch writes it (Polyak 1964; Sutskever et al. 2013), without dampening.
    """

    kind: Literal["sgd"] = "sgd"
    momentum: float = 0.0
    nesterov: bool = False

    slots: ClassVar = ("velocity",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and not self.momentum:
            raise UsageError("Nesterov's rule needs a momentum.", got="momentum=0, nesterov=True")

    def remembered(self) -> tuple[str, ...]:
        """See `Optimiser`."""
        return self.slots if self.momentum else ()

    @torch.no_grad()
    def update(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        slots: Slots,
        count: int,  # noqa: ARG002 (a zero velocity makes the first step like any other)
        rate: float,
    ) -> None:
        """See `Optimiser`."""
        torch._fused_sgd_(
            list(parameters),
            list(gradients),
            list(slots["velocity"]) if self.momentum else [],
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            lr=rate,
            dampening=0.0,
            nesterov=self.nesterov,
            maximize=False,
            is_first_step=False,
        )


@dataclass(frozen=True, kw_only=True)
class Adam(Optimiser):
    """Adam (Kingma & Ba 2015); weight decay is added to the gradient (L2)."""

    kind: Literal["adam"] = "adam"
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    slots: ClassVar = ("first", "second")
    decoupled: ClassVar[bool] = False

    @torch.no_grad()
    def update(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        slots: Slots,
        count: int,
        rate: float,
    ) -> None:
        """See `Optimiser`."""
        # The kernel wants a step count beside each parameter, and counts the present step.
        done = torch.full((), count + 1.0, device=parameters[0].device)
        fused = torch._fused_adamw_ if self.decoupled else torch._fused_adam_
        fused(
            list(parameters),
            list(gradients),
            list(slots["first"]),
            list(slots["second"]),
            [],
            [done] * len(parameters),
            lr=rate,
            beta1=self.beta1,
            beta2=self.beta2,
            weight_decay=self.weight_decay,
            eps=self.epsilon,
            amsgrad=False,
            maximize=False,
        )


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): p <- p (1 - rate decay)."""

    kind: Literal["adamw"] = "adamw"  # type: ignore[assignment]  # a tag, not a value to share
    weight_decay: float = 0.01
    decoupled: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class RMSProp(Optimiser):
    """RMSProp (Tieleman & Hinton 2012) as PyTorch writes it: epsilon outside the root."""

    kind: Literal["rmsprop"] = "rmsprop"
    smoothing: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0

    slots: ClassVar = ("second", "velocity")

    def remembered(self) -> tuple[str, ...]:
        """See `Optimiser`."""
        return self.slots if self.momentum else self.slots[:1]

    @torch.no_grad()
    def update(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        slots: Slots,
        count: int,  # noqa: ARG002 (of the protocol)
        rate: float,
    ) -> None:
        """See `Optimiser`."""
        slopes = list(gradients)
        if self.weight_decay:
            slopes = torch._foreach_add(slopes, list(parameters), alpha=self.weight_decay)
        seconds = list(slots["second"])
        torch._foreach_mul_(seconds, self.smoothing)
        torch._foreach_addcmul_(seconds, slopes, slopes, value=1 - self.smoothing)
        roots = torch._foreach_sqrt(seconds)
        torch._foreach_add_(roots, self.epsilon)
        if not self.momentum:
            torch._foreach_addcdiv_(list(parameters), slopes, roots, value=-rate)
            return
        velocities = list(slots["velocity"])
        torch._foreach_mul_(velocities, self.momentum)
        torch._foreach_addcdiv_(velocities, slopes, roots)
        torch._foreach_add_(list(parameters), velocities, alpha=-rate)


@dataclass(frozen=True, kw_only=True)
class Library(Optimiser):
    """Any optimiser with the interface of `torch.optim`, such as Shampoo or SOAP.

    It is imported by name and trains one network at a time.
    """

    kind: Literal["library"] = "library"
    name: str
    """``package:Class``, as in ``pytorch_optimizer:Shampoo`` or ``torch.optim:Adagrad``."""
    options: Mapping[str, Any] | None = None
    """Keywords of the class, besides ``lr`` and ``weight_decay``."""
