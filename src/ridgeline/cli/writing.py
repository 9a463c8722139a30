"""What ``--out`` holds: tables, figures, JSON and one page, all or nothing; and where it may be."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ridgeline import io, report
from ridgeline.cli.points import exists, place_of
from ridgeline.errors import OutputError, UsageError
from ridgeline.profiles import Profile, Surface

__all__ = [
    "check_file",
    "check_folder",
    "check_out",
    "fill",
    "write_layers",
    "write_profile",
    "write_results",
    "write_surface",
]


def write_profile(found: Profile, chosen: argparse.Namespace) -> None:
    """Write a profile's tables, figures and page."""
    page = report.profile_page(found, (chosen.a, chosen.b))
    tables = {"profile": report.rows(found)}
    write_results(chosen, chosen.out, page, tables, {"profile": report.summarise(found)})


def write_layers(
    found: Mapping[str, Profile],
    whole: Profile,
    about: Mapping[str, Any],
    chosen: argparse.Namespace,
) -> None:
    """Write the tables, figures and page of all layers."""
    rows = [row for n, one in found.items() for row in report.rows(one, layer=n)]
    page = report.layers_page(found, whole, (chosen.a, chosen.b), about)
    told = {"layers": report.summarise_layers(found, whole, about)}
    write_results(chosen, chosen.out, page, {"layers": rows}, told)


def write_surface(
    found: Surface,
    drawn: Mapping[str, Sequence[tuple[float, float, float]]],
    chosen: argparse.Namespace,
) -> None:
    """Write a surface's tables, figures and page."""
    page = report.surface_page(found, [Path(state).stem for state in chosen.states], drawn)
    tables = {"surface": report.surface_rows(found)}
    write_results(chosen, chosen.out, page, tables, {"surface": report.summarise_surface(found)})


def write_results(
    chosen: argparse.Namespace,
    out: str,
    page: "report.Page",
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    told: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write a page, Parquet tables and JSON to one folder, all or nothing, and say so.

    Args:
        chosen: Parsed options.
        out: The folder.
        page: With its figures.
        tables: By name, tidy rows.
        told: By name, plain values.
    """
    with io.fresh_directory(out, overwrite=chosen.overwrite) as folder:
        fill(folder, page, tables, told)
    print(f"written: {Path(out) / 'report.html'}", file=sys.stderr)


def fill(
    folder: Path,
    page: "report.Page",
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    told: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write a page, Parquet tables and JSON to a folder that is there; see `write_results`."""
    for name, values in told.items():
        report.to_json(values, folder / f"{name}.json")
    for name, rows in tables.items():
        report.write_parquet(rows, folder / f"{name}.parquet")
    report.write_page(page, folder)


def check_out(chosen: argparse.Namespace) -> None:
    """Refuse a folder that cannot be written to before any work, not after."""
    if chosen.out is None:
        if chosen.overwrite:
            raise UsageError("--overwrite is about --out.", got="--overwrite alone")
        return
    check_folder(chosen.out, chosen)


def check_folder(path: str, chosen: argparse.Namespace) -> None:
    """Refuse a folder that cannot be written to, or that holds what the command reads.

    Args:
        path: Where the folder shall be.
        chosen: Parsed options.

    Raises:
        OutputError: If it cannot be made there.
    """
    folder = Path(path).resolve()
    for text, file in _inputs(chosen):
        if file.resolve().is_relative_to(folder):
            raise _of_an_input(path, text)
    with suppress(_Undone), io.fresh_directory(path, overwrite=chosen.overwrite):
        raise _Undone


def check_file(path: str, chosen: argparse.Namespace) -> None:
    """Refuse a file that cannot be written, that the command reads, or that is somebody else's.

    Args:
        path: Where the file shall be.
        chosen: Parsed options.

    Raises:
        OutputError: If it cannot be written there.
    """
    with suppress(_Undone), io.atomic_path(path, overwrite=chosen.overwrite):
        raise _Undone
    final = Path(path)
    if not final.exists():
        return
    for text, file in _inputs(chosen):
        if file.samefile(final) or (file.is_dir() and final.resolve().is_relative_to(file)):
            raise _of_an_input(path, text)
    if not io.is_made_here(final):
        raise OutputError(
            "--overwrite replaces what Ridgeline wrote, and nothing else.",
            got=f"'{path}', which it did not write",
            remedy="Choose another name, or remove the file yourself.",
        )


def _inputs(chosen: argparse.Namespace) -> list[tuple[str, Path]]:
    """Files and folders that the command reads, each with the word that named it."""
    found: list[str] = []
    for name in ("a", "b", "states", "base", "symmetry"):
        value = getattr(chosen, name, None) or []
        found += [value] if isinstance(value, str) else value
    for text in getattr(chosen, "trajectory", None) or []:
        found += text.partition("=")[2].split(",")
    paths = [(text, Path(place_of(text)[0])) for text in found]
    return [(text, path.resolve()) for text, path in paths if exists(str(path))]


def _of_an_input(path: str, text: str) -> OutputError:
    return OutputError(
        "A result does not take the place of what it is made from.",
        got=f"'{path}', where {text!r} is read from",
        remedy="Choose another name.",
    )


class _Undone(Exception):
    """Leaves a trial of writing without its result."""
