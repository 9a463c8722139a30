"""Frankle 2020: the straight line looked at again, on harder tasks and from later states.

*Revisiting "Qualitatively Characterizing Neural Network Optimization Problems"* (arXiv
2012.06898). The loss on the line from initialisation to solution hardly ever rises, but it stays
high until close to the solution, where Goodfellow et al.'s is convex; and from states shortly
after the start the line to the solution meets barriers.

The claims are the paper's. Its networks are recalled, and their settings are those of its authors'
framework; no script of its own was found. The settings of `laptop` are ours; the rate of the
network with BatchNorm was chosen because barriers appear there, so that F2b asks only whether they
do on other seeds. ResNet-50 on ImageNet is left out at every scale.
"""

from ridgeline.studies.frankle2020revisiting import descent, later
from ridgeline.study.papers import Paper

__all__ = ["PAPER"]

PAPER = Paper(
    name="frankle2020revisiting",
    title="Revisiting “Qualitatively Characterizing Neural Network Optimization Problems”",
    authors="J. Frankle",
    where="2020, arXiv 2012.06898",
    about="Four settings in the paper (LeNet-300-100 on MNIST, ResNet-20 and VGG-16 on CIFAR-10, "
    "ResNet-50 on ImageNet, as remembered), the last of which is left out here.",
    items=(*descent.ITEMS, *later.ITEMS),
)
