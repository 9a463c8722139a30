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

from ridgeline.errors import UNWRITTEN, OutputError, RidgelineError, UsageError
from ridgeline.io.replacing import MAKER, MANIFEST, refuse_existing_file, refuse_existing_folder

__all__ = ["MANIFEST", "atomic_path", "fresh_directory", "version"]

LONGEST_STEM, LONGEST_SUFFIX = 40, 20
"""Characters of a temporary's name; 40 are 160 bytes at most, and a name has 255."""


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
            it cannot be written: the folder is read-only, the disk is full, the name too long.
        UsageError: If `path` is no name of a file.
    """
    final = _named(path)
    temporary = _beside(final)
    with _in_words(final, temporary), _parents(final):
        refuse_existing_file(final, overwrite)
        # Made here, so that an unwritable folder is known before hours of work, not after.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            mode = temporary.stat().st_mode
            yield temporary
            refuse_existing_file(final, overwrite)  # another process may have been faster
            if temporary.stat().st_mode != mode:  # a library put a private file in its place
                temporary.chmod(mode)
            _flush(temporary)
            temporary.replace(final)
            _flush(final.parent)
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
        UsageError: If `path` is no name of a folder.
    """
    final = _named(path)
    temporary = _beside(final)
    with _in_words(final, temporary), _parents(final):
        refuse_existing_folder(final, overwrite)
        temporary.mkdir()
        try:
            yield temporary
            refuse_existing_folder(final, overwrite)
            _write_manifest(temporary, about or {})
            _swap(temporary, final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _in_words(final: Path, temporary: Path) -> Iterator[None]:
    """Turn an error of writing into a refusal; what else is raised in between is the caller's."""
    try:
        yield
    except RidgelineError:
        raise
    except OSError as error:
        if error.errno not in UNWRITTEN and not _concerns(error, final, temporary):
            raise
        raise _unwritable(final, error) from error


def _concerns(error: OSError, final: Path, temporary: Path) -> bool:
    """True if an error is about what is being written, or a folder above it."""
    for name in (error.filename, error.filename2):
        if isinstance(name, str | os.PathLike):
            path = Path(name)
            if path in (final, *final.parents) or path.is_relative_to(temporary):
                return True
    return False


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


@contextmanager
def _parents(final: Path) -> Iterator[None]:
    """Make the missing folders above `final`; take them away again if the block fails."""
    made: list[Path] = []
    try:
        for folder in [p for p in reversed(final.parents) if not p.exists()]:
            folder.mkdir()
            made.append(folder)
        yield
    except BaseException:
        _remove_empty(made)
        raise


def _remove_empty(folders: list[Path]) -> None:
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()


def _beside(final: Path) -> Path:
    # The suffix is kept because some writers choose their format by it; the stem is cut, so that
    # a name that is just short enough does not fail by what is added.
    suffix = final.suffix if len(final.suffix) <= LONGEST_SUFFIX else ""
    return final.with_name(f".{final.stem[:LONGEST_STEM]}.{secrets.token_hex(4)}.tmp{suffix}")


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
    if "\0" in str(final):
        raise UsageError("The name of a file has no zero byte.", got=repr(str(final)))
    return final if final.name and final.name != ".." else final.resolve()
