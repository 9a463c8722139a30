"""Where results may be written: refused before any work, not after."""

import argparse
from contextlib import suppress
from pathlib import Path

from ridgeline import io
from ridgeline.cli.points import exists, place_of
from ridgeline.errors import OutputError, UsageError

__all__ = ["check_file", "check_folder", "check_out"]


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
