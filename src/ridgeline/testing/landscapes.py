"""Landscapes with known answers.

Each is an ordinary module, to be measured through an ordinary objective. Where the module's
output is already the loss, `given` is the loss to use.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ridgeline.state import State

__all__ = ["Echo", "Product", "Quadratic", "Tabulated", "echoed", "given"]


def given(outputs: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG001 (a loss takes two)
    """The loss of a module whose output is the loss: the output itself.

    Args:
        outputs: One number per sample, shape (N,).
        targets: Not looked at.

    Returns:
        Shape (N,).
    """
    return outputs


def echoed(coordinate: int) -> Callable[[Tensor, Tensor], Tensor]:
    """A metric for `Echo`: one of the weights, the same for every sample.

    Args:
        coordinate: Which weight.

    Returns:
        A metric ``(outputs, targets) -> (N,)``.
    """
    return lambda outputs, _: outputs[:, coordinate]


class Echo(nn.Module):
    """A module whose output is its own weights, whatever the input.

    What is measured at a state is the state itself, so that a profile must equal its grid.

    Args:
        size: Number of weights, all zero.
    """

    def __init__(self, size: int = 2) -> None:
        super().__init__()
        self.point = nn.Parameter(torch.zeros(size, dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        """The weights, once for each sample: shape (N, size)."""
        return self.point.expand(len(inputs), -1)

    @staticmethod
    def at(*values: float) -> State:
        """The state with these weights."""
        return {"point": torch.tensor(values, dtype=torch.float64)}


class Quadratic(nn.Module):
    """A quadratic bowl or saddle: ``loss_i(theta) = s_i/2 sum_j h_j (theta_j - c_ij)^2``.

    Along the line from a to b every sample's loss is a parabola in t, and
    ``loss_i(t) - chord_i(t) = -t (1 - t) s_i/2 sum_j h_j (b_j - a_j)^2``: negative for a bowl,
    and for a saddle along its ridge a barrier that is the same for all centres c_i. The values
    differ between samples, the barrier does not, unless the scales s_i do: a standard error
    that is not paired by sample is wrong on it.

    Args:
        curvature: The h_j; negative ones make a ridge.
    """

    curvature: Tensor

    def __init__(self, curvature: Sequence[float]) -> None:
        super().__init__()
        h = torch.tensor(curvature, dtype=torch.float64)
        self.point = nn.Parameter(torch.zeros_like(h))
        self.register_buffer("curvature", h, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """The losses; to be used with the loss `given`.

        Args:
            inputs: Scales and centres ``(s_i, c_i1, ..., c_iD)``, shape (N, 1 + D).

        Returns:
            Shape (N,).
        """
        scale, centre = inputs[:, 0], inputs[:, 1:]
        return 0.5 * scale * (self.curvature * (self.point - centre).square()).sum(1)

    @staticmethod
    def at(*values: float) -> State:
        """The state at a point."""
        return {"point": torch.tensor(values, dtype=torch.float64)}

    def samples(self, count: int, *, spread: float = 0.0, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Data for this landscape: scales around 1 and Gaussian centres.

        Args:
            count: N.
            spread: Standard deviation of the scales.
            seed: Of the draw.

        Returns:
            Inputs of shape (N, 1 + D), and targets that say nothing.
        """
        rng = torch.Generator().manual_seed(seed)
        drawn = torch.randn(count, 1 + len(self.curvature), generator=rng, dtype=torch.float64)
        drawn[:, 0] = 1 + spread * drawn[:, 0]
        return drawn, torch.zeros(count, dtype=torch.float64)

    def excess(self, a: State, b: State, t: float) -> float:
        """Loss less chord at t for a sample of scale 1; `barrier` is its maximum over t."""
        step = b["point"].double() - a["point"].double()
        bend = float((self.curvature.double() * step.square()).sum())
        return -t * (1 - t) * bend / 2

    def barrier(self, a: State, b: State) -> float:
        """The chord barrier for a mean scale of 1: ``max(0, -sum_j h_j (b_j - a_j)^2 / 8)``."""
        return max(0.0, self.excess(a, b, 0.5))


class Product(nn.Module):
    """The smallest network with two separate minima: ``loss(u, v) = (u v - 1)^2 / 2``.

    Its minima are the two branches of the hyperbola u v = 1. On the line from (1, 1) to
    (-1, -1) the loss is ``((1 - 2t)^2 - 1)^2 / 2``, and the barrier is 1/2, at the saddle
    (0, 0), by every definition of a barrier.
    """

    def __init__(self) -> None:
        super().__init__()
        self.u = nn.Parameter(torch.ones(1, dtype=torch.float64))
        self.v = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        """The losses for inputs of one, shape (N,); to be used with the loss `given`."""
        return 0.5 * (self.u * self.v * inputs - 1).square()

    @staticmethod
    def at(u: float, v: float) -> State:
        """The state (u, v)."""
        return {name: torch.tensor([x], dtype=torch.float64) for name, x in (("u", u), ("v", v))}

    @staticmethod
    def samples(count: int = 1) -> tuple[Tensor, Tensor]:
        """Inputs of one, and targets that say nothing."""
        return torch.ones(count, dtype=torch.float64), torch.zeros(count, dtype=torch.float64)

    @staticmethod
    def along(t: float) -> float:
        """The loss on the line from (1, 1) to (-1, -1)."""
        return ((1 - 2 * t) ** 2 - 1) ** 2 / 2


class Tabulated(nn.Module):
    """A loss that is any broken line one likes, of one weight that says where on it we are.

    On the line from ``at(0)`` to ``at(1)`` the profile is the broken line through the knots:
    plant a bump and see whether a measure finds it.

    Args:
        knots: Increasing positions, from 0 to 1.
        values: The loss at each.
    """

    knots: Tensor
    values: Tensor

    def __init__(self, knots: Sequence[float], values: Sequence[float]) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        for name, given_here in (("knots", knots), ("values", values)):
            held = torch.tensor(given_here, dtype=torch.float64)
            self.register_buffer(name, held, persistent=False)

    @classmethod
    def with_bump(cls, start: float = 0.4, top: float = 0.5, height: float = 0.1) -> "Tabulated":
        """A loss that falls from 1 to 0 but for one bump.

        It falls at slope -1 to `start`, rises by `height` to `top`, and falls evenly to the end:
        the largest rise is `height`, between `start` and `top`.
        """
        return cls([0, start, top, 1], [1, 1 - start, 1 - start + height, 0])

    def forward(self, inputs: Tensor) -> Tensor:
        """The broken line at the weight, plus each sample's own offset.

        Args:
            inputs: Offsets, shape (N,).

        Returns:
            Shape (N,); to be used with the loss `given`.
        """
        at = torch.searchsorted(self.knots, self.position).clamp(1, len(self.knots) - 1)
        left, right = self.knots[at - 1], self.knots[at]
        share = (self.position - left) / (right - left)
        return torch.lerp(self.values[at - 1], self.values[at], share) + inputs

    @staticmethod
    def at(position: float) -> State:
        """The state at a position."""
        return {"position": torch.tensor([position], dtype=torch.float64)}

    @staticmethod
    def samples(count: int = 2) -> tuple[Tensor, Tensor]:
        """Offsets that cancel in the mean, and targets that say nothing."""
        offsets = torch.linspace(-1, 1, count, dtype=torch.float64)
        return offsets, torch.zeros(count, dtype=torch.float64)
