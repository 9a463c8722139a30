"""Frames: tables of measured rows, and the questions that can be asked of them.

A row is a measurement: of which run or pair of networks, along which line, with which numbers.
`ridgeline.explore` makes a frame of checkpoints, runs or a population; studies make theirs from a
store, and their claims are `ridgeline.frame.questions` to it.
"""

from ridgeline.frame.estimates import Estimate
from ridgeline.frame.questions import (
    Asked,
    Question,
    correlation,
    difference,
    every,
    mean,
    share,
)
from ridgeline.frame.rows import Cluster
from ridgeline.frame.table import Frame, Groups

__all__ = [
    "Asked",
    "Cluster",
    "Estimate",
    "Frame",
    "Groups",
    "Question",
    "correlation",
    "difference",
    "every",
    "mean",
    "share",
]
