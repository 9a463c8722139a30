"""Symmetries of networks: which units may be permuted, found by tracing and proved."""

from ridgeline.symmetry.canonical import canonical, canonically
from ridgeline.symmetry.discovery import discover
from ridgeline.symmetry.finding import symmetries
from ridgeline.symmetry.generator import Generator
from ridgeline.symmetry.group import Group, Order, Place, Sighting
from ridgeline.symmetry.mixing import Mixing
from ridgeline.symmetry.proof import Proof, prove
from ridgeline.symmetry.scales import rescalable
from ridgeline.symmetry.scaling import Rescalable, Scaling
from ridgeline.symmetry.stacking import orders_of
from ridgeline.symmetry.streams import Circuit, Stream, streams
from ridgeline.symmetry.symmetry import Fixed, Symmetry
from ridgeline.symmetry.transform import Action, Permutation, Transform

__all__ = [
    "Action",
    "Circuit",
    "Fixed",
    "Generator",
    "Group",
    "Mixing",
    "Order",
    "Permutation",
    "Place",
    "Proof",
    "Rescalable",
    "Scaling",
    "Sighting",
    "Stream",
    "Symmetry",
    "Transform",
    "canonical",
    "canonically",
    "discover",
    "orders_of",
    "prove",
    "rescalable",
    "streams",
    "symmetries",
]
