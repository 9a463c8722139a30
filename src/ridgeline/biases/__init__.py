"""The theory of the plateau: what a last bias does to a path, and how it comes to be unequal."""

from ridgeline.biases.chain import Chain, Layer, read_chain
from ridgeline.biases.decomposition import Decomposition, decompose, dominant_share
from ridgeline.biases.hardness import IllConditioned, ScalarChain
from ridgeline.biases.interval import PlateauInterval, loss_floor, plateau_interval
from ridgeline.biases.last import last_bias
from ridgeline.biases.learning_order import LearningOrder, learned_at
from ridgeline.biases.network import NetworkInterval, network_interval
from ridgeline.biases.prediction import ZeroStart, leaving, zero_start_prediction

__all__ = [
    "Chain",
    "Decomposition",
    "IllConditioned",
    "Layer",
    "LearningOrder",
    "NetworkInterval",
    "PlateauInterval",
    "ScalarChain",
    "ZeroStart",
    "decompose",
    "dominant_share",
    "last_bias",
    "learned_at",
    "leaving",
    "loss_floor",
    "network_interval",
    "plateau_interval",
    "read_chain",
    "zero_start_prediction",
]
