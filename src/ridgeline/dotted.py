"""Nested tables by dotted paths, as specs and reports write them: ``training.optimiser.kind``."""

from collections.abc import Iterator, Mapping
from typing import Any

from ridgeline.errors import UnknownName

__all__ = ["get_at", "leaves", "put_at", "without_options"]


def leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value of all that is no table, or an empty one.

    Args:
        values: Nested tables.
        path: Of the table itself.
    """
    for name, value in values.items():
        here = f"{path}.{name}" if path else name
        if isinstance(value, Mapping) and value:
            yield from leaves(value, here)
        else:
            yield here, value


def without_options(path: str) -> str:
    """A path as it is written in a spec, where a table called ``options`` has no name."""
    first, *rest = path.split(".")
    return ".".join([first, *(part for part in rest if part != "options")])


def get_at(table: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, which may leave out tables called ``options``.

    Raises:
        UnknownName: If there is none; it names what is there.
    """
    here: Any = table
    for part in path.split("."):
        known = {**here, **here.get("options", {})} if isinstance(here, Mapping) else {}
        if part not in known:
            raise UnknownName(f"field of a run, within {path},", part, known)
        here = known[part]
    return here


def put_at(table: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a dotted path, making tables on the way."""
    *way, last = path.split(".")
    here = table
    for part in way:
        inner = here.get(part)
        here[part] = here = dict(inner) if isinstance(inner, Mapping) else {}
    here[last] = value
