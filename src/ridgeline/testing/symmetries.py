"""Symmetries written out by hand, for tests of what uses them."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from torch import nn

from ridgeline.state import tensors_of
from ridgeline.symmetry import Group, Place, Sighting, Symmetry

__all__ = ["of_chain"]


def of_chain(model: nn.Module, layers: Sequence[str], seen: Sequence[str] = ()) -> Symmetry:
    """The symmetry of a chain of linear layers: the outputs of each but the last are a group.

    Args:
        model: The network.
        layers: Names of its linear layers, first to last.
        seen: Names of the values in its trace in which each group's units are seen, if wanted.
    """
    shapes = {name: tuple(x.shape) for name, x in tensors_of(model).items()}
    groups = []
    for i, (layer, following) in enumerate(pairwise(layers)):
        size = shapes[f"{layer}.weight"][0]
        index = np.arange(size)[None, :, None]
        places = [Place(f"{layer}.weight", 0, index), Place(f"{following}.weight", 1, index)]
        if f"{layer}.bias" in shapes:
            places.insert(1, Place(f"{layer}.bias", 0, index))
        sightings = (Sighting(seen[i], 1, index),) if seen else ()
        groups.append(Group(layer, tuple(places), sightings=sightings))
    return Symmetry(tuple(groups), shapes)
