"""Lin, Li & Wu 2024: minima connected through one centre, and how long the way is.

*Exploring Neural Network Landscapes: Star-Shaped and Geodesic Connectivity* (arXiv 2404.06391).
Read in full, proofs included; no code was released. The two-layer students and linear networks
are exact: sampling of minima, type graphs, shortest paths. Where we simulate, the law is named.
"""

from ridgeline.studies.lin2024 import (
    frequencies,
    graphs,
    linear,
    minima,
    sparse,
    taught,
    trained,
    uniform,
)
from ridgeline.study.papers import Paper

__all__ = ["PAPER"]

PAPER = Paper(
    name="lin2024",
    title="Exploring Neural Network Landscapes: Star-Shaped and Geodesic Connectivity",
    authors="Z. Lin, P. Li, L. Wu",
    where="arXiv 2404.06391",
    about="Not stated in the paper, and chosen by us: the law of its figures 3 and 4, first "
    "weights, rates and lengths of the students. Thresholds were fixed before anything was "
    "measured; those that the paper does not state are ours.",
    items=(
        *minima.ITEMS,
        *frequencies.ITEMS,
        *graphs.ITEMS,
        *linear.ITEMS,
        *taught.ITEMS,
        *uniform.ITEMS,
        *sparse.ITEMS,
        *trained.ITEMS,
    ),
)
