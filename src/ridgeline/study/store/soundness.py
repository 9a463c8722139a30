"""What is wrong with a store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ridgeline.errors import StoreError
from ridgeline.study.store import claims
from ridgeline.study.store.places import Place
from ridgeline.study.store.records import MANIFEST, StoredRun, digest

__all__ = ["TEMPORARY", "Problem", "abandoned", "problems"]

Kind = Literal["incomplete", "unreadable", "missing", "changed", "foreign", "leftover"]
TEMPORARY = ".tmp"
FRESH = 60.0
"""Seconds within which a temporary may still be somebody's work."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    folder: str
    """Relative to the store."""
    kind: Kind
    text: str
    """What was found and what to do."""


def problems(place: Place, folders: Sequence[str], *, deep: bool) -> list[Problem]:
    """All that is wrong; see `Store.verify`."""
    found: list[Problem] = []
    seen: dict[str, str] = {}
    for folder in folders:
        run = _opened(place, folder, found)
        if run is None:
            continue
        first = seen.setdefault(run.identity.hash, folder)
        if first != folder:
            text = f"Has the hash of '{first}' as well; delete one of the two."
            found.append(Problem(folder, "foreign", text))
        if run.identity.folder != folder:
            text = f"Its manifest is that of '{run.identity.folder}'; rename the folder to that."
            found.append(Problem(folder, "foreign", text))
        found += _files(place, run, deep)
    return found + _leftovers(place)


def _opened(place: Place, folder: str, found: list[Problem]) -> StoredRun | None:
    try:
        return StoredRun(place, folder)
    except FileNotFoundError as error:
        text = "Has no manifest: not a run. Delete it; the command that made it makes it again."
        problem = Problem(folder, "incomplete", text)
        if isinstance(error.__cause__, NotADirectoryError):
            text = "Is a file, and not of this store; move it away."
            problem = Problem(folder, "foreign", text)
        found.append(problem)
    except StoreError as error:
        text = f"{error.rule} Delete it; the command that made it makes it again."
        found.append(Problem(folder, "unreadable", text))
    return None


def _files(place: Place, run: StoredRun, deep: bool) -> list[Problem]:
    found = []
    again = "Delete the run; the command that made it makes it again."
    for file, about in run.manifest["files"].items():
        parts = (run.folder, *file.split("/"))
        try:
            size = place.size(*parts)
        except FileNotFoundError:
            found.append(Problem(run.folder, "missing", f"'{file}' is not there. {again}"))
            continue
        if size != about["bytes"]:
            text = f"'{file}' has {size} bytes in place of {about['bytes']}. {again}"
            found.append(Problem(run.folder, "changed", text))
        elif deep and digest(place.read(*parts)) != about["digest"]:
            text = f"'{file}' is not what was written (its digest differs). {again}"
            found.append(Problem(run.folder, "changed", text))
    listed = {*run.manifest["files"], MANIFEST}
    there = [n for n in place.names(run.folder) if n != "states"]
    there += [f"states/{n}" for n in place.names(run.folder, "states")]
    for file in sorted(set(there) - listed):
        freed = file.removeprefix("states/").removesuffix(".safetensors") in run.pruned
        text = (
            f"'{file}' was to be freed; prune this run again."
            if freed
            else f"'{file}' is not in the manifest; move it away."
        )
        found.append(Problem(run.folder, "leftover" if freed else "foreign", text))
    return found


def _leftovers(place: Place) -> list[Problem]:
    found = []
    for name in place.names(TEMPORARY):
        if abandoned(place, name, FRESH):
            text = "Was left by a process that died; the next training here removes it."
            found.append(Problem(f"{TEMPORARY}/{name}", "leftover", text))
    for name in place.names(claims.FOLDER):
        hash = name.removesuffix(".json")
        if name.endswith(".json") and claims.is_stale(place, hash):
            text = f"Was left by a process that died ({claims.holder(place, hash)}); harmless."
            found.append(Problem(f"{claims.FOLDER}/{name}", "leftover", text))
    return found


def abandoned(place: Place, name: str, seconds: float = 3600.0) -> bool:
    """True if a temporary is older than so much, and no process of its number lives here."""
    pid = name.rpartition(".")[2].partition("-")[0]
    alive = pid.isdigit() and claims.started(int(pid)) is not None
    try:
        return not alive and place.age(TEMPORARY, name) > seconds
    except FileNotFoundError:
        return False
