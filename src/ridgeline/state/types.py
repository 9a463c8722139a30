"""States of one network that were kept in different types, in one."""

import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ridgeline.errors import RidgelineWarning
from ridgeline.state.kinds import is_continuous
from ridgeline.state.sharing import place

__all__ = ["in_one_type"]


def in_one_type(
    states: Sequence[Mapping[str, Tensor]], *, stacklevel: int = 1
) -> tuple[dict[str, Tensor], ...]:
    """States in which each name has one type: the widest that it has among them.

    Widening changes no value. It is told in a warning. Labels, and what is real in one state and
    complex in another, stay as they are, for `check_same` to refuse.

    Args:
        states: Of one network.
        stacklevel: As in `warnings.warn`, counted from the caller.
    """
    found = tuple(dict(state) for state in states)
    wanted: dict[str, torch.dtype] = {}
    types: set[torch.dtype] = set()
    for name in found[0] if found else ():
        there = {state[name].dtype for state in found if name in state}
        kinds = {(dtype.is_floating_point, dtype.is_complex) for dtype in there}
        if len(there) > 1 and len(kinds) == 1 and is_continuous(found[0][name]):
            wanted[name] = _widest(there)
            types |= there
    if not wanted:
        return found
    named = ", ".join(sorted(_short(dtype) for dtype in types))
    warnings.warn(
        f"The states are of different types ({named}): tensors of one name are taken in the widest "
        f"of theirs ({', '.join(sorted({_short(dtype) for dtype in wanted.values()}))}). To choose "
        "another, load them all in that one.",
        RidgelineWarning,
        stacklevel=stacklevel + 1,
    )
    return tuple(_widened(state, wanted) for state in found)


def _widest(types: set[torch.dtype]) -> torch.dtype:
    """The type that holds the values of all: of two narrow ones that differ, float32."""
    most = max(dtype.itemsize for dtype in types)
    widest = [dtype for dtype in types if dtype.itemsize == most]
    return widest[0] if len(widest) == 1 and (most > 1 or len(types) == 1) else torch.float32


def _widened(state: dict[str, Tensor], wanted: Mapping[str, torch.dtype]) -> dict[str, Tensor]:
    made: dict[object, Tensor] = {}  # names that share a tensor share its conversion
    for name, x in state.items():
        key = place(x), wanted.get(name, x.dtype)
        if key not in made:
            made[key] = x.to(key[1])
    return {name: made[place(x), wanted.get(name, x.dtype)] for name, x in state.items()}


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
