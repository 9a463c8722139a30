"""What a finished run is on disk, and how it is read."""

import hashlib
import io as streams
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ridgeline import io
from ridgeline.errors import MissingExtra, StoreError, UnknownName
from ridgeline.state import State
from ridgeline.study.store.places import Place

__all__ = ["FORMAT", "LOG", "MANIFEST", "Identity", "StoredRun", "digest", "state_name"]

MANIFEST = "manifest.json"
LOG = "log.parquet"
FORMAT = 1
STEP = re.compile(r"step-(\d+)")
HASH = re.compile(r"[0-9a-f]{16}")


def digest(data: bytes) -> str:
    """BLAKE2b of 16 bytes, in hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def state_name(step: int) -> str:
    """Return what the state after so many steps is called."""
    return f"step-{step:08d}"


@dataclass(frozen=True)
class Identity:
    """Name of a run: one to read, and a hash that identifies it."""

    name: str
    """A slug, such as ``fcn-64-64-10-seed-3``; two runs may share one."""
    hash: str
    """Sixteen hexadecimal digits of what defines the run."""

    def __post_init__(self) -> None:
        if not HASH.fullmatch(self.hash):
            raise StoreError("A run's hash is 16 hexadecimal digits.", got=repr(self.hash))
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._=+,-]{0,120}", self.name):
            raise StoreError(
                "A run's name is letters, digits and '._=+,-', at most 121.", got=repr(self.name)
            )

    @property
    def folder(self) -> str:
        """The name of its folder in a store."""
        return f"{self.name}-{self.hash}"


class StoredRun:
    """A run of a store: complete, and never written to but by pruning.

    Args:
        place: The store's.
        folder: Its folder's name.

    Raises:
        FileNotFoundError: If the folder has no manifest: there is no run.
        StoreError: If the manifest cannot be read.
    """

    def __init__(self, place: Place, folder: str) -> None:
        self._place, self.folder = place, folder
        try:
            self.manifest: dict[str, Any] = json.loads(place.read(folder, MANIFEST))
            self.identity = Identity(self.manifest["name"], self.manifest["hash"])
            known = self.manifest["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                "A manifest is JSON with a format, a name and a hash.",
                got=f"'{self.path}': {type(error).__name__}: {error}",
                remedy="See `ridgeline runs verify`.",
            ) from error
        if known != FORMAT:
            raise StoreError(
                f"This version reads runs of format {FORMAT}.",
                got=f"format {known} in '{self.path}'",
                remedy="Read it with the version that wrote it; its provenance says which.",
            )

    def __repr__(self) -> str:
        return f"StoredRun('{self.path}')"

    @property
    def path(self) -> str:
        """Return where its folder is."""
        return self._place.path(self.folder)

    @property
    def summary(self) -> dict[str, Any]:
        """Return what is said of it in a table: steps, outcome, final losses and errors."""
        return self.manifest["summary"]

    @property
    def states(self) -> list[str]:
        """Names of the states that are there, in order."""
        prefix, suffix = "states/", ".safetensors"
        files = self.manifest["files"]
        return sorted(f.removeprefix(prefix).removesuffix(suffix) for f in files if prefix in f)

    @property
    def steps(self) -> list[int]:
        """The steps whose states are there, in order."""
        return sorted(int(found[1]) for s in self.states if (found := STEP.fullmatch(s)))

    @property
    def pruned(self) -> list[str]:
        """Names of the states that were freed."""
        return sorted(self.manifest.get("pruned", []))

    @property
    def size(self) -> int:
        """Bytes of its files, the manifest left out."""
        return sum(about["bytes"] for about in self.manifest["files"].values())

    @cached_property
    def config(self) -> dict[str, Any]:
        """Return what defines it, fields at their defaults left out."""
        return self._record("config")

    @cached_property
    def full(self) -> dict[str, Any]:
        """Every field, as it was when it ran."""
        return self._record("full")

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Version, commit, packages, machine, times."""
        return self._record("provenance")

    def extra(self, name: str) -> dict[str, Any]:
        """Another record that was stored with it.

        Raises:
            UnknownName: If there is none of this name.
        """
        known = [f.removesuffix(".json") for f in self.manifest["files"] if f.endswith(".json")]
        if name not in known:
            raise UnknownName(f"record of {self.identity.name}", name, known)
        return self._record(name)

    def state(self, which: int | str) -> State:
        """One of its states.

        Args:
            which: A number of steps, or a name of `states`; ``"first"`` and ``"last"`` too.

        Raises:
            UnknownName: If it is not there: never kept, or freed since.
            CheckpointError: If its file is not whole.
        """
        if which in ("first", "last") and self.steps:
            which = self.steps[0 if which == "first" else -1]
        name = state_name(which) if isinstance(which, int) else which
        if name not in self.states:
            freed = "It was freed by pruning." if name in self.pruned else ""
            raise UnknownName(f"state of {self.identity.name}", name, self.states, freed)
        parts = (self.folder, "states", f"{name}.safetensors")
        if self._place.local:
            return io.load(self._place.path(*parts))
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / parts[-1]
            copy.write_bytes(self._place.read(*parts))
            return io.load(copy)

    def log(self) -> dict[str, list[float]]:
        """Its log: column to one value an epoch.

        Raises:
            MissingExtra: If pyarrow is not installed.
        """
        try:
            return read_table(self._place.read(self.folder, LOG)).to_pydict()
        except MissingExtra:
            raise
        except (OSError, ValueError) as error:
            raise self._damaged(LOG, error) from error

    def _record(self, name: str) -> dict[str, Any]:
        try:
            return json.loads(self._place.read(self.folder, f"{name}.json"))
        except (OSError, ValueError) as error:
            raise self._damaged(f"{name}.json", error) from error

    def _damaged(self, file: str, error: Exception) -> StoreError:
        return StoreError(
            "A run of a store must be whole.",
            got=f"'{self.path}', whose {file} cannot be read ({error})",
            remedy="See `ridgeline runs verify`.",
        )


def read_table(data: bytes) -> Any:
    """A Parquet file as a table of pyarrow."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "study", "Reading a log") from error
    return parquet.read_table(streams.BytesIO(data))


def write_table(columns: Mapping[str, Any], path: Path) -> None:
    """Columns to a Parquet file."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "study", "Keeping a log") from error
    parquet.write_table(pyarrow.table({name: list(v) for name, v in columns.items()}), path)
