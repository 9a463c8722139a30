"""Tools for a third party to prove its own paths, models and measures.

Landscapes whose answers are known in closed form, a slow reference to compare with, and laws
to check. Nothing in the library imports this.
"""

from ridgeline.testing.landscapes import Echo, Product, Quadratic, Tabulated, echoed, given
from ridgeline.testing.laws import check_path
from ridgeline.testing.potentials import CurvedValley, EggCarton, MuellerBrown, Potential
from ridgeline.testing.reference import evaluate

__all__ = [
    "CurvedValley",
    "Echo",
    "EggCarton",
    "MuellerBrown",
    "Potential",
    "Product",
    "Quadratic",
    "Tabulated",
    "check_path",
    "echoed",
    "evaluate",
    "given",
]
