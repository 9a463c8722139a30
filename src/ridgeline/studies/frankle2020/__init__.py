"""Frankle et al. 2020: when training becomes stable to the noise of SGD.

*Linear Mode Connectivity and the Lottery Ticket Hypothesis* (ICML 2020, arXiv 1912.05671). Two
copies of a network are trained on from one step with different orders of the data; instability
is how much higher the error between them is than at their ends. From a step early in training on
there is none.

The definition, its 30 positions, the threshold of 2 % and the results are the paper's. Settings of
its networks are recalled. Those of `laptop` are ours: smaller networks and data, and noise of the
order alone, without augmentation. Statistics of BatchNorm are recomputed at every position. The
second half of the paper, which prunes networks by magnitude and asks the same of the subnetworks,
is left out: a population's networks are known before training, and masks that come from a run
are not.
"""

from ridgeline.studies.frankle2020 import controls, instability
from ridgeline.study.papers import Paper

__all__ = ["PAPER"]

PAPER = Paper(
    name="frankle2020",
    title="Linear Mode Connectivity and the Lottery Ticket Hypothesis",
    authors="J. Frankle, G. K. Dziugaite, D. M. Roy, M. Carbin",
    where="ICML 2020, arXiv 1912.05671",
    about="LeNet on MNIST, ResNet-20 and VGG-16 on CIFAR-10, ResNet-50 and Inception-v3 on "
    "ImageNet, three initialisations and three orders each. The last two, and subnetworks found "
    "by iterative magnitude pruning, are left out here.",
    items=(*instability.ITEMS, *controls.ITEMS),
)
