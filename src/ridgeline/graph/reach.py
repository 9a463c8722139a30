"""Places outside of a module that its code can put values into: globals, closures, defaults."""

import dis
import types
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
from dataclasses import dataclass
from threading import local
from typing import Any

from torch import Tensor, nn

from ridgeline.graph.keeping import is_library

__all__ = ["Held", "Place", "places_outside"]

LONG = 4096
"""Entries of a table that is data and no cache."""
WRAPPED = ("__func__", "func", "fget", "__wrapped__", "hook")
"""Where methods, properties, caches and hooks keep the function that they are made of."""
TORCH = frozenset(vars(nn.Module()))
OPCODES = {name: dis.opmap[name] for name in ("LOAD_GLOBAL", "STORE_GLOBAL", "EXTENDED_ARG")}
Held = dict[Any, Any]


@dataclass(frozen=True)
class Place:
    """Something outside of a module that its code can put a value into."""

    said: str
    """What it is, in words."""
    part: tuple[str, nn.Module]
    """Whose code it is that reaches it, by name."""
    take: Callable[[], Held]
    put: Callable[[Held], None]


def places_outside(module: nn.Module, forward: Any) -> Iterator[Place]:
    """Places outside of a module that its code reaches.

    Args:
        module: Whose parts' methods, hooks and attributes are looked at.
        forward: A function that calls it.
    """
    seen: set[int] = set()
    for name, part in module.named_modules():
        for key, x in vars(part).items():
            if key not in TORCH and not callable(x):
                yield from _slotted(x, (name, part), f"what {key} holds", seen)
        functions = [x for kind in type(part).__mro__ for x in vars(kind).values()]
        for x in functions:
            if isinstance(x, local) or _slots(x):
                yield from _holding(x, (name, part), "an attribute of its class", seen)
        functions += [x for x in vars(part).values() if callable(x)]
        functions += [f for k, x in vars(part).items() if "hooks" in k and x for f in x.values()]
        for function in functions:
            yield from _reached(function, (name, part), seen)
    yield from _reached(forward, ("", module), seen)


def _plain(function: Any) -> Any:
    """The function of the user's that something wraps; None if there is none."""
    for _ in range(4):
        if isinstance(function, types.FunctionType):
            return None if is_library(function.__module__) else function
        wrapped = (getattr(function, w, None) for w in WRAPPED)
        function = next((inner for inner in wrapped if callable(inner)), None)
    return None


def _reached(thing: Any, part: tuple[str, nn.Module], seen: set[int]) -> Iterator[Place]:
    """The places that a function's code reaches, and that of the functions it calls."""
    function = _plain(thing)
    if function is None or id(function) in seen:
        return
    seen.add(id(function))
    name = function.__qualname__.rpartition("<locals>.")[2]
    yield _table(vars(function), f"an attribute of the function {name}", part)
    for x in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        yield from _holding(x, part, f"a default argument of {name}", seen)
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    for key, cell in cells.items():
        if id(cell) not in seen:
            seen.add(id(cell))
            yield _cell(cell, f"the variable {key} around {name}", part)
            yield from _holding(_content(cell), part, f"the variable {key} around {name}", seen)
    home, read, stored = function.__globals__, set[str](), set[str]()
    _look_at(function.__code__, read, stored)
    if stored:
        yield _globals(home, stored, part)
    for key in sorted(read & home.keys()):
        x = home[key]
        if not isinstance(x, types.ModuleType):
            yield from _holding(x, part, f"the global {key}", seen)
        elif not is_library(x.__name__):
            for inner in sorted(set(function.__code__.co_names) & vars(x).keys()):
                yield from _holding(vars(x)[inner], part, f"the global {key}.{inner}", seen)


def _look_at(code: types.CodeType, read: set[str], stored: set[str]) -> None:
    """Note the globals that some code reads, and those that it sets."""
    more = 0
    for op, arg in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        at = arg | more
        more = at << 8 if op == OPCODES["EXTENDED_ARG"] else 0
        if op == OPCODES["LOAD_GLOBAL"]:
            read.add(code.co_names[at >> 1])
        elif op == OPCODES["STORE_GLOBAL"]:
            stored.add(code.co_names[at])
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _look_at(constant, read, stored)


def _holding(x: Any, part: tuple[str, nn.Module], said: str, seen: set[int]) -> Iterator[Place]:
    """The places that a value is, or reaches as a function."""
    if x is None or id(x) in seen or isinstance(x, nn.Module | Tensor | types.ModuleType):
        return
    if callable(x) and not isinstance(x, type) and _plain(x) is not None:
        yield from _reached(x, part, seen)
    elif isinstance(x, MutableMapping | MutableSequence):
        if len(x) <= LONG:
            seen.add(id(x))
            yield _table(x, said, part)
    elif isinstance(x, type):
        if not is_library(x.__module__) and not issubclass(x, nn.Module):
            seen.add(id(x))
            yield _attributes(x, said, part)
    elif isinstance(x, local | types.SimpleNamespace) or not is_library(type(x).__module__):
        seen.add(id(x))
        yield _attributes(x, said, part)
        for f in vars(type(x)).values():
            yield from _reached(f, part, seen)


def _slotted(x: Any, part: tuple[str, nn.Module], said: str, seen: set[int]) -> Iterator[Place]:
    """Objects with slots among what an attribute holds: they are not looked into elsewhere."""
    values = list(x.values()) if isinstance(x, dict) else x if isinstance(x, list | tuple) else [x]
    for y in values:
        plain = not isinstance(y, nn.Module | Tensor | type) and not is_library(type(y).__module__)
        if plain and _slots(y) and id(y) not in seen:
            seen.add(id(y))
            yield _attributes(y, said, part)


def _slots(x: Any) -> list[str]:
    kinds = (vars(kind).get("__slots__", ()) for kind in type(x).__mro__)
    return [s for k in kinds for s in ((k,) if isinstance(k, str) else k) if s[:2] != "__"]


def _table(x: Any, said: str, part: tuple[str, nn.Module]) -> Place:
    def put(held: Held) -> None:
        now = take()
        if len(now) == len(held) and all(k in now and now[k] is v for k, v in held.items()):
            return
        x.clear()
        if isinstance(x, MutableMapping):
            x.update(held)
        else:
            x.extend(held.values())

    def take() -> Held:
        return dict(x) if isinstance(x, MutableMapping) else dict(enumerate(x))

    return Place(said, part, take, put)


def _cell(cell: types.CellType, said: str, part: tuple[str, nn.Module]) -> Place:
    def put(held: Held) -> None:
        if held and _content(cell) is not held["it"]:
            cell.cell_contents = held["it"]

    def take() -> Held:
        content = _content(cell)
        shown = isinstance(content, Tensor | float) or content is None
        return {"it": content} if shown else {}

    return Place(said, part, take, put)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is empty
        return None


def _globals(home: dict[str, Any], names: set[str], part: tuple[str, nn.Module]) -> Place:
    def put(held: Held) -> None:
        for key in names:
            if key in held and home.get(key) is not held[key]:
                home[key] = held[key]
            elif key not in held and key in take():
                del home[key]

    def take() -> Held:
        return {k: home[k] for k in names if k in home}

    return Place("a global of " + str(home.get("__name__")), part, take, put)


def _attributes(x: Any, said: str, part: tuple[str, nn.Module]) -> Place:
    def put(held: Held) -> None:
        now = take()
        for key in now.keys() - held.keys():
            delattr(x, key)
        for key, value in held.items():
            if key not in now or now[key] is not value:
                setattr(x, key, value)

    def take() -> Held:
        slots = (
            {} if isinstance(x, type) else {k: getattr(x, k) for k in _slots(x) if hasattr(x, k)}
        )
        plain = dict(getattr(x, "__dict__", {}))
        if isinstance(x, type):
            plain = {k: v for k, v in plain.items() if k[:2] != "__" and not hasattr(v, "__get__")}
        return slots | plain

    return Place(said, part, take, put)
