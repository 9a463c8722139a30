"""Tensors that are one in memory, under several names."""

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["place", "tie", "ties"]


def place(x: Tensor) -> object:
    """Where a tensor's values lie: equal for two tensors that are one in memory.

    `state_dict()` gives a tied weight as two objects on one storage, so that their identity
    does not tell.
    """
    memory = x.untyped_storage().data_ptr() if x.layout == torch.strided else 0
    if not memory or not x.numel():  # nothing is held: an empty, a sparse or a fake tensor
        return id(x)
    return x.device, memory, x.storage_offset(), x.shape, x.stride(), x.dtype


def ties(state: Mapping[str, Tensor]) -> list[tuple[str, ...]]:
    """Groups of names that share one tensor: same storage, place, shape and strides."""
    groups: dict[object, list[str]] = {}
    for name, x in state.items():
        groups.setdefault(place(x), []).append(name)
    return [tuple(names) for names in groups.values() if len(names) > 1]


def tie(state: dict[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Put one tensor under all of its names, in place.

    Args:
        state: Names to tensors.
        names: Other names of tensors to their first ones; those not in the state are left out.
    """
    for other, first in names.items():
        if other in state and first in state:
            state[other] = state[first]
    return state
