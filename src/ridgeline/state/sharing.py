"""Tensors that are one in memory, under several names."""

import warnings
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from ridgeline.errors import RidgelineWarning
from ridgeline.state.kinds import equal

__all__ = ["identical", "place", "tie", "ties", "warn_of_identical"]


def place(x: Tensor) -> object:
    """Return the place of a tensor's values: equal for two that are one in memory.

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


def identical(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor]
) -> Literal["memory", "values", "no"]:
    """Tell whether two states are one in memory, have the same values, or differ.

    Args:
        a: A state.
        b: Another with the same tensors. Labels do not count.
    """
    moving = [n for n, x in a.items() if x.is_floating_point() or x.is_complex()]
    if not moving or not all(place(a[n]) == place(b[n]) or equal(a[n], b[n]) for n in moving):
        return "no"
    return "memory" if all(place(a[n]) == place(b[n]) for n in moving) else "values"


def warn_of_identical(
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    *,
    names: tuple[str, str] = ("a", "b"),
    stacklevel: int = 1,
) -> None:
    """Tell that two states are one, so that there is nothing between them.

    Args:
        a: A state.
        b: Another with the same tensors.
        names: What to call them.
        stacklevel: As in `warnings.warn`, counted from the caller.
    """
    if (found := identical(a, b)) != "no":
        message = f"{names[0]} and {names[1]} {SAID[found]}"
        warnings.warn(message, RidgelineWarning, stacklevel=stacklevel + 1)


SAID = {
    "memory": "are the same tensors in memory. If they came from one module, both are what it is "
    "now: `state_dict()` copies nothing. Copy with `rl.state.capture(model)` before training on.",
    "values": "have the same values, so that nothing lies between them. Check that two different "
    "checkpoints were given.",
}
