"""Where a store lies: a folder of this machine, or anything that fsspec knows."""

import os
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ridgeline.errors import StoreError

__all__ = ["Place", "flush"]


class Place:
    """Files by their paths relative to a root, on any file system.

    Args:
        where: A folder, or a URL of fsspec such as ``memory://runs`` or ``s3://bucket/runs``.

    Raises:
        StoreError: If the URL's file system is not known or cannot be reached.
    """

    def __init__(self, where: str | os.PathLike[str]) -> None:
        text = os.fspath(where)
        try:
            # Listings that are kept would hide what other machines do, claims above all.
            self.files, root = fsspec.core.url_to_fs(text, use_listings_cache=False)
        except (ImportError, ValueError, OSError) as error:
            raise StoreError(
                "A store is a folder, or a place that fsspec can open.",
                got=f"'{text}' ({error})",
                remedy="Install what its kind of URL needs, for example s3fs for s3://.",
            ) from error
        self.local = isinstance(self.files, LocalFileSystem)
        """True if it is a folder of this machine, where a rename is atomic."""
        self.root = str(Path(root).absolute()) if self.local else root.rstrip("/")
        self.url = self.root if self.local else text
        """What names it in messages."""

    def path(self, *parts: str) -> str:
        """The full path of a file, as the file system writes it."""
        return "/".join([self.root, *parts])

    def names(self, *parts: str) -> list[str]:
        """The names in a folder, sorted; none if there is no such folder."""
        full = self.path(*parts)
        try:
            if self.local:
                return sorted(entry.name for entry in os.scandir(full))
            self.files.invalidate_cache(full)
            found = self.files.ls(full, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted({str(name).rstrip("/").rpartition("/")[2] for name in found} - {""})

    def exists(self, *parts: str) -> bool:
        """True if there is a file or a folder, now: nothing is answered from memory."""
        full = self.path(*parts)
        if not self.local:
            self.files.invalidate_cache(full.rpartition("/")[0])
        return bool(self.files.exists(full))

    def size(self, *parts: str) -> int:
        """Bytes of a file.

        Raises:
            FileNotFoundError: If it is not there.
        """
        return int(self.files.size(self.path(*parts)) or 0)

    def read(self, *parts: str) -> bytes:
        """A file's bytes.

        Raises:
            FileNotFoundError: If it is not there.
        """
        if self.local:  # fsspec's way takes eight times as long
            try:
                return Path(self.path(*parts)).read_bytes()
            except NotADirectoryError as error:  # nothing is in what is no folder
                raise FileNotFoundError(*error.args, error.filename) from error
        return bytes(self.files.cat_file(self.path(*parts)))

    def write(self, data: bytes, *parts: str) -> None:
        """Write a file whole or not at all, in place of one that is there."""
        final = self.path(*parts)
        if not self.local:
            self.files.makedirs(final.rpartition("/")[0], exist_ok=True)
            self.files.pipe_file(final, data)  # one object, put at once
            return
        try:
            Path(final).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                "A store is a folder that can be written to.",
                got=f"'{self.root}' ({error.strerror or error})",
                remedy="Choose another place for it, or check the permissions of its folder.",
            ) from error
        temporary = Path(f"{final}.{secrets.token_hex(4)}.tmp")
        try:
            temporary.write_bytes(data)
            flush(temporary)
            temporary.replace(final)
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self, *parts: str) -> None:
        """Remove a file or a whole folder; nothing happens if it is not there."""
        full = self.path(*parts)
        try:
            self.files.rm(full, recursive=True)
        except FileNotFoundError:
            return

    def age(self, *parts: str) -> float:
        """Seconds since a file was last written to; 0 where that is not told.

        Raises:
            FileNotFoundError: If it is not there.
        """
        if self.local:
            return max(0.0, time.time() - Path(self.path(*parts)).stat().st_mtime)
        full = self.path(*parts)
        self.files.invalidate_cache(full.rpartition("/")[0])
        self.files.info(full)
        try:
            written: datetime = self.files.modified(full)
        except NotImplementedError:
            return 0.0
        if written.tzinfo is None:  # file systems that leave the zone out mean UTC
            written = written.replace(tzinfo=UTC)
        return max(0.0, time.time() - written.timestamp())


def flush(path: Path) -> None:
    """Bring a file or a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
