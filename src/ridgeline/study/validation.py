"""Dataclasses from tables, in one pass: every value that does not fit, with its path.

pydantic compares types and finds what is unknown or missing, and makes each dataclass when all of
its own values fit, so that what the dataclass itself refuses (ranges, names, combinations) is
found beside it. All is put into Ridgeline's words.
"""

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from ridgeline.errors import MissingExtra, RidgelineError, SpecError, UnknownName, UsageError
from ridgeline.study.canonical import choices, hints, is_duration, kind_of
from ridgeline.training import Duration

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["NONE", "made", "without_none"]

WORDS = {
    "int": "a whole number",
    "float": "a number",
    "string": "text in quotes",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": "a table",
    "model": "a table",
}
"""By the part of pydantic's error types that names what was expected."""

NONE = "none"
"""How a spec writes None, since TOML has no word for it; only where None may stand."""

Path: TypeAlias = tuple[str | int, ...]
Refusal: TypeAlias = RidgelineError


class _Refused(ValueError):
    """Refusals of a dataclass that was to be made, by the path of the field that each is about."""

    def __init__(self, problems: Sequence[tuple[str, Refusal]]) -> None:
        super().__init__(str(problems[0][1]))
        self.problems = problems


def made(cls: type, values: Mapping[str, Any]) -> Any:
    """Return a dataclass made of its tables, whether all values are given or defaults are left out.

    Args:
        cls: The dataclass.
        values: Tables, lists, texts and numbers, as TOML and JSON give them.

    Raises:
        SpecError: With every name that is unknown or missing and every value that is refused, and
            where it stands.
        MissingExtra: If pydantic is not installed.
    """
    try:
        from pydantic import ValidationError
    except ImportError as error:
        raise MissingExtra("pydantic", "study", "Reading a config") from error
    if not isinstance(values, Mapping):
        raise SpecError([("", UsageError("It must be a table.", got=repr(values)))])
    try:
        return _instance(cls, _model(cls).model_validate(dict(values)))
    except ValidationError as error:
        problems = _problems(cls, values, error.errors(include_url=False))
    except _Refused as refused:
        problems = list(refused.problems)
    raise SpecError(problems) from problems[0][1]


def _instance(cls: type, checked: "BaseModel") -> Any:
    """Return the dataclass itself, of values whose types fit."""
    given = {name: getattr(checked, name) for name in checked.model_fields_set}
    try:
        return cls(**given)
    except SpecError as error:
        raise _Refused(error.problems) from error
    except RidgelineError as error:
        raise _Refused([(_blamed(error, given), error)]) from error


def _blamed(error: RidgelineError, values: Mapping[str, Any]) -> str:
    """Name the field that a refusal is about: named in the rule, or with the value that was got."""
    for name, value in values.items():
        if f"`{name}`" in error.rule or error.got in (repr(value), f"{name}={value!r}"):
            return name
        for key in value if isinstance(value, Mapping) else ():
            if f"`{key}`" in error.rule or error.got == repr(key):
                return f"{name}.{key}"
    return ""


def _problems(
    cls: type, values: Mapping[str, Any], errors: Sequence[Any]
) -> list[tuple[str, Refusal]]:
    found: dict[Path, list[Any]] = {}
    for entry in errors:
        found.setdefault(_path(values, entry["loc"], entry["type"]), []).append(entry)
    problems: list[tuple[str, Refusal]] = []
    for path, entries in found.items():
        refused = [e["ctx"]["error"] for e in entries if e["type"] == "value_error"]
        refused = [error for error in refused if isinstance(error, _Refused)]
        if refused:  # the other branches of a union say that it is no None
            told = [(".".join([_dotted(path), inner]), e) for inner, e in refused[0].problems]
            problems += [(place.strip("."), e) for place, e in told]
        # A list with a bad element is said to be no number either; the element is the matter.
        elif not any(len(path) < len(p) and p[: len(path)] == path for p in found):
            problems.append((_dotted(path), _worded(cls, values, path, entries)))
    return problems


def _dotted(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).strip(".")


def without_none(hint: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The table with None where a text says so and the type allows it."""
    owner = kind_of(hint, values)
    types_ = hints(owner) if owner is not None else {}
    done = dict(values)
    for name, value in values.items():
        if value == NONE and type(None) in get_args(types_.get(name)):
            done[name] = None
        elif isinstance(value, Mapping) and name in types_:
            done[name] = without_none(types_[name], value)
    return done


@cache
def _model(cls: type) -> "type[BaseModel]":
    """The dataclass as pydantic sees it: strict types, no other keys, tables told by `kind`."""
    from pydantic import ConfigDict, create_model

    shown: dict[str, Any] = {}
    for field in fields(cls):
        hint = hints(cls)[field.name]
        required = field.default is MISSING and field.default_factory is MISSING
        tag = field.name == "kind" and get_origin(hint) is Literal
        shown[field.name] = (_translated(hint, field.name), ... if required or tag else None)
    return create_model(cls.__name__, __config__=ConfigDict(extra="forbid", strict=True), **shown)


def _translated(hint: Any, name: str) -> Any:
    from pydantic import AfterValidator, Discriminator

    if among := choices(hint):
        each = (Annotated[_model(c), AfterValidator(partial(_instance, c))] for c in among.values())
        one: Any = Union[tuple(each)]  # noqa: UP007 (of a tuple)
        if "" not in among and len(among) > 1:
            one = Annotated[one, Discriminator("kind")]
        return one | None if type(None) in get_args(hint) else one
    if get_origin(hint) in (Union, types.UnionType):
        # A function may stand in a recipe that is made in Python; a spec names one.
        parts = [part for part in get_args(hint) if get_origin(part) is not Callable]
        return Union[tuple(_translated(part, name) for part in parts)]  # noqa: UP007 (made at run time)
    if get_origin(hint) is tuple:
        inner = list[_translated(get_args(hint)[0], name)]  # type: ignore[misc]  # made here
        return Annotated[inner, AfterValidator(tuple)]
    if hint is str and is_duration(name, str):
        return Annotated[str, AfterValidator(lambda text: str(Duration.parse(text)))]
    return dict[str, Any] if get_origin(hint) is Mapping else hint


def _path(values: Any, loc: Sequence[str | int], kind: str) -> Path:
    """Return where an error is in the table: pydantic's location without the branches of unions."""
    path: list[str | int] = []
    here = values
    for i, part in enumerate(loc):
        if (isinstance(here, Mapping) and part in here) or (
            isinstance(here, list) and isinstance(part, int)
        ):
            here = here[part]  # type: ignore[index]  # the key of a table or the place in a list
        elif not (kind == "missing" and i == len(loc) - 1):
            continue
        path.append(part)
    return tuple(path)


def _worded(cls: type, values: Mapping[str, Any], path: Path, entries: Sequence[Any]) -> Refusal:
    """One refusal for all that pydantic says of one place; several are branches of a union."""
    kind, got, name = entries[0]["type"], entries[0]["input"], str(path[-1]) if path else ""
    if kind == "value_error" and isinstance(entries[0]["ctx"]["error"], RidgelineError):
        return entries[0]["ctx"]["error"]
    if kind == "missing":
        return UsageError(f"`{name}` must be given.")
    if kind == "extra_forbidden":
        hint, here = _at(cls, values, path[:-1])
        owner = kind_of(hint, here) or cls
        return UnknownName("key", name, [field.name for field in fields(owner)])
    if kind == "union_tag_not_found":
        among = choices(_at(cls, values, path)[0])
        return UsageError(
            "A table that is one of several says its `kind`.",
            got=", ".join(got) or "an empty table",
            remedy=f"Write kind = ..., one of: {', '.join(among)}.",
        )
    if kind == "union_tag_invalid":
        return UnknownName("kind", str(got["kind"]), choices(_at(cls, values, path)[0]))
    if kind == "literal_error":
        return UnknownName("value", str(got), get_args(_at(cls, values, path)[0]))
    words = [WORDS[stem] for e in entries if (stem := e["type"].split("_")[0]) in WORDS]
    if not words:
        return UsageError(f"{entries[0]['msg']}.", got=repr(got))
    return UsageError(f"It must be {' or '.join(dict.fromkeys(words))}.", got=repr(got))


def _at(cls: Any, values: Any, path: Path) -> tuple[Any, Any]:
    """The type that is asked for at a place, and what stands there."""
    hint: Any = cls
    here: Any = values
    for part in path:
        if isinstance(part, str):
            hint = hints(kind_of(hint, here) or cls)[part]
        here = here[part]  # type: ignore[index]  # a table or a list
    return hint, here
