"""Results of a verb, in every form that they are given out in: a folder, a file, JSON, words."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ridgeline import io, report
from ridgeline.cli.consoles import say
from ridgeline.cli.streams import tell_json

__all__ = ["Contents", "Result", "fill", "finish"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Contents:
    """Contents of a folder of results."""

    page: report.Page
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """By name, tidy rows: Parquet."""
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By name, plain values: JSON."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """Result of a verb; each form is made when it is asked for."""

    told: Callable[[], Mapping[str, Any]]
    """Plain values, for ``--json``."""
    show: Callable[[], None]
    """Prints it for reading, where it is not told as JSON."""
    notes: Sequence[str] = ()
    """Sentences below."""
    contents: Callable[[], Contents] | None = None
    """Of the folder: of ``--report`` where there is a file, else of ``--out``."""
    save: Callable[[], None] | None = None
    """Writes the file that ``--out`` names, for verbs that make one."""
    files: Sequence[str] = ()
    """Those that it writes, where they are not ``--out`` itself but numbered after it."""
    code: int = 0
    """Exit code: that of an interruption whose results are given out all the same."""


def finish(chosen: argparse.Namespace, result: Result) -> int:
    """Write what the options name, all or nothing, then tell it.

    Args:
        chosen: Parsed options.
        result: What was found.

    Returns:
        The exit code.
    """
    folder = chosen.out if result.save is None else chosen.report
    with _filled(folder, chosen, result):
        if result.save is not None and chosen.out:
            result.save()
    if chosen.json:
        tell_json(result.told())
    else:
        result.show()
        say(result.notes)
    file = chosen.out if result.save is not None else None
    for made in (*(result.files or [file]), folder and Path(folder) / "report.html"):
        if made:
            print(f"written: {made}", file=sys.stderr)
    return result.code


@contextmanager
def _filled(path: str | None, chosen: argparse.Namespace, result: Result) -> Iterator[None]:
    """A folder around the block, which writes the file: both appear, or neither."""
    if path is None or result.contents is None:
        yield
        return
    with io.fresh_directory(path, overwrite=chosen.overwrite) as folder:
        fill(folder, result.contents())
        yield


def fill(folder: Path, contents: Contents) -> None:
    """Write to a folder that is there.

    Args:
        folder: Where to.
        contents: What it gets.
    """
    for name, values in contents.values.items():
        report.to_json(values, folder / f"{name}.json")
    for name, rows in contents.tables.items():
        report.write_parquet(rows, folder / f"{name}.parquet")
    report.write_page(contents.page, folder)
