"""Symmetries of networks: which units may be permuted, found by tracing and proved."""

from ridgeline.symmetry.discovery import discover
from ridgeline.symmetry.group import Group, Order, Place, Sighting
from ridgeline.symmetry.proof import Proof, prove, symmetries
from ridgeline.symmetry.symmetry import Fixed, Symmetry
from ridgeline.symmetry.transform import Action, Permutation, Transform

__all__ = [
    "Action",
    "Fixed",
    "Group",
    "Order",
    "Permutation",
    "Place",
    "Proof",
    "Sighting",
    "Symmetry",
    "Transform",
    "discover",
    "prove",
    "symmetries",
]
