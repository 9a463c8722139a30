"""Explorations: lines among many networks, measured into a frame.

`explore` takes checkpoints, trained runs or a store; its frame answers questions by group and draws
its own report, and what it measured is kept, so that it goes on where it was stopped.
"""

from ridgeline.explorations.columns import Column, barrier, distance, ends
from ridgeline.explorations.exploration import explore, pairs
from ridgeline.explorations.frames import Exploration
from ridgeline.explorations.networks import Network

__all__ = [
    "Column",
    "Exploration",
    "Network",
    "barrier",
    "distance",
    "ends",
    "explore",
    "pairs",
]
