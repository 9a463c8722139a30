"""Emptying what a module that was used before has kept of its weights, where it is filled again."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import Parameter
from torch.utils import _pytree as pytree

from ridgeline.rng import untouched
from ridgeline.tracing.keeping import holders_of, leaves_of
from ridgeline.tracing.network import Network
from ridgeline.tracing.shaking import close, shaken

__all__ = ["computed", "empty_caches", "fresh", "put"]

ABSENT = object()
Member = tuple[str, nn.Module, Any]
"""A part's name, the part, and what it holds."""


def empty_caches(network: Network, tensors: Mapping[str, Tensor], inputs: Any) -> None:
    """Empty, in the network's own copy, what the user's module has kept of a call before.

    That is what the module fills again by itself, with something else for other weights.

    Args:
        network: Of the module.
        tensors: A state, in the type and on the device of the inputs.
        inputs: A few samples.
    """
    groups: dict[tuple[type, str], list[Member]] = {}
    for name, part, key, value in holders_of(network.module):
        own = not type(part).__module__.startswith("torch.")  # whose numbers are no settings
        if computed(value) or (own and isinstance(value, float | np.ndarray)):
            groups.setdefault((type(part), key), []).append((name, part, value))
    classes = {kind: key for kind, key, x in network.class_attributes() if computed(x)}
    if not groups and not classes:
        return
    both = [{n: x.clone() for n, x in s.items()} for s in (tensors, shaken(network, tensors))]
    with untouched(), torch.no_grad():
        for (_, key), members in groups.items():
            ways = [(key, blank) for blank in _blanks(members[0][2])]
            flags = [k for k, x in vars(members[0][1]).items() if x is True and k != "training"]
            _try_to_empty(network, both, inputs, key, members, ways + [(k, False) for k in flags])
        for kind, key in classes.items():
            _try_to_empty_class(network, both, inputs, kind, key)


def _try_to_empty(
    network: Network,
    states: list[dict[str, Tensor]],
    inputs: Any,
    key: str,
    members: list[Member],
    ways: list[tuple[str, Any]],
) -> None:
    """Empty one attribute of some parts of one class, if they fill it again.

    Args:
        network: The network.
        states: Two.
        inputs: A few samples.
        key: The attribute.
        members: The parts.
        ways: Attributes and what they are set to, so that it is filled again: itself, or a flag
            that says that it is filled.
    """

    def look() -> list[Any]:  # containers are emptied after the call, tensors may be written to
        return [fresh(_home(part, key).get(key), deep=True) for _, part, _ in members]

    for setting, blank in ways:
        was = [_home(part, setting).get(setting, ABSENT) for _, part, _ in members]
        for _, part, _ in members:
            put(part, setting, fresh(blank))
        network.renew()
        filled = _looked(network, states, inputs, look)
        refilled = bool(filled) and all(computed(x) for x in filled[0])
        if refilled and not _equal(*filled):
            network.emptied += [(name, setting, blank) for name, _, _ in members]
            return
        for (_, part, _), value in zip(members, was, strict=True):
            put(part, setting, value)
        network.renew()
        if refilled and setting == key:  # with the same: it depends on no weights, and is kept
            return


def _try_to_empty_class(
    network: Network, states: list[dict[str, Tensor]], inputs: Any, kind: type, key: str
) -> None:
    """Empty an attribute of a class during calls, if they fill it again."""
    network.blank_classes.append((kind, key))
    network.renew()
    filled = _looked(network, states, inputs, lambda: [fresh(vars(kind)[key])])
    if not filled or not computed(filled[0]) or _equal(*filled):
        network.blank_classes.pop()
        network.renew()


def _looked(
    network: Network,
    states: list[dict[str, Tensor]],
    inputs: Any,
    look: Callable[[], list[Any]],
) -> list[list[Any]]:
    """What is seen after a call with each state; nothing if a call fails."""
    found: list[list[Any]] = []
    try:
        for state in states:
            network.watched(state, inputs, lambda: found.append(look()))
    except Exception:  # the module does not work without: it is no cache, or not of this kind
        return []
    return found


def computed(x: Any) -> bool:
    """Whether something holds numbers that may have been computed of weights."""
    kinds = (Tensor, float, np.ndarray) if isinstance(x, float | np.ndarray) else Tensor
    return any(isinstance(y, kinds) and not isinstance(y, Parameter) for y in leaves_of(x))


def _blanks(x: Any) -> Iterator[Any]:
    """What may have stood in the place of something before it was computed."""
    if isinstance(x, dict | list | tuple):
        yield pytree.tree_map(lambda y: None if isinstance(y, Tensor) else y, x)
        yield type(x)() if isinstance(x, dict | list) else ()
    elif not isinstance(x, Tensor | float | np.ndarray):
        emptied = copy.copy(x)
        for key, y in vars(x).items():
            setattr(emptied, key, next(iter(_blanks(y))) if computed(y) else y)
        yield emptied
    yield None
    yield ABSENT


def fresh(x: Any, *, deep: bool = False) -> Any:
    """A container of its own with the same in it; with tensors of their own if that is wanted."""
    if isinstance(x, Tensor):
        return x.clone() if deep else x
    if isinstance(x, dict | list | tuple):
        return pytree.tree_map(lambda y: fresh(y, deep=deep), x)
    return copy.copy(x) if hasattr(x, "__dict__") else x


def put(part: nn.Module, key: str, value: Any) -> None:
    """Set an attribute or a buffer of a part, or take it away."""
    if value is ABSENT:
        _home(part, key).pop(key, None)
    else:
        _home(part, key)[key] = value


def _home(part: nn.Module, key: str) -> dict[str, Any]:
    return part._buffers if key in part._non_persistent_buffers_set else vars(part)


def _equal(x: Any, y: Any) -> bool:
    first, second = leaves_of(x), leaves_of(y)
    if len(first) != len(second):
        return False
    numbers = [(p, q) for p, q in zip(first, second, strict=True) if not isinstance(p, Tensor)]
    return close(first, second, 0.0) and all(bool(np.all(p == q)) for p, q in numbers)
