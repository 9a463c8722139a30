"""Vlaar & Frankle 2022: does the shape of the line to a minimum tell how good the minimum is?

*What can linear interpolation of neural network loss landscapes tell us?* (ICML 2022, arXiv
2106.16004). It does not: data, initialisation, optimiser and architecture change path shape and
test accuracy, and not together.

Its grids and numbers could not be obtained and no code was released; what is varied follows the
abstract, and single settings are from memory or ours. Thresholds of the claims were fixed before
anything was measured.
"""

from ridgeline.studies.vlaar2021 import layers, starts, sweeps
from ridgeline.study.papers import Paper

__all__ = ["PAPER"]

PAPER = Paper(
    name="vlaar2021",
    title="What can linear interpolation of neural network loss landscapes tell us?",
    authors="T. Vlaar, J. Frankle",
    where="ICML 2022, arXiv 2106.16004",
    about="ResNet-18 with batch normalisation on CIFAR-10, 100 epochs of SGD with momentum 0.9 and "
    "weight decay 5e-4. Its grids and numbers could not be obtained: that shape does not foretell "
    "accuracy can be checked, its figures cannot.",
    items=(*sweeps.ITEMS, *layers.ITEMS, *starts.ITEMS),
)
