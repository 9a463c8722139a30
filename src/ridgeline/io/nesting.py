"""Finding the state inside what was saved: trainers wrap it, each in its own way.

The rule: a mapping of names to tensors is a state. Otherwise the places of `KEYS` are looked
into, in that order and inside each other; if there are none, every entry of the outermost
mapping that is itself a state counts. What is found under several places must be the same, or
fit the given model in one place only, or be chosen with ``key=``: trained weights and their
moving average are different points, and neither is meant more than the other.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ridgeline.errors import CheckpointError, UnknownName
from ridgeline.state import State, is_extra, ties, unusable

__all__ = ["KEYS", "Stored", "ambiguous", "find", "same_state", "same_tensor"]

KEYS = (
    "state_dict",
    "model_state_dict",
    "model",
    "module",
    "net",
    "network",
    "params",
    "weights",
    "state",
    "generator",
    "ema",
    "model_ema",
    "ema_state_dict",
    "state_dict_ema",
    "params_ema",
    "teacher",
    "student",
)
"""Places in which trainers put a state, most usual first; averages come last."""


class Stored(dict[str, Tensor]):
    """A state as it lies in a file, with what lies beside its tensors."""

    versions: Mapping[str, Any] | None = None
    """Versions of each module, as `state_dict()` said."""
    extras: Mapping[str, Any] = MappingProxyType({})
    """Extra state that layers gave."""


def find(tree: object, *, key: str | None = None, where: str) -> dict[str, Stored]:
    """All states in a checkpoint, by the place where they lie.

    Args:
        tree: What the file held.
        key: A place, dots between the levels (``"ema.shadow"``); only that one is taken.
        where: The file, for messages.

    Returns:
        Place to state, at least one, in the order in which they are to be preferred. A state
        that is not nested lies at ``""``. Names that share memory share one tensor object.

    Raises:
        UnknownName: If there is nothing at `key`; what there is comes with it.
        CheckpointError: If there is no state.
    """
    if key is not None:
        inner = (_under(value, key) for _, value in _walk(tree))
        tree = _under(tree, key) or next(filter(None, inner), None) or _descend(tree, key, where)
        if not _is_state(tree):
            raise _nothing(tree, f"{key!r} in {where}")
        return {key: _clean(tree, where)}
    if _is_state(tree):
        return {"": _clean(tree, where)}
    found = dict(_walk(tree))
    if not found and isinstance(tree, Mapping):
        found = {str(k): value for k, value in tree.items() if _is_state(value)}
    if not found:
        raise _nothing(tree, where)
    return {place: _clean(value, where) for place, value in found.items()}


def ambiguous(found: Mapping[str, State], where: str, reason: str) -> CheckpointError:
    """The error for a checkpoint that holds several different states.

    Args:
        found: Place to state.
        where: The file.
        reason: Why they could not be told apart.

    Returns:
        The error, to be raised.
    """
    first = next(iter(found))
    shown = ", ".join(f"{place} ({len(state)} tensors)" for place, state in found.items())
    return CheckpointError(
        "A checkpoint that holds several states must be told which one is meant.",
        got=f"{where} with {shown}, {reason}",
        remedy=f"Choose one: key={first!r}, or {where}:{first} on the command line.",
    )


def same_state(a: State, b: State) -> bool:
    """True if two states have the same names and the same bytes."""
    return a.keys() == b.keys() and all(same_tensor(x, b[name]) for name, x in a.items())


def same_tensor(a: Tensor, b: Tensor) -> bool:
    """True if two tensors have the same type, shape and bytes; NaN equals itself."""
    if a is b:
        return True
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    # Compared as bytes, which every type supports, 8-bit floats included.
    flat = [x.contiguous().flatten().view(torch.uint8) for x in (a, b)]
    return torch.equal(*flat)


def _is_state(tree: object) -> bool:
    """A mapping of strings to tensors, beside which modules may keep `_extra_state` of any kind."""
    if not isinstance(tree, Mapping):
        return False
    return (
        all(isinstance(name, str) for name in tree)
        and all(isinstance(value, Tensor) or is_extra(name) for name, value in tree.items())
        and any(isinstance(value, Tensor) for value in tree.values())
    )


def _walk(tree: object, place: str = "") -> list[tuple[str, object]]:
    if not isinstance(tree, Mapping):
        return []
    found: list[tuple[str, object]] = []
    for key in KEYS:
        if key in tree:
            here = f"{place}.{key}" if place else key
            inner = tree[key]
            found += [(here, inner)] if _is_state(inner) else _walk(inner, here)
    return found


def _under(tree: object, key: str) -> dict[str, Any] | None:
    """The part of a state whose names begin with a prefix, without it."""
    if not isinstance(tree, Mapping) or not _is_state(tree):
        return None
    return {n.removeprefix(f"{key}."): x for n, x in tree.items() if n.startswith(f"{key}.")}


def _descend(tree: object, key: str, where: str) -> object:
    """Follow a dotted key; a level's own name may hold dots."""
    if not isinstance(tree, Mapping) or _is_state(tree):
        raise UnknownName(
            f"place in {where}", key, [], "The checkpoint is not nested: leave key out."
        )
    if key in tree:
        return tree[key]
    head, dot, rest = key.partition(".")
    if dot and isinstance(tree.get(head), Mapping):
        return _under(tree[head], rest) or _descend(tree[head], rest, where)
    nested = [str(k) for k, value in tree.items() if isinstance(value, Mapping)]
    raise UnknownName(f"place in {where}", key, nested)


def _clean(tree: object, where: str) -> Stored:
    """Plain dense tensors, without gradients; names that share memory share one object."""
    assert isinstance(tree, Mapping)
    state = Stored((k, v.detach()) for k, v in tree.items() if not is_extra(k))
    state.extras = {k: v for k, v in tree.items() if is_extra(k)}
    state.versions = getattr(tree, "_metadata", None)
    if found := unusable(state):
        shown = [f"{name} in {where}, {what}" for name, what in list(found.items())[:5]]
        raise CheckpointError(
            "The tensors of a state must be dense and hold numbers.",
            got="; ".join(shown),
            remedy="Convert it with to_dense() or dequantize() and save it again.",
        )
    for names in ties(state):
        state |= dict.fromkeys(names, state[names[0]])
    return state


def _nothing(tree: object, where: str) -> CheckpointError:
    if isinstance(tree, Mapping):
        shown = [f"{k} ({type(v).__name__})" for k, v in list(tree.items())[:10]]
        what = f"a {type(tree).__name__} with {', '.join(shown) or 'nothing'}"
    else:
        what = f"{type(tree).__name__}"
    packed = isinstance(tree, Mapping) and any("_packed_params" in str(k) for k in tree)
    return CheckpointError(
        "A checkpoint must hold a state: names to tensors, and nothing else beside them.",
        got=f"{what} in {where}",
        remedy="Its weights are quantised and packed: save the model from before that."
        if packed
        else "Save model.state_dict(), alone or under one of "
        f"{', '.join(KEYS[:4])}; or name its place: key=, or FILE:KEY on the command line.",
    )
