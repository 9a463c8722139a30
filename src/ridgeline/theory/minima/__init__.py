"""Minima of a two-layer student of ReLU neurons, and how they are connected (Lin et al. 2024).

A teacher ``sum_j relu(x_j)`` over M coordinates, a student ``sum_i relu(w_i . x)`` of m neurons,
x uniform on the sphere. The minima are known (theorem 6): every neuron is zero or a positive
multiple of one e_j, and the multiples of each j sum to 1. So a minimum is a vector of *types*, 0 to
M, and sizes, and which minima are connected by lines, chains and stars is a question about types.
"""

from ridgeline.theory.minima.bounds import star_bound
from ridgeline.theory.minima.connections import (
    adjacent,
    centre_types,
    has_centre,
    merged,
    merged_centre,
)
from ridgeline.theory.minima.distances import diameter, distances, representatives
from ridgeline.theory.minima.laws import LAWS, Law, Minima, draw, draw_types, nearest
from ridgeline.theory.minima.lengths import (
    TwoPiece,
    least_ratio,
    least_ratio_limit,
    ratio_limit,
    two_piece,
)
from ridgeline.theory.minima.risk import is_minimum, risk

__all__ = [
    "LAWS",
    "Law",
    "Minima",
    "TwoPiece",
    "adjacent",
    "centre_types",
    "diameter",
    "distances",
    "draw",
    "draw_types",
    "has_centre",
    "is_minimum",
    "least_ratio",
    "least_ratio_limit",
    "merged",
    "merged_centre",
    "nearest",
    "ratio_limit",
    "representatives",
    "risk",
    "star_bound",
    "two_piece",
]
