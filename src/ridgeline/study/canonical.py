"""Configs as plain values and back, and the hash of what defines one.

The law: a new field has a default, and the default eliminates its effect. A field at its default
does not enter the hash, so a config written before the field existed keeps its hash. The order
of keys and the writing of numbers and durations do not enter either.
"""

import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from functools import cache
from numbers import Integral, Real
from types import NoneType
from typing import Any, Literal, Union, get_args, get_origin

from ridgeline.errors import UsageError
from ridgeline.training import OPTIMISERS, SCHEDULES, Duration, Keep, Optimiser, Schedule

__all__ = [
    "FORMAT",
    "canonical",
    "choices",
    "digest",
    "hints",
    "is_duration",
    "kind_of",
    "plain",
    "text_of",
]

FORMAT = 1
"""Part of every hash; raised if the law must ever be broken."""
DURATIONS = {
    *("length", "at", "every", "spawn", "warm_up", "start", "assess", "since", "until"),
}
"""Fields of text that are durations."""
DONE = "_canonical"
"""Attribute of a dataclass that is canonical already; it holds what `plain` made of it."""
LEAVES = (str, bool, int, float, NoneType)
"""Types of a canonical value that holds no others."""
FAMILIES: dict[type, dict[str, type]] = {Optimiser: {**OPTIMISERS}, Schedule: {**SCHEDULES}}
"""Bases in whose place one of several dataclasses stands, named by `kind`."""


@cache
def hints(cls: type) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    return typing.get_type_hints(cls)


def is_duration(name: str, hint: Any) -> bool:
    """True if a field holds durations: one, several, or None."""
    return name in DURATIONS and hint in (str, str | None, tuple[str, ...])


def choices(hint: Any) -> dict[str, type]:
    """The dataclasses that may stand where a type is asked for, by kind; ``""`` if without one."""
    if hint in FAMILIES:
        return FAMILIES[hint]
    found: dict[str, type] = {}
    for part in _parts(hint):
        if is_dataclass(part) and isinstance(part, type):
            tag = hints(part).get("kind") if _tagged(part) else None
            found[get_args(tag)[0] if tag is not None else ""] = part
    return found


def kind_of(hint: Any, values: Mapping[str, Any]) -> type | None:
    """The dataclass that a table is meant for; None if its kind is missing or unknown."""
    among = choices(hint)
    kind = values.get("kind")
    return among.get(kind if isinstance(kind, str) and "" not in among else "")


def canonical(value: Any, hint: Any, path: str = "") -> Any:
    """The same value in the one way it is written: numbers, durations, tuples, order of keys.

    Args:
        value: A field's value, or a whole config.
        hint: The type it is declared with.
        path: Where it stands, for messages.

    Raises:
        UsageError: If it has no JSON form: a function, NaN, an infinity.
    """
    if type(value) in (str, bool, NoneType):  # most values are: the rest takes long
        return value
    if is_dataclass(value) and not isinstance(value, type):
        if DONE in vars(value):
            return value
        done = replace(value, **{f.name: _field(value, f.name, path) for f in fields(value)})
        vars(done)[DONE] = {}
        return done
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise UsageError(f"Keys of {path} are texts.", got=repr(list(value)))
        return {key: canonical(value[key], Any, _join(path, key)) for key in sorted(value)}
    if isinstance(value, list | tuple):
        inner = next((get_args(p)[0] for p in _parts(hint) if get_origin(p) is tuple), Any)
        done = [canonical(x, inner, f"{path}[{i}]") for i, x in enumerate(value)]
        return done if hint is Any else tuple(done)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return float(value) if float in _parts(hint) and int not in _parts(hint) else int(value)
    if isinstance(value, Real) and math.isfinite(value):
        return float(value) + 0.0  # -0.0 becomes 0.0
    raise UsageError(
        f"`{path}` must be text, a finite number, true or false, or a list or table of these.",
        got=repr(value),
        remedy="A run in a store is rebuilt from its text alone.",
    )


def plain(value: Any, *, full: bool) -> Any:
    """A canonical config as dicts, lists, texts and numbers, keys in order.

    Args:
        value: A dataclass, or what is in one.
        full: Every field; otherwise those at their default are left out. The `kind` that tells
            one dataclass from another always stays.
    """
    if type(value) in LEAVES:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        known: dict[bool, Any] = vars(value).get(DONE, {})
        if full in known:
            return known[full]
        shown: dict[str, Any] = {}
        for field in sorted(fields(value), key=lambda field: field.name):
            mine = getattr(value, field.name)
            tag = field.name == "kind" and _tagged(type(value))
            if full or tag or not _at_default(field, mine):
                shown[field.name] = plain(mine, full=full)
        known[full] = shown
        return shown
    if isinstance(value, Mapping):
        return {key: plain(value[key], full=full) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [plain(x, full=full) for x in value]
    return value


def text_of(value: Any) -> str:
    """Canonical JSON: keys in order, no spaces, and equal numbers written alike (1.0 as 1)."""
    return json.dumps(
        _by_value(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def digest(defining: Mapping[str, Any]) -> str:
    """16 hex digits of BLAKE2b over the canonical JSON."""
    text = text_of({"format": FORMAT, **defining})
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _field(owner: Any, name: str, path: str) -> Any:
    hint = hints(type(owner))[name]
    done = canonical(getattr(owner, name), hint, _join(path, name))
    if done is None or not is_duration(name, hint):
        return done
    if isinstance(done, str):
        return str(Duration.parse(done))
    # Times in any order mean the same. Once or twice is one for a state that is kept, and two
    # for a rate that is lowered.
    times = [Duration.parse(time) for time in done]
    times = set(times) if isinstance(owner, Keep) else times
    return tuple(str(time) for time in sorted(times, key=lambda t: (t.epochs, t.steps)))


def _at_default(field: "Field[Any]", value: Any) -> bool:
    default = _default(field)
    if default is MISSING:
        return False
    if type(value) is type(default) and isinstance(value, str | int | float | None):
        return bool(value == default)  # most fields are of these, and texts of them take long
    return _default_text(field) == text_of(plain(value, full=True))


@cache
def _default_text(field: "Field[Any]") -> str:
    return text_of(plain(_default(field), full=True))


def _default(field: "Field[Any]") -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _tagged(cls: type) -> bool:
    return get_origin(hints(cls).get("kind")) is Literal


def _parts(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _by_value(value: Any) -> Any:
    if type(value) in LEAVES and type(value) is not float:
        return value
    if isinstance(value, Mapping):
        return {key: _by_value(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [_by_value(x) for x in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _join(path: str, name: str) -> str:
    return ".".join(part for part in (path, name) if part)
