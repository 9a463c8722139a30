"""States as flat vectors, for solvers that know nothing of names."""

from collections.abc import Collection, Mapping
from functools import reduce

import torch
from torch import Tensor

from ridgeline.errors import UnknownName, UsageError, WrongKind
from ridgeline.state.naming import State, coordinates
from ridgeline.state.sharing import ties

__all__ = ["chosen", "flatten", "unflatten"]


def chosen(state: Mapping[str, Tensor], names: str | Collection[str] | None = None) -> list[str]:
    """Names of the coordinates among some tensors of a state, in the state's order.

    Args:
        state: Names to tensors.
        names: One or several of its names, such as those of a layer in `layers`; all by default.
            Labels and statistics among them are left out, and a tied tensor goes by its first
            name.

    Raises:
        UnknownName: If the state has no tensor of a name.
        UsageError: If there is no coordinate among them.
    """
    if names is not None and (isinstance(names, bytes) or not isinstance(names, Collection)):
        rule = "Names are those of tensors: one, or a list of them."
        raise WrongKind(rule, names, name="names")
    known = list(coordinates(state))
    asked = set(known) if names is None else {names} if isinstance(names, str) else set(names)
    if names is not None:
        for name in sorted(map(str, asked - state.keys())):
            raise UnknownName("tensor of the state", name, state)
        for group in ties(state):
            asked |= set(group) if asked & set(group) else set()
        known = [n for n in known if n in asked]
    if not known:
        raise UsageError(
            "There must be a coordinate: a tensor of real or complex numbers that is no statistic.",
            got=f"none among {', '.join(sorted(asked)[:5]) or 'no names'}",
        )
    return known


def flatten(state: Mapping[str, Tensor], names: str | Collection[str] | None = None) -> Tensor:
    """The coordinates of a state, one after another.

    Args:
        state: Names to tensors.
        names: Which, as for `chosen`; all by default.

    Returns:
        Shape (D,), of the widest type among them; complex numbers are pairs of real ones.

    Raises:
        UnknownName: If the state has no tensor of a name.
        UsageError: If there is no coordinate among them.
    """
    parts = [_real(state[n]) for n in chosen(state, names)]
    dtype = reduce(torch.promote_types, (x.dtype for x in parts))
    return torch.cat([x.to(dtype).reshape(-1) for x in parts])


def unflatten(
    vector: Tensor, like: Mapping[str, Tensor], names: str | Collection[str] | None = None
) -> State:
    """The coordinates that a flat vector holds; the inverse of `flatten`.

    Args:
        vector: Shape (D,).
        like: Gives names, shapes and types.
        names: Which, as for `chosen`; all by default.

    Returns:
        Name of each coordinate to its tensor, in the type that `like` has; other names of a tied
        tensor share it.

    Raises:
        UsageError: If the vector has another length.
    """
    found, start = State(), 0
    own = chosen(like, names)
    length = sum(_real(like[n]).numel() for n in own)
    if vector.shape != (length,):
        raise UsageError(
            "A vector has as many entries as the state has coordinates.",
            got=f"shape {tuple(vector.shape)} for {length}",
        )
    for name in own:
        x = _real(like[name])
        part = vector[start : start + x.numel()].to(x.dtype).reshape(x.shape)
        found[name] = torch.view_as_complex(part.contiguous()) if like[name].is_complex() else part
        start += x.numel()
    for first, *others in ties(like):
        found.update({n: found[first] for n in others if first in found})
    return found


def _real(x: Tensor) -> Tensor:
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x
