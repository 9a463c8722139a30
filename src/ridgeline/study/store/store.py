"""A store of runs.

A run is a folder ``NAME-HASH`` with

- ``config.json``: what defines it, fields at their defaults left out; ``full.json``: every field
- ``provenance.json``: versions, commit, machine, times
- ``states/NAME.safetensors``: its states; ``log.parquet``: its log
- ``manifest.json``: written last: every file with its size and digest, and a summary

On a folder of this machine everything is made under a temporary name and renamed: the rename
is the moment at which a run begins to exist. Object stores cannot rename a folder; there the
manifest, put last, is that moment. A folder without a manifest is not a run.
"""

import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ridgeline import io
from ridgeline.errors import StoreBusy, StoreError, UnknownName
from ridgeline.state import State
from ridgeline.study.store import claims, query, soundness
from ridgeline.study.store.claims import Claim
from ridgeline.study.store.places import Place, flush
from ridgeline.study.store.records import (
    FORMAT,
    LOG,
    MANIFEST,
    Identity,
    StoredRun,
    digest,
    state_name,
    write_table,
)
from ridgeline.study.store.soundness import TEMPORARY

__all__ = ["Freed", "Store"]

SCRATCH = ".scratch"


@dataclass(frozen=True)
class Freed:
    """Bytes, states and runs that pruning freed, or would free."""

    bytes: int
    states: int
    runs: int


class Store:
    """Finished runs, found by what defines them.

    Several processes, of several machines if the folder is shared, may use one store at once.

    Args:
        where: A folder, or a URL of fsspec such as ``s3://bucket/runs``. Nothing is made
            before the first run is published or claimed.

    Raises:
        StoreError: If the URL cannot be opened.
    """

    def __init__(self, where: str | os.PathLike[str]) -> None:
        self.place = Place(where)
        self._folders: dict[str, list[str]] = {}
        """By hash; what is gone since is looked for anew, and what is new as well."""

    def __repr__(self) -> str:
        return f"Store('{self.place.url}')"

    @property
    def path(self) -> Path:
        """The folder.

        Raises:
            StoreError: If the store is not a folder of this machine.
        """
        if not self.place.local:
            raise StoreError("This needs a store in a folder.", got=f"'{self.place.url}'")
        return Path(self.place.root)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[StoredRun]:
        return iter(self.runs())

    def __contains__(self, hash: object) -> bool:
        return isinstance(hash, str) and self.find(hash) is not None

    def runs(self) -> list[StoredRun]:
        """All runs that are complete and can be read, by name."""
        found = []
        for folder in self.folders():
            with suppress(FileNotFoundError, NotADirectoryError, StoreError):
                found.append(StoredRun(self.place, folder))
        return found

    def folders(self) -> list[str]:
        """The names of all folders that may be runs."""
        return [name for name in self.place.names() if not name.startswith(".")]

    def find(self, hash: str) -> StoredRun | None:
        """The run of this hash, whatever its readable name; None if it is not there whole."""
        return self.find_all([hash]).get(hash)

    def find_all(self, hashes: Iterable[str]) -> dict[str, StoredRun]:
        """The runs that are there whole, by hash: the store's folder is listed once, or never.

        Args:
            hashes: Of runs; those that are not there are left out.

        Raises:
            StoreError: If a manifest cannot be read.
        """
        wanted = dict.fromkeys(hashes)
        found = {hash: run for hash in wanted if (run := self._opened(hash)) is not None}
        if len(found) == len(wanted):
            return found
        listed: dict[str, list[str]] = {}
        for folder in self.folders():
            listed.setdefault(folder.rpartition("-")[2], []).append(folder)
        self._folders = listed
        opened = {h: found[h] if h in found else self._opened(h) for h in wanted}
        return {hash: run for hash, run in opened.items() if run is not None}

    def _opened(self, hash: str) -> StoredRun | None:
        """The run in a folder that was listed before."""
        for folder in self._folders.get(hash, ()):
            with suppress(FileNotFoundError, NotADirectoryError):
                return StoredRun(self.place, folder)
        return None

    # --- claims --------------------------------------------------------------------------

    def claim(self, hash: str, note: str = "") -> Claim:
        """Claim a run, for use in a ``with`` block.

        Raises:
            StoreBusy: If a living process has it.
        """
        found = self.try_claim(hash, note)
        if found is None:
            raise StoreBusy(hash, self.holder(hash) or "another process")
        return found

    def try_claim(self, hash: str, note: str = "") -> Claim | None:
        """Claim a run; None if a living process has it. A dead one's claim is taken over."""
        return claims.try_claim(self.place, hash, note)

    def holder(self, hash: str) -> str:
        """Who has claimed a run, in words; empty if nobody."""
        return claims.holder(self.place, hash)

    # --- writing -------------------------------------------------------------------------

    def publish(
        self,
        identity: Identity,
        *,
        config: Mapping[str, Any],
        full: Mapping[str, Any],
        provenance: Mapping[str, Any],
        states: Mapping[str, "State | Path"],
        log: Mapping[str, Sequence[Any]],
        summary: Mapping[str, Any],
        extras: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> StoredRun:
        """Store a finished run: whole, or not at all.

        Args:
            identity: Its name and hash.
            config: What defines it.
            full: Every field.
            provenance: From `provenance`.
            states: By name (`state_name` of a number of steps): states, or files that hold them.
            log: Columns of equal length.
            summary: What a table says of it; JSON values.
            extras: Other records by name; JSON values.

        Returns:
            The run; if it is there already, that one, untouched.

        Raises:
            StoreError: If it cannot be written, or a record is not JSON.
            MissingExtra: If pyarrow is not installed.
        """
        if (there := self.find(identity.hash)) is not None:
            return there
        records = {"config": config, "full": full, "provenance": provenance, **(extras or {})}
        with self._making(identity) as made:
            for name, record in records.items():
                (made / f"{name}.json").write_bytes(_json(record, name))
            (made / "states").mkdir()
            for name, state in states.items():
                _put_state(state, made / "states" / f"{name}.safetensors")
            write_table(log, made / LOG)
            manifest = {
                "format": FORMAT,
                "name": identity.name,
                "hash": identity.hash,
                "summary": dict(summary),
                "files": _listed(made),
            }
            (made / MANIFEST).write_bytes(_json(manifest, "manifest"))
            self._commit(made, identity)
        return StoredRun(self.place, identity.folder)

    def _making(self, identity: Identity) -> "_Making":
        if not self.place.local:
            return _Making(Path(tempfile.gettempdir()), f"ridgeline-{identity.hash}")
        return _Making(Path(self.place.path(TEMPORARY)), identity.hash)

    def _commit(self, made: Path, identity: Identity) -> None:
        """The run begins to exist."""
        if not self.place.local:
            files = [p for p in made.rglob("*") if p.is_file()]
            for file in sorted(files, key=lambda p: p.name == MANIFEST):  # the manifest last
                parts = file.relative_to(made).parts
                self.place.write(file.read_bytes(), identity.folder, *parts)
            return
        for file in made.rglob("*"):
            flush(file)
        flush(made)
        final = Path(self.place.path(identity.folder))
        try:
            made.rename(final)
        except OSError as error:
            if (final / MANIFEST).exists():
                return  # another process was faster; its run stands
            if not final.exists():
                raise _unwritable(final, error) from error
            # What is there was never a run: a copy or a deletion that was broken off.
            final.rename(Path(self.place.path(TEMPORARY, f"broken-{secrets.token_hex(4)}")))
            made.rename(final)
        flush(final.parent)

    def scratch(self, key: str) -> Path:
        """A folder of this machine for work in progress; it lasts until it is discarded.

        For a store elsewhere it lies in the user's cache folder.
        """
        folder = self._scratch(key)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def begun(self, key: str) -> bool:
        """True if there is work in progress of this name on this machine."""
        return self._scratch(key).exists()

    def discard_scratch(self, key: str) -> None:
        """Remove a folder of work in progress; nothing happens if it is not there."""
        shutil.rmtree(self._scratch(key), ignore_errors=True)

    def _scratch(self, key: str) -> Path:
        if self.place.local:
            return Path(self.place.path(SCRATCH, key))
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return base / "ridgeline" / "scratch" / digest(self.place.url.encode()) / key

    # --- keeping house -------------------------------------------------------------------

    def verify(self, *, deep: bool = True) -> "list[soundness.Problem]":
        """Return what is wrong with the store.

        Args:
            deep: Whether every file is read and compared with its digest.

        Returns:
            Problems, each with what to do; none if the store is sound.
        """
        return soundness.problems(self.place, self.folders(), deep=deep)

    def sweep(self) -> None:
        """Remove what processes left that died: half-made runs and claims.

        What is younger than an hour stays: it may be the work of another machine.
        """
        for name in self.place.names(TEMPORARY):
            if soundness.abandoned(self.place, name):
                self.place.remove(TEMPORARY, name)
        claims.sweep(self.place)

    def prune(
        self,
        runs: Iterable[StoredRun],
        *,
        keep: Sequence[str | int] = ("first", "last", "average"),
        dry_run: bool = False,
    ) -> Freed:
        """Free the states of runs; their records stay.

        Args:
            runs: Which.
            keep: States that stay: numbers of steps, names, ``"first"``, ``"last"``, and
                ``"average"``; what the optimiser remembered at spawn points is a state too.
            dry_run: Whether to say only what would be freed.

        Returns:
            What was freed.

        Raises:
            UnknownName: If a name to keep is of no state of these runs: nothing is freed.
        """
        freed = [0, 0, 0]
        found = [StoredRun(self.place, run.folder) for run in runs]  # as they are now
        _refuse_unknown(keep, found)
        for run in found:
            kept = {state_name(k) if isinstance(k, int) else k for k in keep}
            if run.steps:
                ends = {"first": run.steps[0], "last": run.steps[-1]}
                kept |= {state_name(ends[k]) for k in keep if k in ends}
            gone = [name for name in run.states if name not in kept]
            files = [f"states/{name}.safetensors" for name in gone]
            freed[0] += sum(run.manifest["files"][file]["bytes"] for file in files)
            freed[1] += len(gone)
            freed[2] += bool(gone)
            if gone and not dry_run:
                left = {n: a for n, a in run.manifest["files"].items() if n not in files}
                pruned = sorted({*run.pruned, *gone})
                manifest = {**run.manifest, "files": left, "pruned": pruned}
                # The manifest first: a state that it does not list is not missed.
                self.place.write(_json(manifest, "manifest"), run.folder, MANIFEST)
            for file in (
                () if dry_run else [f"states/{n}.safetensors" for n in (*gone, *run.pruned)]
            ):
                self.place.remove(run.folder, *file.split("/"))
        return Freed(*freed)

    def query(self, sql: str) -> Any:
        """Ask all logs and manifests by SQL; see `ridgeline.study.store.query`.

        Args:
            sql: One SELECT over the tables ``runs`` and ``logs``.

        Returns:
            A table of pyarrow.

        Raises:
            StoreError: If the statement is refused, or is not a single SELECT.
            MissingExtra: If duckdb or pyarrow is not installed.
        """
        return query.run(self.runs(), sql)


def _refuse_unknown(keep: Sequence[str | int], runs: Sequence[StoredRun]) -> None:
    """A misspelt name would free what it was meant to keep."""
    known = dict.fromkeys(["first", "last", "average"])
    for run in runs:
        known |= dict.fromkeys([*run.states, *run.pruned])
    for name in keep:
        if isinstance(name, str) and name not in known:
            raise UnknownName("state to keep", name, list(known))


class _Making:
    """A fresh folder to make a run in; gone at the end if it was not renamed."""

    def __init__(self, parent: Path, name: str) -> None:
        self._folder = parent / f"{name}.{os.getpid()}-{secrets.token_hex(4)}"

    def __enter__(self) -> Path:
        try:
            self._folder.mkdir(parents=True)
        except OSError as error:
            raise _unwritable(self._folder, error) from error
        return self._folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _put_state(state: "State | Path", path: Path) -> None:
    if not isinstance(state, Path):
        io.save(state, path)
        return
    try:
        os.link(state, path)  # the same bytes, not copied
    except OSError:
        shutil.copyfile(state, path)


def _listed(made: Path) -> dict[str, dict[str, Any]]:
    files = sorted(p for p in made.rglob("*") if p.is_file())
    return {
        file.relative_to(made).as_posix(): {"bytes": file.stat().st_size, "digest": _of(file)}
        for file in files
    }


def _of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _json(record: Mapping[str, Any], name: str) -> bytes:
    try:
        return (json.dumps(record, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise StoreError(f"The record {name!r} must be JSON values.", got=str(error)) from error


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        "A store must be a folder that can be written to.",
        got=f"'{path}' ({error.strerror or error})",
        remedy="Check the folder's permissions and the space left.",
    )
