"""Paths and planes: from a position to a state."""

from ridgeline.paths.base import Path
from ridgeline.paths.combination import Combination
from ridgeline.paths.curves import Bezier, Polygon
from ridgeline.paths.grid import Grid, grid
from ridgeline.paths.line import Line
from ridgeline.paths.plane import Plane, random_direction
from ridgeline.paths.rates import Power, Rate, homogeneous_biases

__all__ = [
    "Bezier",
    "Combination",
    "Grid",
    "Line",
    "Path",
    "Plane",
    "Polygon",
    "Power",
    "Rate",
    "grid",
    "homogeneous_biases",
    "random_direction",
]
