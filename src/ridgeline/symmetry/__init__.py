"""Symmetries of networks: which units may be permuted, found by tracing and proved."""

from ridgeline.symmetry.group import Group, Order, Place, Sighting
from ridgeline.symmetry.symmetry import Fixed, Symmetry
from ridgeline.symmetry.transform import Action, Permutation, Transform

__all__ = [
    "Action",
    "Fixed",
    "Group",
    "Order",
    "Permutation",
    "Place",
    "Sighting",
    "Symmetry",
    "Transform",
]
