"""Entezari et al. 2021: are independent solutions permutations of one, nearly?

*The Role of Permutation Invariance in Linear Mode Connectivity of Neural Networks* (ICLR 2022,
arXiv 2110.06296). Barriers between independent networks by width and depth; the same between a
network and random permutations of itself; and permutations sought by simulated annealing.

Definitions and claims are the paper's. It trains on MNIST, SVHN and CIFAR to a loss of 0.01; we
train its fully connected networks on a part of Fashion-MNIST to that loss. Thresholds were fixed
before anything was measured at the scale `laptop`.
"""

from ridgeline.studies.entezari2021 import annealing, permuted, sweeps, temperature
from ridgeline.study.papers import Paper

__all__ = ["PAPER"]

PAPER = Paper(
    name="entezari2021",
    title="The Role of Permutation Invariance in Linear Mode Connectivity of Neural Networks",
    authors="R. Entezari, H. Sedghi, O. Saukh, B. Neyshabur",
    where="ICLR 2022, arXiv 2110.06296",
    about="The paper's fully connected networks are trained by SGD at 0.001 in batches of 64, for "
    "up to 3000 epochs, until the training loss is 0.01. Barriers are over the chord, its "
    "equation 1; it measures them halfway, where we take the highest of several positions.",
    items=(*sweeps.ITEMS, *permuted.ITEMS, *annealing.ITEMS, *temperature.ITEMS),
)
