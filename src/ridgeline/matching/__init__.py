"""Matching: which element of a symmetry carries one network nearest to another, or many."""

from ridgeline.matching.activations import ActivationMatching
from ridgeline.matching.align import Aligned, align
from ridgeline.matching.annealing import SimulatedAnnealing
from ridgeline.matching.contract import ManyStrategy, Matched, MatchedMany, Strategy, spread
from ridgeline.matching.cycles import CycleError, cycle_error, pairwise
from ridgeline.matching.frank_wolfe import FrankWolfe
from ridgeline.matching.learned import Learned
from ridgeline.matching.many import AlignedMany, align_many
from ridgeline.matching.procrustes import Procrustes
from ridgeline.matching.rescaling import Rescaling, rescaled
from ridgeline.matching.sinkhorn import Sinkhorn
from ridgeline.matching.straight_through import StraightThrough
from ridgeline.matching.transport import OptimalTransport
from ridgeline.matching.trees import TreeActivationMatching, TreeWeightMatching
from ridgeline.matching.universe import CycleConsistent, MergeMany, ToReference
from ridgeline.matching.weights import WeightMatching

__all__ = [
    "ActivationMatching",
    "Aligned",
    "AlignedMany",
    "CycleConsistent",
    "CycleError",
    "FrankWolfe",
    "Learned",
    "ManyStrategy",
    "Matched",
    "MatchedMany",
    "MergeMany",
    "OptimalTransport",
    "Procrustes",
    "Rescaling",
    "SimulatedAnnealing",
    "Sinkhorn",
    "StraightThrough",
    "Strategy",
    "ToReference",
    "TreeActivationMatching",
    "TreeWeightMatching",
    "WeightMatching",
    "align",
    "align_many",
    "cycle_error",
    "pairwise",
    "rescaled",
    "spread",
]
