"""Refusing to replace what is at a place already and may not make room."""

import json
import zipfile
from pathlib import Path

from ridgeline.errors import Argument, OutputError, Remedy

__all__ = ["MAKER", "MANIFEST", "is_made_here", "refuse_existing_file", "refuse_existing_folder"]

MANIFEST = "manifest.json"
"""Written last into a folder that Ridgeline made: its presence says that the folder is complete."""

MAKER = "ridgeline"
LONGEST_HEADER = 100_000_000
"""Bytes of a safetensors header that are looked at; the format allows no more."""


def refuse_existing_file(final: Path, overwrite: bool) -> None:
    """Refuse a place for a file where something is that may not be replaced.

    Args:
        final: Where the file shall be.
        overwrite: Whether a file there may be replaced.

    Raises:
        OutputError: If a folder is there, or a file that stays.
    """
    if final.is_dir():
        raise OutputError(
            "A file cannot be written where a folder is.",
            got=f"'{final}'",
            remedy="Give the name of a file inside it.",
        )
    if not overwrite and (final.exists() or final.is_symlink()):
        raise OutputError(
            "An existing file is not replaced unless asked.",
            got=f"'{final}'",
            remedy=Remedy("Choose another name, or allow it with {}.", Argument("overwrite", True)),
        )


def refuse_existing_folder(final: Path, overwrite: bool) -> None:
    """Refuse a place for a folder where something is that may not be replaced.

    Args:
        final: Where the folder shall be.
        overwrite: Whether one that Ridgeline made may be replaced.

    Raises:
        OutputError: If a file is there, or a folder that stays.
    """
    if not final.exists() and not final.is_symlink():
        return
    if not final.is_dir() or final.is_symlink():
        raise OutputError(
            "A folder cannot be made where a file is.",
            got=f"'{final}'",
            remedy="Choose another name.",
        )
    if not any(final.iterdir()):
        return
    if not overwrite:
        raise OutputError(
            "An existing folder is not replaced unless asked.",
            got=f"'{final}', which is not empty",
            remedy=Remedy("Choose another name, or allow it with {}.", Argument("overwrite", True)),
        )
    if (strange := _not_ours(final)) is not None:
        raise OutputError(
            "Only a folder that Ridgeline made, and nobody added to, is replaced.",
            got=f"'{final}', {strange}",
            remedy="Choose another name, or remove the folder yourself.",
        )


def _not_ours(folder: Path) -> str | None:
    """Reason why a folder may hold somebody else's work; None when its manifest accounts for it."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"which has no readable {MANIFEST}"
    if not isinstance(manifest, dict) or manifest.get("made_by") != MAKER:
        return f"whose {MANIFEST} is not Ridgeline's"
    listed = manifest.get("files")
    known = {MANIFEST, *(listed if isinstance(listed, dict) else ())}
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    added = sorted(present - known)
    return f"to which was added: {', '.join(added[:5])}" if added else None


def is_made_here(file: Path) -> bool:
    """True if Ridgeline wrote a file: a state, or a symmetry.

    Args:
        file: One that exists.
    """
    try:
        with file.open("rb") as opened:
            start = opened.read(9)
            if start[8:] == b"{":
                length = min(int.from_bytes(start[:8], "little"), LONGEST_HEADER)
                header = json.loads(start[8:] + opened.read(length - 1))
                return any(k.startswith(f"{MAKER}.") for k in header.get("__metadata__", {}))
        if start[:2] == b"PK":
            with zipfile.ZipFile(file) as archive:
                return archive.comment.startswith(MAKER.encode())
        tree = json.loads(file.read_text(encoding="utf-8"))
        return isinstance(tree, dict) and str(tree.get("format", "")).startswith(MAKER)
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile, NotImplementedError):
        return False
