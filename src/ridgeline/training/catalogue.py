"""Optimisers by the names that specs use."""

from ridgeline.training.grafting import Grafted
from ridgeline.training.optimisers import SGD, Adam, AdamW, Library, Optimiser, RMSProp

__all__ = ["OPTIMISERS"]

OPTIMISERS: dict[str, type[Optimiser]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSProp,
    "grafted": Grafted,
    "library": Library,
}
"""By the name that a spec gives as `kind`."""
