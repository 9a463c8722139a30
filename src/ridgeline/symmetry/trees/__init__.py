"""Symmetries of ensembles of soft trees: which trees, subtrees and splits may change places.

Kanoh and Sugiyama (2025), "Linear Mode Connectivity in Differentiable Tree Ensembles".
"""

from ridgeline.symmetry.trees.elements import Patterns, TreeElement, patterns_of, turned
from ridgeline.symmetry.trees.ensemble import Ensemble, TreeKind
from ridgeline.symmetry.trees.fits import Fit, Half, fit
from ridgeline.symmetry.trees.generators import (
    KINDS,
    SplittingOrders,
    SubtreeFlips,
    TreePermutations,
    symmetries_of,
)
from ridgeline.symmetry.trees.moves import TreeMoves
from ridgeline.symmetry.trees.offsets import LeafOffsets, Offset

__all__ = [
    "KINDS",
    "Ensemble",
    "Fit",
    "Half",
    "LeafOffsets",
    "Offset",
    "Patterns",
    "SplittingOrders",
    "SubtreeFlips",
    "TreeElement",
    "TreeKind",
    "TreeMoves",
    "TreePermutations",
    "fit",
    "patterns_of",
    "symmetries_of",
    "turned",
]
