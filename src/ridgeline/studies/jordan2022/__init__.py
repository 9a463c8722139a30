"""Jordan et al. 2022: REPAIR, or why the middle between two networks is bad after alignment.

*REPAIR: REnormalizing Permuted Activations for Interpolation Repair* (ICLR 2023, arXiv
2211.08403). Between two aligned networks the variance of every unit's preactivation collapses, the
more the deeper the layer. Setting mean and standard deviation of each unit to those between the
ends' brings most of the accuracy back.

Settings and numbers are read in the authors' released code and in the data of their figures
(github.com/KellerJordan/REPAIR); their text was not. Alignment is theirs: the correlation of units
after the nonlinearity, layer by layer. The settings of `laptop` are ours, with less data and
smaller networks; thresholds were fixed before anything was measured at that scale.
"""

from ridgeline.studies.jordan2022 import convolutional, sweeps, variance
from ridgeline.study.papers import Paper

__all__ = ["PAPER"]

PAPER = Paper(
    name="jordan2022",
    title="REPAIR: REnormalizing Permuted Activations for Interpolation Repair",
    authors="K. Jordan, H. Sedghi, O. Saukh, R. Entezari, B. Neyshabur",
    where="ICLR 2023, arXiv 2211.08403",
    about="Networks of many hidden layers on MNIST and Fashion-MNIST, VGG and ResNet on CIFAR-10, "
    "ResNet-50 on ImageNet; the last, and networks of more than 15 hidden layers, are left out.",
    items=(*sweeps.ITEMS, *variance.ITEMS, *convolutional.ITEMS),
)
