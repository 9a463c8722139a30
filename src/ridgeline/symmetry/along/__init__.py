"""Images of values that are put in the order of members along one axis: a router's, a stack's."""

from ridgeline.symmetry.along import lookups, products, totals  # each enters its rules
from ridgeline.symmetry.along.moving import followed
from ridgeline.symmetry.along.registry import KEPT

__all__ = ["KEPT", "followed", "lookups", "products", "totals"]
