"""Functions and weak references of a copied module, which Python copies as they are.

A lambda or a hook that is written inside of a method holds the module it was made for, and so does
a weak reference to a parent: in a copy they would read, and write to, the caller's module.
"""

import copy
import functools
import types
import weakref
from collections.abc import Mapping
from operator import is_
from typing import Any

from torch import nn

__all__ = ["rebind"]

LEVELS = 3
"""How deep containers and closures are looked into."""


def rebind(copied: nn.Module, copies: Mapping[int, Any]) -> None:
    """Let a copy's functions and weak references be of the copy; changed in place.

    Args:
        copied: The copy.
        copies: Of the caller's modules, by their identities.
    """
    for part in copied.modules():
        held = vars(part)
        for key, x in list(held.items()):
            if key not in ("_parameters", "_buffers", "_modules"):
                made = _rebound(x, copies, LEVELS)
                if made is not x:
                    held[key] = made


def _rebound(x: Any, copies: Mapping[int, Any], levels: int) -> Any:
    """The same over the copies: itself if it is of none of the caller's modules."""
    if not levels:
        return x
    if isinstance(x, weakref.ref) and type(x) is weakref.ref:
        twin = copies.get(id(x()))
        return x if twin is None or twin is x() else weakref.ref(twin)
    if isinstance(x, types.FunctionType) and x.__closure__:
        return _function(x, copies, levels)
    if isinstance(x, types.MethodType):
        twin = copies.get(id(x.__self__))
        function = _rebound(x.__func__, copies, levels - 1)
        if twin is None and function is x.__func__:
            return x
        return types.MethodType(function, x.__self__ if twin is None else twin)
    if type(x) is functools.partial:
        function = _rebound(x.func, copies, levels - 1)
        return x if function is x.func else functools.partial(function, *x.args, **x.keywords)
    if isinstance(x, dict):  # that of hooks among them
        changed = {
            k: made for k, y in x.items() if (made := _rebound(y, copies, levels - 1)) is not y
        }
        if changed:
            x = copy.copy(x)  # a `__deepcopy__` may have shared it with the caller's
            x.update(changed)
    elif type(x) is list:
        made = [_rebound(y, copies, levels - 1) for y in x]
        return x if all(map(is_, made, x)) else made
    return x


def _function(x: types.FunctionType, copies: Mapping[int, Any], levels: int) -> Any:
    """A function whose variables are of the copies."""
    cells = []
    for cell in x.__closure__ or ():
        try:
            content = cell.cell_contents
        except ValueError:  # it is empty
            cells.append(cell)
            continue
        made = copies.get(id(content))
        if made is None and not isinstance(content, dict | list):  # those of a call stay its own
            made = _rebound(content, copies, levels - 1)
        same = made is None or made is content
        cells.append(cell if same else types.CellType(made))
    if all(new is old for new, old in zip(cells, x.__closure__ or (), strict=True)):
        return x
    twin = types.FunctionType(x.__code__, x.__globals__, x.__name__, x.__defaults__, tuple(cells))
    twin.__kwdefaults__, twin.__qualname__ = x.__kwdefaults__, x.__qualname__
    twin.__dict__.update(x.__dict__)
    return twin
