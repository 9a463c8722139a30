"""Emptying what a module that was used before has kept of its weights, where it is filled again."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import Parameter
from torch.utils import _pytree as pytree

from ridgeline.graph.keeping import holders_of, leaves_of
from ridgeline.graph.network import Network
from ridgeline.graph.shaking import close, shaken
from ridgeline.rng import untouched

__all__ = ["alike", "computed", "empty_caches", "fresh", "put"]

ABSENT = object()
KEYS = (int, str, tuple)
"""What may say of which weights something was computed."""
Member = tuple[str, nn.Module, Any]
"""A part's name, the part, and what it holds."""


class _States:
    """Two states, made when they are asked for; both are held, as no address may be given twice."""

    def __init__(self, network: Network, tensors: Mapping[str, Tensor]) -> None:
        self._network, self._tensors = network, tensors

    @cached_property
    def other(self) -> dict[str, Tensor]:
        own = self._tensors
        other = shaken(self._network, own)
        return {n: x.clone() if x is own[n] else x for n, x in other.items()}

    @cached_property
    def own(self) -> dict[str, Tensor]:
        return {n: x.clone() for n, x in self._tensors.items()}

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        yield self.other  # first, as who goes on needs it
        yield self.own


def empty_caches(network: Network, tensors: Mapping[str, Tensor], inputs: Any) -> dict[str, Tensor]:
    """Empty, in the network's own copy, what the user's module has kept of a call before.

    That is what the module fills again by itself, with something else for other weights.

    Args:
        network: Of the module.
        tensors: A state, in the type and on the device of the inputs.
        inputs: A few samples.

    Returns:
        Another state that was made to look, which `check_follows` takes; empty if none was made.
    """
    groups: dict[tuple[type, str], list[Member]] = {}
    for name, part, key, value in holders_of(network.module):
        own = not type(part).__module__.startswith("torch.")  # whose numbers are no settings
        if own if isinstance(value, float | np.ndarray) else computed(value):
            groups.setdefault((type(part), key), []).append((name, part, value))
    classes = {kind: key for kind, key, x in network.class_attributes() if computed(x)}
    if not groups and not classes:
        return {}
    both = _States(network, tensors)
    with untouched(), torch.no_grad():
        for (_, key), members in groups.items():
            ways = [(key, blank) for blank in _blanks(members[0][2])]
            _try_to_empty(network, both, inputs, key, members, ways + _flags(members[0][1]))
        for kind, key in classes.items():
            _try_to_empty_class(network, both, inputs, kind, key)
    parts = dict(network.module.named_modules())
    for name, key, blank in network.emptied:  # anew: a call writes to the flags that are tensors
        put(parts[name], key, fresh(blank, deep=True))
    network.renew()
    return both.other


def _flags(part: nn.Module) -> list[tuple[str, Any]]:
    """Return what may say that something is filled, and how it says that it is not."""
    flags: list[tuple[str, Any]] = [
        (k, False) for k, x in vars(part).items() if x is True and k != "training"
    ]
    for key in part._non_persistent_buffers_set:
        x = part._buffers.get(key)
        if x is not None and x.dtype == torch.bool and bool(x.all()):
            flags.append((key, torch.zeros_like(x)))
    return flags


def _try_to_empty(
    network: Network,
    states: _States,
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

    def refills(seen: list[Any]) -> bool:
        held = zip(seen, members, strict=True)  # a number that was computed is another object
        return all(computed(x) and not (x is m[2] and isinstance(x, float)) for x, m in held)

    for setting, blank in ways:
        was = [_home(part, setting).get(setting, ABSENT) for _, part, _ in members]

        def emptied(setting: str = setting, blank: Any = blank) -> None:
            for _, part, _ in members:
                put(part, setting, fresh(blank, deep=True))
            network.renew()

        filled = _looked(network, states, inputs, look, emptied, refills)
        refilled = bool(filled) and refills(filled[0])
        if refilled and not alike(*filled):
            network.emptied += [(name, setting, blank) for name, _, _ in members]
            _forget_keys(network, states, inputs, members)
            return
        for (_, part, _), value in zip(members, was, strict=True):
            put(part, setting, value)
        network.renew()
        if refilled and setting == key:  # with the same: it depends on no weights, and is kept
            return


def _forget_keys(network: Network, states: _States, inputs: Any, members: list[Member]) -> None:
    """Forget what tells parts that they are filled: an address, a version, the weight itself.

    It may be right by chance: that of a tensor which is given later.
    """
    own = [(name, part, dict(vars(part))) for name, part, _ in members]
    changed: set[str] = set()

    def look() -> None:
        for _, part, was in own:
            changed.update(
                k
                for k, x in vars(part).items()
                if isinstance(x, KEYS) and not isinstance(x, bool) and was.get(k) is not x
            )

    _looked(network, [states.other], inputs, look)
    for key in changed:
        if any(key not in was or not isinstance(was[key], KEYS) for _, _, was in own):
            continue
        for _, part, _ in own:
            put(part, key, None)
        network.renew()
        if _looked(network, states, inputs, list):
            network.emptied += [(name, key, None) for name, _, _ in own]
            continue
        for _, part, was in own:
            put(part, key, was[key])
        network.renew()


def _try_to_empty_class(
    network: Network, states: _States, inputs: Any, kind: type, key: str
) -> None:
    """Empty an attribute of a class during calls, if they fill it again."""
    network.blank_classes.append((kind, key))
    network.renew()
    filled = _looked(network, states, inputs, lambda: [fresh(vars(kind)[key])])
    if not filled or not computed(filled[0]) or alike(*filled):
        network.blank_classes.pop()
        network.renew()


def _looked(
    network: Network,
    states: Iterable[dict[str, Tensor]],
    inputs: Any,
    look: Callable[[], Any],
    begin: Callable[[], None] = lambda: None,
    further: Callable[[Any], bool] = lambda _: True,
) -> list[list[Any]]:
    """Things seen after a call with each state, which begins anew; nothing if a call fails.

    Args:
        network: The network.
        states: Of the calls.
        inputs: A few samples.
        look: Asked after each call.
        begin: Called before each.
        further: Whether to go on after what was seen.
    """
    found: list[list[Any]] = []
    try:
        for state in states:
            begin()
            network.watched(state, inputs, lambda: found.append(look()))
            if not further(found[-1]):
                break
    except Exception:  # the module does not work without: it is no cache, or not of this kind
        return []
    return found


def computed(x: Any) -> bool:
    """True if something holds numbers that may have been computed of weights."""
    kinds = (Tensor, float, np.ndarray) if isinstance(x, float | np.ndarray) else Tensor
    return any(isinstance(y, kinds) and not isinstance(y, Parameter) for y in leaves_of(x))


def _blanks(x: Any) -> Iterator[Any]:
    """Return what may have stood in the place of something before it was computed."""
    if isinstance(x, dict | list | tuple):
        if isinstance(x, dict):  # first: a key may be the weight's address
            yield type(x)()
        yield pytree.tree_map(lambda y: None if isinstance(y, Tensor) else y, x)
        yield type(x)() if isinstance(x, list) else ()
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


def alike(x: Any, y: Any) -> bool:
    """True if two things hold the same numbers."""
    first, second = leaves_of(x), leaves_of(y)
    if len(first) != len(second):
        return False
    numbers = [(p, q) for p, q in zip(first, second, strict=True) if not isinstance(p, Tensor)]
    return close(first, second, 0.0) and all(bool(np.all(p == q)) for p, q in numbers)
