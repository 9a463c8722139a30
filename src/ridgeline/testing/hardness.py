"""Landscapes on which the shape of the curve says nothing about hardness.

The closed forms are those of `ridgeline.theory.hardness`; here are the modules, to be measured
through an ordinary objective.
"""

import torch
from torch import Tensor, nn

from ridgeline.state import State
from ridgeline.testing.landscapes import Quadratic
from ridgeline.theory import IllConditioned, ScalarChain

__all__ = ["Repeated", "ill_conditioned", "scalar_chain"]


class Repeated(nn.Module):
    """A chain of r equal weights: ``loss(w) = (w^r x - 1)^2 / 2`` for inputs x of one.

    Args:
        degree: r.
    """

    def __init__(self, degree: int) -> None:
        super().__init__()
        self.degree = degree
        self.weight = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        """The losses, shape (N,); to be used with the loss `given`."""
        return 0.5 * (self.weight**self.degree * inputs - 1).square()

    @staticmethod
    def at(weight: float) -> State:
        """The state with this weight."""
        return {"weight": torch.tensor([weight], dtype=torch.float64)}

    @staticmethod
    def samples(count: int = 1) -> tuple[Tensor, Tensor]:
        """Inputs of one, and targets that say nothing."""
        return torch.ones(count, dtype=torch.float64), torch.zeros(count, dtype=torch.float64)


def scalar_chain(problem: ScalarChain) -> tuple[Repeated, State, State]:
    """An easy problem with a plateau: the module, its start and its minimum."""
    return Repeated(problem.degree), Repeated.at(problem.start), Repeated.at(1.0)


def ill_conditioned(problem: IllConditioned) -> tuple[Quadratic, State, State]:
    """A hard problem with a convex curve: the module, its start and its minimum.

    The module's samples are ``(1, 0, 0)``: scale one, centre at zero.
    """
    return Quadratic(problem.curvature), Quadratic.at(*problem.start), Quadratic.at(0.0, 0.0)
