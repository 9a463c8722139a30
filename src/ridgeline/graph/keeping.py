"""Things that modules hold besides their weights, and putting it back as it was.

Some modules keep what they computed of their weights for the next call: in an attribute, a dict, a
list, on a submodule, on their class. That call may be with other weights.
"""

import sys
from collections import deque
from collections.abc import Iterator, MutableMapping, MutableSequence, MutableSet
from operator import is_
from typing import Any

from torch import nn
from torch.nn.parameter import Parameter
from torch.utils import _pytree as pytree

__all__ = ["Holders", "holders_of", "is_library", "leaves_of"]

_TABLES = ("_parameters", "_buffers", "_modules")
_OWN = frozenset(vars(nn.Module())) | {
    *("_flat_weights", "_flat_weights_names", "_flat_weight_refs", "_all_weights"),
    "_reversed_padding_repeated_twice",
}
"""Attributes of torch's own: hooks, which are set from outside, and lists of the parameters."""
_LEVELS = 4
"""Levels down to which containers are looked into."""

Held = tuple[list[tuple[Any, ...]], list[Any]]
"""The values of dicts, and what others and classes held."""


class Holders:
    """All that the code of a module's parts may put something into.

    Args:
        module: Whose parts are looked at. Those that are added or taken away later are followed
            as far as their parents hold them.
    """

    def __init__(self, module: nn.Module) -> None:
        self.dicts: list[dict[Any, Any]] = []
        self.others: list[Any] = []
        self.classes: list[type] = []
        seen: set[int] = set()
        for part in module.modules():
            self._enter(part, seen)
        self._names = [list(d) for d in self.dicts]

    def _enter(self, part: nn.Module, seen: set[int]) -> None:
        self.dicts.append(vars(part))
        if part._modules or not _of_torch(type(part)):
            tables = [vars(part)[table] for table in _TABLES]
            self.dicts += [x for x in tables if isinstance(x, dict)]  # TorchScript's are its own
        for kind in type(part).__mro__:
            if not _of_torch(kind) and kind is not object and id(kind) not in seen:
                seen.add(id(kind))
                self.classes.append(kind)
                for x in vars(kind).values():
                    self._look(x, seen, _LEVELS)
        for key, x in vars(part).items():
            if key not in _OWN:
                self._look(x, seen, _LEVELS)

    def _look(self, x: Any, seen: set[int], levels: int) -> None:
        if not levels or id(x) in seen or isinstance(x, nn.Module | type) or not _may_hold(x):
            return
        seen.add(id(x))
        if type(x) is dict:
            self.dicts.append(x)
        elif _is_container(x):
            self.others.append(x)
        else:
            self.dicts.append(vars(x))
        for inner in _items(x):
            self._look(inner, seen, levels - 1)

    def held(self) -> Held:
        """Return what everything holds now."""
        for k, d in enumerate(self.dicts):
            if len(d) != len(self._names[k]):
                self._names[k] = list(d)
        others: list[Any] = [_contents(x) for x in self.others]
        values = [tuple(d.values()) for d in self.dicts]  # a third of the time of a dict
        return values, others + [dict(vars(kind)) for kind in self.classes]

    def put_back(self, before: Held) -> None:
        """Let everything hold what it held, the very objects.

        Args:
            before: As `held` gave it.
        """
        for k, (now, was) in enumerate(zip(self.dicts, before[0], strict=True)):
            if len(now) != len(was) or not all(map(is_, now.values(), was)):
                _refill(now, dict(zip(self._names[k], was, strict=True)))
        for holder, was in zip((*self.others, *self.classes), before[1], strict=True):
            if not _same(holder, was):
                _refill(holder, was)

    def changed(self, before: Held) -> list[Any]:
        """Return what is held now in the place of something else, modes left out.

        Args:
            before: As `held` gave it.
        """
        found: list[Any] = []
        holders: tuple[Any, ...] = (*self.dicts, *self.others, *self.classes)
        dicts = [dict(zip(n, v, strict=True)) for n, v in zip(self._names, before[0], strict=True)]
        for holder, was in zip(holders, dicts + before[1], strict=True):
            if _same(holder, was):
                continue
            now = vars(holder) if isinstance(holder, type) else holder
            if isinstance(was, dict):
                found += [x for k, x in now.items() if was.get(k, was) is not x and k != "training"]
                found += [None for k in was if k not in now]
            else:
                found += list(now)
        return found


def holders_of(module: nn.Module) -> Iterator[tuple[str, nn.Module, str, Any]]:
    """Attributes, and buffers that no state holds, each with the module it is of.

    Args:
        module: Whose parts are looked at.

    Yields:
        The part's name, the part, the attribute's name and its value.
    """
    for name, part in module.named_modules():
        for key, x in vars(part).items():
            if key not in _OWN:
                yield name, part, key, x
        for key in part._non_persistent_buffers_set:
            if part._buffers.get(key) is not None:
                yield name, part, key, part._buffers[key]


def leaves_of(x: Any, levels: int = _LEVELS) -> list[Any]:
    """Return what stands in tuples, lists, dicts and the attributes of a user's objects.

    Args:
        x: Anything.
        levels: How deep it is looked into.
    """
    found: list[Any] = []
    for leaf in pytree.tree_leaves(x):
        if levels and _may_hold(leaf):
            for inner in _items(leaf):
                found += leaves_of(inner, levels - 1)
        else:
            found.append(leaf)
    return found


def is_library(name: str | None) -> bool:
    """True if a module of Python, by its name, is no code of the user's."""
    home = (name or "").partition(".")[0]
    return home in (*sys.stdlib_module_names, "torch", "numpy") and home != "__main__"


def _of_torch(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "torch"


def _is_container(x: Any) -> bool:
    return isinstance(x, MutableMapping | MutableSequence | MutableSet | deque)


def _may_hold(x: Any) -> bool:
    """True if something can be given other contents: a container, or an object of the user's."""
    if isinstance(x, nn.Module | Parameter) or x is None:
        return False
    if _is_container(x):
        return True
    if callable(x) or not hasattr(x, "__dict__"):
        return False
    home = type(x).__module__
    return home.partition(".")[0] == "types" or not is_library(home)


def _items(x: Any) -> list[Any]:
    if isinstance(x, MutableMapping):
        return list(x.values())
    return list(x) if _is_container(x) else list(vars(x).values())


def _contents(x: Any) -> Any:
    return dict(x) if isinstance(x, MutableMapping) else list(x)


def _same(holder: Any, was: Any) -> bool:
    if isinstance(holder, type):
        now: Any = vars(holder)
    else:
        now = holder
    if len(now) != len(was):
        return False
    if isinstance(now, MutableSet):
        return {id(x) for x in now} == {id(x) for x in was}
    if isinstance(was, dict):
        return all(map(is_, now.values(), was.values())) and all(map(is_, now, was))
    return all(map(is_, now, was))


def _refill(holder: Any, was: Any) -> None:
    if isinstance(holder, type):
        for name in [n for n in vars(holder) if n not in was and not _is_special(n)]:
            delattr(holder, name)
        for name, x in was.items():
            if not _is_special(name) and vars(holder).get(name) is not x:
                setattr(holder, name, x)
        return
    holder.clear()
    if isinstance(holder, MutableMapping):
        holder.update(was)
    elif isinstance(holder, MutableSet):
        for x in was:
            holder.add(x)
    else:
        holder.extend(was)


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
