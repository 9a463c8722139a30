"""Theory that a paper or two need: of the plateau and its biases, of Gauss length.

What a last bias does to a path, and how it comes to be unequal; the turning of outputs along a
path. Whether networks are the same but for their symmetry is asked in `ridgeline.theory.sameness`.
"""

from ridgeline.theory.chain import Chain, Layer, read_chain
from ridgeline.theory.decomposition import Decomposition, decompose, dominant_share
from ridgeline.theory.gauss import GaussLength, GaussMethod, gauss_length
from ridgeline.theory.hardness import IllConditioned, ScalarChain
from ridgeline.theory.interval import PlateauInterval, loss_floor, plateau_interval
from ridgeline.theory.last import last_bias
from ridgeline.theory.learning_order import LearningOrder, learned_at
from ridgeline.theory.network import NetworkInterval, network_interval
from ridgeline.theory.prediction import ZeroStart, leaving, zero_start_prediction

__all__ = [
    "Chain",
    "Decomposition",
    "GaussLength",
    "GaussMethod",
    "IllConditioned",
    "Layer",
    "LearningOrder",
    "NetworkInterval",
    "PlateauInterval",
    "ScalarChain",
    "ZeroStart",
    "decompose",
    "dominant_share",
    "gauss_length",
    "last_bias",
    "learned_at",
    "leaving",
    "loss_floor",
    "network_interval",
    "plateau_interval",
    "read_chain",
    "zero_start_prediction",
]
