"""Terms of the objective that are of the weights alone, with gradients written out.

They force weights to move: a radius far from the first norm, or an L1 penalty, takes the end of
training away from its start. Written out because the traced step knows the data loss alone.

Shapes: K members of a stack.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from ridgeline.errors import UsageError

__all__ = ["L1", "Penalties", "Penalty", "Radius"]


@dataclass(frozen=True, kw_only=True)
class Radius:
    """The sum over parameter tensors p of strength (|p| - radius)^2, |p| the Euclidean norm.

    Each tensor of a network is drawn to one norm, weights and biases alike, as `outR` of the
    released code of Lucas et al. (2021, train_fcnet/train.py) does. The gradient is
    2 strength (1 - radius / |p|) p, and taken to be 0 where p is 0.
    """

    kind: Literal["radius"] = "radius"
    radius: float
    """The norm that every tensor is drawn to."""
    strength: float
    """What the squared difference is multiplied by."""

    def __post_init__(self) -> None:
        _check(radius=self.radius, strength=self.strength)

    @staticmethod
    def slope(p: Tensor, values: Mapping[str, Tensor]) -> Tensor:
        """The gradient of each member's term by its tensor, (K, *shape)."""
        norm = _like(torch.linalg.vector_norm(p.reshape(len(p), -1), dim=1), p)
        # radius / norm is infinite for a zero tensor, and infinity times zero is NaN.
        ratio = torch.where(norm > 0, values["radius"] / norm, 1.0)
        return 2 * values["strength"] * (1 - ratio) * p


@dataclass(frozen=True, kw_only=True)
class L1:
    """The sum over all parameters of strength |p|; the gradient is 0 where p is 0."""

    kind: Literal["l1"] = "l1"
    strength: float
    """What the sum of absolute values is multiplied by."""

    def __post_init__(self) -> None:
        _check(strength=self.strength)

    @staticmethod
    def slope(p: Tensor, values: Mapping[str, Tensor]) -> Tensor:
        """The gradient of each member's term by its tensor, (K, *shape)."""
        return values["strength"] * p.sign()


Penalty: TypeAlias = Radius | L1


class Penalties:
    """The penalties of a stack's members: of one kind, each with numbers of its own.

    Args:
        penalties: In the order of the stack's rows.
        device: Where the stack lives.
    """

    def __init__(self, penalties: Sequence[Penalty], device: torch.device) -> None:
        self._slope = type(penalties[0]).slope
        names = [field.name for field in fields(penalties[0]) if field.name != "kind"]
        self._values = {
            name: torch.tensor(
                [getattr(one, name) for one in penalties], dtype=torch.float64, device=device
            )
            for name in names
        }

    @torch.no_grad()
    def added(
        self, gradients: Mapping[str, Tensor], parameters: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """The gradients of the loss and the penalty together.

        Args:
            gradients: Of the loss, by name, (K, *shape); parameters that it does not depend on
                have none.
            parameters: All that are trained, by name, (K, *shape).

        Returns:
            A new gradient for every parameter.
        """
        done: dict[str, Tensor] = {}
        for name, p in parameters.items():
            values = {key: _like(x.to(p.dtype), p) for key, x in self._values.items()}
            slope = self._slope(p, values)
            done[name] = slope.add_(gradients[name]) if name in gradients else slope
        return done

    def select(self, rows: Sequence[int]) -> None:
        """Keep some members only, in this order."""
        self._values = {name: x[list(rows)] for name, x in self._values.items()}


def _like(of_members: Tensor, p: Tensor) -> Tensor:
    """One value for each member, (K,), with the axes of a stacked tensor, (K, 1, ...)."""
    return of_members.view(-1, *[1] * (p.ndim - 1))


def _check(**numbers: float) -> None:
    for name, value in numbers.items():
        if not 0 <= value < math.inf:
            raise UsageError(f"`{name}` must be finite and not negative.", got=str(value))
