"""Goodfellow, Vinyals & Saxe 2014: what lies between an initialisation and a solution.

*Qualitatively characterizing neural network optimization problems* (ICLR 2015, arXiv 1412.6544).
Along the straight line from the initialisation to the solution that training found, the loss falls
smoothly, though training never follows that line: local minima and saddles are there, but are not
what makes training hard.

The paper tabulates no number, and its widths, rates, lengths and grids could not be obtained;
parts of what it reports are recalled, and their claims say so. Its maxout networks, its language
model and its deep Boltzmann machine are not among our networks: here are sigmoid, ReLU and tanh
layers, a small convolutional network, and an LSTM that classifies sequences. Dropout is left out.
"""

from ridgeline.studies.goodfellow2014 import factored, lines, solutions, trajectories
from ridgeline.study.papers import Paper

__all__ = ["PAPER"]

PAPER = Paper(
    name="goodfellow2014",
    title="Qualitatively characterizing neural network optimization problems",
    authors="I. J. Goodfellow, O. Vinyals, A. M. Saxe",
    where="ICLR 2015, arXiv 1412.6544",
    about="Qualitative: no numbers are tabulated, and settings could not be obtained. Maxout, "
    "dropout, the LSTM language model and the deep Boltzmann machine are left out.",
    items=(*lines.ITEMS, *solutions.ITEMS, *trajectories.ITEMS, *factored.ITEMS),
)
