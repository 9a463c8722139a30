"""Matching: which element of a symmetry carries one network nearest to another."""

from ridgeline.matching.align import Aligned, Matched, Strategy, align
from ridgeline.matching.annealing import SimulatedAnnealing
from ridgeline.matching.transport import OptimalTransport
from ridgeline.matching.weights import WeightMatching

__all__ = [
    "Aligned",
    "Matched",
    "OptimalTransport",
    "SimulatedAnnealing",
    "Strategy",
    "WeightMatching",
    "align",
]
