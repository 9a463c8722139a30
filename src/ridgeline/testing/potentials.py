"""Landscapes over a plane whose minima and passes are known.

A state is a point (x, y). What a path finder must find between two minima is the height of the
lowest pass; `saddles` has it.
"""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from ridgeline.state import State

__all__ = ["CurvedValley", "EggCarton", "MuellerBrown", "Potential"]


class Potential(nn.Module):
    """A height over the plane, as a module whose output is the loss of each sample.

    To be used with the loss `given`. Samples differ by offsets that cancel in the mean, so that a
    batch of some of them has another loss and the same gradient.
    """

    def __init__(self) -> None:
        super().__init__()
        self.point = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    @abstractmethod
    def height(self, x: Tensor, y: Tensor) -> Tensor:
        """The height at points."""

    def forward(self, inputs: Tensor) -> Tensor:
        """The height at the weights, plus each sample's own offset.

        Args:
            inputs: Offsets, shape (N,).

        Returns:
            Shape (N,).
        """
        return self.height(self.point[0], self.point[1]) + inputs

    @staticmethod
    def at(x: float, y: float) -> State:
        """The state at a point."""
        return {"point": torch.tensor([x, y], dtype=torch.float64)}

    @staticmethod
    def samples(count: int = 1) -> tuple[Tensor, Tensor]:
        """Offsets that cancel in the mean, and targets that say nothing."""
        offsets = torch.linspace(-1, 1, count, dtype=torch.float64) if count > 1 else None
        return (
            torch.zeros(count, dtype=torch.float64) if offsets is None else offsets,
            torch.zeros(count, dtype=torch.float64),
        )


class EggCarton(Potential):
    """Wells at the whole numbers: ``h (sin^2(pi x) + sin^2(pi y))``.

    Neighbours are parted by passes of height h half way; the tops, of height 2 h, stand at the
    middles of the squares. So the lowest way between any two wells climbs to h, and the straight
    line higher, unless it runs along an axis.

    Args:
        height: h.
    """

    def __init__(self, height: float = 1.0) -> None:
        super().__init__()
        self.pass_height = height

    def height(self, x: Tensor, y: Tensor) -> Tensor:
        """See the class."""
        return self.pass_height * ((torch.pi * x).sin().square() + (torch.pi * y).sin().square())

    def saddle(self) -> float:
        """The height of the lowest pass between any two wells: h."""
        return self.pass_height


class CurvedValley(Potential):
    """Two wells and one pass: ``h (x^2 - 1)^2 + k (y - c (1 - x^2))^2``.

    Its wells are (-1, 0) and (1, 0), both of height 0, and its pass (0, c) of height h lies on the
    floor of a valley, the parabola ``y = c (1 - x^2)``. The line between the wells climbs to
    ``h + k c^2``.

    Args:
        height: h.
        bend: c.
        stiffness: k.
    """

    def __init__(self, height: float = 1.0, bend: float = 1.0, stiffness: float = 4.0) -> None:
        super().__init__()
        self.pass_height, self.bend, self.stiffness = height, bend, stiffness

    def height(self, x: Tensor, y: Tensor) -> Tensor:
        """See the class."""
        wells = 1 - x.square()
        floor = y - self.bend * wells
        return self.pass_height * wells.square() + self.stiffness * floor.square()

    def saddle(self) -> float:
        """The height of the pass: h."""
        return self.pass_height

    def straight(self) -> float:
        """The maximum on the line between the wells: ``h + k c^2``."""
        return self.pass_height + self.stiffness * self.bend**2


class MuellerBrown(Potential):
    """The potential of Mueller & Brown (1979), on which path finders are tried.

    A sum of four exponentials of quadratic forms. Minima and passes are stationary points found by
    Newton's method to all digits given.
    """

    A: ClassVar = (-200.0, -100.0, -170.0, 15.0)
    XX: ClassVar = (-1.0, -1.0, -6.5, 0.7)
    XY: ClassVar = (0.0, 0.0, 11.0, 0.6)
    YY: ClassVar = (-10.0, -10.0, -6.5, 0.7)
    X: ClassVar = (1.0, 0.0, -0.5, -1.0)
    Y: ClassVar = (0.0, 0.5, 1.5, 1.0)
    MINIMA: ClassVar = ((-0.558224, 1.441726), (0.623499, 0.028038), (-0.050011, 0.466694))
    HEIGHTS: ClassVar = (-146.699517, -108.166724, -80.767818)
    """Of the minima."""
    SADDLES: ClassVar = {(0, 1): -40.664844, (0, 2): -40.664844, (1, 2): -72.248940}
    """Numbers of two minima to the height of the lowest way between them."""

    def height(self, x: Tensor, y: Tensor) -> Tensor:
        """See the class."""
        total = torch.zeros_like(x)
        for a, xx, xy, yy, at_x, at_y in zip(
            self.A, self.XX, self.XY, self.YY, self.X, self.Y, strict=True
        ):
            u, v = x - at_x, y - at_y
            total = total + a * (xx * u.square() + xy * u * v + yy * v.square()).exp()
        return total
