"""Who is at work on what: so that no run is done twice at once.

A claim is a file that says who holds it. It is *stale* if its holder is a process of this
machine that no longer lives, or one of another machine that has not touched it for a while.

On a folder of this machine, or one mounted from elsewhere, looking at a claim and writing one's
own happen under one lock (`flock`), which the kernel releases when a process dies: two takers
cannot both find the same claim stale. Over NFS this wants locks that work across machines, as
Linux has had since 2.6.12. On object stores there is no lock; there a claim is written with a
token, read back after a moment, and belongs to whose token is found: a run may, in a rare race,
be done twice, with the same result.
"""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from ridgeline.study.store.places import Place

__all__ = ["FOLDER", "Claim", "holder", "is_stale", "started", "sweep", "try_claim"]

FOLDER = ".claims"
BEAT = 30.0
"""Seconds between the touches of a claim that is held."""
SILENCE = 600.0
"""Seconds without a touch after which another machine's claim is stale."""
SETTLING = 0.5
"""Seconds after which a claim on an object store is read back."""


class Claim:
    """The right to do a run; released at the end of a ``with`` block, or by `release`."""

    def __init__(self, place: Place, name: str, token: str) -> None:
        self._place, self.name, self._token = place, name, token
        _HEART.beat_for(self)

    def __enter__(self) -> "Claim":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def lost(self) -> bool:
        """True if somebody else holds it now: this process was silent for too long."""
        told = _read(self._place, self.name)
        return told is None or told.get("token") != self._token

    def refresh(self) -> None:
        """Say that this process is still at work; a thread does so every half minute."""
        if self.lost:
            return
        full = self._place.path(FOLDER, f"{self.name}.json")
        with suppress(OSError):
            if self._place.local:
                os.utime(full)
            else:
                self._place.write(self._place.read(FOLDER, f"{self.name}.json"), *_parts(self.name))

    def release(self) -> None:
        """Let go of it; nothing happens if it was lost."""
        _HEART.stop_for(self)
        with _locked(self._place):
            if not self.lost:
                self._place.remove(*_parts(self.name))


def try_claim(place: Place, name: str, note: str = "") -> Claim | None:
    """Claim a run.

    Args:
        place: The store's.
        name: The run's hash.
        note: What to say to others who want it.

    Returns:
        The claim, or None if a living process has it.
    """
    token = secrets.token_hex(8)
    told = {**_self(), "token": token, "since": time.time(), "note": note}
    with _locked(place):
        if place.exists(*_parts(name)) and not is_stale(place, name):
            return None
        place.write(json.dumps(told).encode(), *_parts(name))
    if not place.local:
        time.sleep(SETTLING)
        if (_read(place, name) or {}).get("token") != token:
            return None
    return Claim(place, name, token)


def holder(place: Place, name: str) -> str:
    """Who has a claim, in words; empty if nobody."""
    told = _read(place, name)
    if told is None:
        return ""
    since = max(0.0, time.time() - float(told.get("since", time.time())))
    note = f" ({told['note']})" if told.get("note") else ""
    return f"process {told.get('pid')} on {told.get('host')}, for {since:.0f} s{note}"


def is_stale(place: Place, name: str) -> bool:
    """True if a claim's holder is dead or silent; True if there is none."""
    try:
        silent = place.age(*_parts(name))
    except FileNotFoundError:
        return True
    told = _read(place, name)
    if told is None:
        return silent > SILENCE  # torn, perhaps being written
    mine = _self()
    if told.get("machine") != mine["machine"]:
        return silent > SILENCE
    return started(int(told.get("pid", -1))) != told.get("started")


def sweep(place: Place) -> None:
    """Remove claims of processes that died."""
    if not place.names(FOLDER):
        return
    with _locked(place):
        for file in place.names(FOLDER):
            name, _, suffix = file.rpartition(".")
            if suffix == "json" and is_stale(place, name):
                place.remove(FOLDER, file)


def _parts(name: str) -> tuple[str, str]:
    return FOLDER, f"{name}.json"


def _read(place: Place, name: str) -> dict[str, Any] | None:
    try:
        return json.loads(place.read(*_parts(name)))
    except (FileNotFoundError, ValueError):
        return None


def _self() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "started": started(os.getpid()),
        "machine": _machine(),
        "host": socket.gethostname(),
    }


@cache
def _machine() -> str:
    """This boot of this machine, and the space in which its process numbers mean something."""
    found = [socket.gethostname()]
    with suppress(OSError):
        found.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        found.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(found)


def started(pid: int) -> str | None:
    """Start of a process, so that its number, used again, is not taken for it; None if dead."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
        try:  # a system without /proc: alive is all that can be known
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return "unknown"
    except OSError:
        return None
    # The name, in brackets, may hold anything; of what follows the first is the state.
    fields = told.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


@contextmanager
def _locked(place: Place) -> Iterator[None]:
    """One process at a time, on a folder of this machine."""
    if not place.local:
        yield
        return
    import fcntl

    folder = Path(place.path(FOLDER))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file releases the lock


class _Heart:
    """Touches every claim of this process now and then."""

    def __init__(self) -> None:
        self._claims: set[Claim] = set()
        self._pid = -1
        self._changed = threading.Lock()

    def beat_for(self, claim: Claim) -> None:
        with self._changed:
            if self._pid != os.getpid():  # threads and claims stay behind in a fork
                self._pid, self._claims = os.getpid(), set()
                threading.Thread(target=self._beat, daemon=True, name="claims").start()
            self._claims.add(claim)

    def stop_for(self, claim: Claim) -> None:
        with self._changed:
            self._claims.discard(claim)

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT)
            with self._changed:
                claims = list(self._claims)
            for claim in claims:
                with suppress(Exception):  # a folder that is away for a moment is no end
                    claim.refresh()


_HEART = _Heart()
