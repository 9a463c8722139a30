"""Writing that leaves either the whole result or nothing.

Everything is made under a temporary name beside its final one, brought to the disk, and
renamed. Any exception, Ctrl-C included, removes the temporary and leaves what was there before.
"""

import importlib.metadata
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ridgeline.errors import OutputError

__all__ = ["MANIFEST", "atomic_path", "fresh_directory", "version"]

MANIFEST = "manifest.json"
"""Written last into a folder that Ridgeline made: its presence says that the folder is complete."""

MAKER = "ridgeline"


def version() -> str:
    """The installed version of Ridgeline, for the metadata of what it writes."""
    try:
        return importlib.metadata.version("ridgeline")
    except importlib.metadata.PackageNotFoundError:  # a source tree on the path, not installed
        return "unknown"


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary path that becomes `path` when the block succeeds and vanishes when it fails.

    Args:
        path: Where the file shall be. Missing parent folders are made.
        overwrite: Whether an existing file may be replaced; it stays whole until the new one is.

    Yields:
        An empty file to write to, in the same folder and with the same suffix.

    Raises:
        OutputError: If the file exists and may not be replaced, if `path` is a folder, or if
            the folder cannot be written to.
    """
    final = _named(path)
    _refuse_existing_file(final, overwrite)
    with _parents(final):
        temporary = _beside(final)
        try:
            # Made here, so that an unwritable folder is known before hours of work, not after.
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OSError as error:
            raise _unwritable(final, error) from error
        try:
            yield temporary
            _refuse_existing_file(final, overwrite)  # another process may have been faster
            try:
                _flush(temporary)
                temporary.replace(final)
                _flush(final.parent)
            except OSError as error:
                raise _unwritable(final, error) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def fresh_directory(
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    about: Mapping[str, object] | None = None,
) -> Iterator[Path]:
    """A temporary folder that becomes `path` when the block succeeds and vanishes when it fails.

    A `manifest.json` that lists the files is written last. With `overwrite` an old folder is
    replaced only at the end, and only if Ridgeline made it and it holds nothing else.

    Args:
        path: Where the folder shall be; an empty folder may be there already. Missing parent
            folders are made.
        overwrite: Whether an earlier result may be replaced.
        about: Further JSON entries of the manifest, read when the block ends.

    Yields:
        The folder to write into.

    Raises:
        OutputError: If the folder holds something and may not be replaced, if Ridgeline did not
            make it, or if it cannot be written.
    """
    final = _named(path)
    _refuse_existing_folder(final, overwrite)
    with _parents(final):
        temporary = _beside(final)
        try:
            temporary.mkdir()
        except OSError as error:
            raise _unwritable(final, error) from error
        try:
            yield temporary
            _refuse_existing_folder(final, overwrite)
            try:
                _write_manifest(temporary, about or {})
                _swap(temporary, final)
            except OSError as error:
                raise _unwritable(final, error) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _write_manifest(folder: Path, about: Mapping[str, object]) -> None:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    for file in files:
        _flush(file)
    listed = {p.relative_to(folder).as_posix(): p.stat().st_size for p in files}
    manifest = {**about, "made_by": MAKER, "version": version(), "files": listed}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    _flush(folder / MANIFEST)
    _flush(folder)


def _swap(temporary: Path, final: Path) -> None:
    """Put the new folder in the old one's place; a failure between the two renames is undone."""
    if not final.exists():
        temporary.rename(final)
    else:
        old = _beside(final)
        final.rename(old)
        try:
            temporary.rename(final)
        except BaseException:
            old.rename(final)
            raise
        shutil.rmtree(old, ignore_errors=True)
    _flush(final.parent)


def _refuse_existing_file(final: Path, overwrite: bool) -> None:
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
            remedy="Choose another name, or allow it with overwrite=True.",
        )


def _refuse_existing_folder(final: Path, overwrite: bool) -> None:
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
            remedy="Choose another name, or allow it with overwrite=True.",
        )
    if (strange := _not_ours(final)) is not None:
        raise OutputError(
            "Only a folder that Ridgeline made, and nobody added to, is replaced.",
            got=f"'{final}', {strange}",
            remedy="Choose another name, or remove the folder yourself.",
        )


def _not_ours(folder: Path) -> str | None:
    """Why the folder may hold somebody else's work; None when its manifest accounts for it."""
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


@contextmanager
def _parents(final: Path) -> Iterator[None]:
    """Make the missing folders above `final`; take them away again if the block fails."""
    made: list[Path] = []
    try:
        for folder in [p for p in reversed(final.parents) if not p.exists()]:
            folder.mkdir()
            made.append(folder)
    except OSError as error:
        _remove_empty(made)
        raise _unwritable(final, error) from error
    try:
        yield
    except BaseException:
        _remove_empty(made)
        raise


def _remove_empty(folders: list[Path]) -> None:
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()


def _beside(final: Path) -> Path:
    # The suffix is kept because some writers choose their format by it.
    return final.with_name(f".{final.stem}.{secrets.token_hex(4)}.tmp{final.suffix}")


def _flush(path: Path) -> None:
    """Bring a file or a folder's entries to the disk, so that a crash cannot leave a torn one."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(final: Path, error: OSError) -> OutputError:
    return OutputError(
        "A result must be written to a folder that can be written to.",
        got=f"'{final}' ({error.strerror or error})",
        remedy="Check the name, the folder's permissions and the space left, or choose another "
        "place.",
    )


def _named(path: str | os.PathLike[str]) -> Path:
    """The path; an absolute one where it has no last name (``.``), as neighbours need one."""
    final = Path(path)
    return final if final.name and final.name != ".." else final.resolve()
