"""Paths and planes: from a position to a state."""

from ridgeline.paths.base import Path
from ridgeline.paths.combination import Combination
from ridgeline.paths.curves import Bezier, Polygon
from ridgeline.paths.grid import Grid, grid
from ridgeline.paths.line import Line
from ridgeline.paths.plane import Plane, random_direction
from ridgeline.paths.rates import Curved, Power, Rate, TwoPowers, homogeneous_biases
from ridgeline.paths.starts import noise, permuted, scaled, zeros

__all__ = [
    "Bezier",
    "Combination",
    "Curved",
    "Grid",
    "Line",
    "Path",
    "Plane",
    "Polygon",
    "Power",
    "Rate",
    "TwoPowers",
    "grid",
    "homogeneous_biases",
    "noise",
    "permuted",
    "random_direction",
    "scaled",
    "zeros",
]
