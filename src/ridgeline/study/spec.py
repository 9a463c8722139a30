"""Specs: TOML files that declare runs. See docs/specs.md."""

import codecs
import copy
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ridgeline.dotted import put_at
from ridgeline.errors import DataError, RidgelineError, SpecError, UsageError
from ridgeline.study.checks import problems_in
from ridgeline.study.config import RunConfig
from ridgeline.study.grid import Axis, axes_of, expand, points

__all__ = ["Spec", "load_spec", "parsed", "parsed_overrides", "read_text", "spec_of"]

TEXT = "the spec"
"""What a spec is called that was given as text."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Spec: a grid of runs, as its file declares them."""

    name: str
    runs: tuple[RunConfig, ...]
    """Each once; parents first, then children."""
    about: str = ""
    base: Mapping[str, Any] = field(default_factory=dict)
    """The tables without the grid, overrides put in."""
    axes: tuple[Axis, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Dotted path to value, of what was put in place of the file's."""
    path: Path | None = None
    """Of the file; None for a text."""


def load_spec(
    source: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    seeds: int | Sequence[int] | None = None,
) -> Spec:
    """Read a spec and expand it to its runs. No data are loaded.

    Args:
        source: A TOML file, or the text of one (with at least one line break).
        overrides: ``"training.length=5ep"``: a value, as TOML writes it or a bare text, in place
            of the file's and of the grid's.
        seeds: In place of the file's: how many, or which.

    Returns:
        The spec with its runs.

    Raises:
        DataError: If there is no such file, or it is no text.
        SpecError: If it is no TOML, or values are unknown, missing or refused: all of them, each
            with its path and the nearest name.
        MissingExtra: If pydantic is not installed.
    """
    text, path = read_text(source)
    where = TEXT if path is None else str(path)
    try:
        table, fixed = parsed(text), parsed_overrides(overrides)
        if seeds is not None:
            fixed["seeds"] = seeds if isinstance(seeds, int) else list(seeds)
        return spec_of(table, fixed, path=path)
    except SpecError as error:
        raise SpecError(error.problems, where=where) from error.__cause__


def spec_of(
    tables: Mapping[str, Any], overrides: Mapping[str, Any] | None = None, path: Path | None = None
) -> Spec:
    """Expand tables, as TOML gives them, to their runs. No data are loaded.

    Args:
        tables: With ``name``, ``net``, ``data``, ``training`` and, if wanted, the others.
        overrides: Dotted path to a value in place of the tables' and of the grid's.
        path: Of the file they were read from.

    Returns:
        The spec with its runs.

    Raises:
        SpecError: If values are unknown, missing or refused.
    """
    table, fixed = copy.deepcopy(dict(tables)), dict(overrides or {})
    axes = axes_of(table.pop("grid", {}), fixed)
    runs = expand(points(table, axes, fixed))
    if found := _unique(runs):
        raise SpecError(found)
    for place, value in fixed.items():
        put_at(table, place, value)
    return Spec(
        name=table["name"],
        about=table.get("about", ""),
        base=table,
        axes=tuple(axes),
        overrides=fixed,
        runs=runs,
        path=path,
    )


def read_text(source: str | os.PathLike[str]) -> tuple[str, Path | None]:
    """The text of a file, and the file; or the text itself, if it has a line break."""
    if isinstance(source, str) and "\n" in source:
        return source.removeprefix("\ufeff"), None
    path = Path(source)
    try:
        # With or without the byte order mark that editors on Windows put first.
        return path.read_text(encoding="utf-8-sig"), path
    except UnicodeDecodeError as error:
        wide = error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        raise DataError(
            f"A spec is text in UTF-8: {path}.",
            got="the byte order mark of UTF-16" if wide else str(error),
            remedy="Save it as UTF-8: the editor has that beside the file's name.",
        ) from None
    except OSError as error:
        near = sorted(str(p) for p in path.parent.glob("*.toml"))[:10]
        raise DataError(
            "A spec is a file that can be read.",
            got=f"'{path}': {error.strerror}",
            remedy=f"Beside it: {', '.join(near)}." if near else "",
        ) from None


def parsed(text: str) -> dict[str, Any]:
    """TOML as tables; what is wrong with it is said with its line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said, _, place = str(error).partition(" (at ")
        where = place.rstrip(")")
        line = re.search(r"line (\d+)", where)
        got = text.splitlines()[int(line[1]) - 1].strip() if line else ""
        refused = UsageError(
            f"{where + ': ' if where else ''}{said}.",
            got=f"`{got}`" if got else "",
            remedy="Texts stand in quotes, tables in [brackets].",
        )
        raise SpecError([("", refused)]) from None


def parsed_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Dotted path to value; a value that is no TOML is a text, so that 5ep needs no quotes."""
    found: dict[str, Any] = {}
    for text in overrides:
        path, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not re.fullmatch(r"[\w-]+(\.[\w-]+)*", path) or path.startswith("grid"):
            refused = UsageError(
                "An override is a dotted path of the spec, an equals sign and a value.",
                got=repr(text),
                remedy="Write training.length=5ep.",
            )
            raise SpecError([("", refused)])
        try:
            read = tomllib.loads(f"value = {value}")
            found[path] = read["value"] if len(read) == 1 else value
        except tomllib.TOMLDecodeError:
            found[path] = value
    return found


def _unique(runs: Sequence[RunConfig]) -> list[tuple[str, RidgelineError]]:
    """Each problem of any run, once; what children ask their parents to keep is their own."""
    found = {(path, str(error)): error for run in runs for path, error in problems_in(run)}
    theirs = {text for path, text in found if path == "spawn.at"}
    return [
        (path, error)
        for (path, text), error in found.items()
        if not (path == "training.keep.spawn" and text in theirs)
    ]
