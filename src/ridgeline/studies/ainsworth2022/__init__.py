"""Ainsworth et al. 2022: networks that differ by a permutation of their units, merged.

*Git Re-Basin: Merging Models modulo Permutation Symmetries* (ICLR 2023, arXiv 2209.04836). Two
independent networks are linearly connected once the units of one are put in the order of the
other's: found by matching weights, activations, or by a straight-through estimator.

Definitions, algorithms and the counter-example are the paper's and its code's. Its fully connected
network is asked about, on Fashion-MNIST, which we can have, in place of MNIST; its convolutional
networks are not. Thresholds were fixed before anything was measured at the scale `laptop`; those
of A1a to A1e after one pilot pair at that very setting, whose training-loss barrier was 1.304 nats,
and after weight matching 0.064 nats and 0.62 points of test accuracy. The first run of `laptop` had
He's initialisation by mistake, where the pilot had torch's and the authors have one between the
two; what it measured of A1 is A8 now, and all else was measured anew.
"""

from ridgeline.studies.ainsworth2022 import (
    initialisation,
    interpolation,
    many,
    special,
    split,
    sweeps,
)
from ridgeline.study.papers import Paper

__all__ = ["PAPER"]

PAPER = Paper(
    name="ainsworth2022",
    title="Git Re-Basin: Merging Models modulo Permutation Symmetries",
    authors="S. K. Ainsworth, J. Hayase, S. Srinivasa",
    where="ICLR 2023, arXiv 2209.04836",
    about="The paper's fully connected network has three hidden layers of 512 units and is trained "
    "by Adam at 1e-3 in batches of 500 for 100 epochs on MNIST. Barriers are those of its code: "
    "the highest point of the line over the mean of its ends.",
    items=(
        *interpolation.ITEMS,
        *sweeps.ITEMS,
        *special.ITEMS,
        *split.ITEMS,
        *many.ITEMS,
        *initialisation.ITEMS,
    ),
)
