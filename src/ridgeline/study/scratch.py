"""What a group leaves on disk while it trains, so that a kill costs a minute and no result."""

import json
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ridgeline import io
from ridgeline.state import State
from ridgeline.study.store.records import state_name
from ridgeline.training import Snapshot

__all__ = ["Scratch"]

MEMBERS = "group.json"
SNAPSHOT = "snapshot.safetensors"


class Scratch:
    """The folder of an unfinished group.

    Every file is written whole or not at all. The list of members is written first and says
    that training has begun: from then on the group is these members, whoever goes on with it.

    Args:
        folder: Of this group alone, on a local disk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, missing: Collection[str]) -> list[str]:
        """Go on with the group that was begun, or begin one.

        Args:
            missing: Hashes of the runs that are wanted, in order.

        Returns:
            The members to train: those of the begun group if it has all that are wanted.
        """
        try:
            members = json.loads((self.folder / MEMBERS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            members = []
        if members and set(missing) <= set(members):
            return members
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        with io.atomic_path(self.folder / MEMBERS) as path:
            path.write_text(json.dumps(list(missing)), encoding="utf-8")
        return list(missing)

    def keep(self, name: str, step: int, state: State) -> None:
        """Write a state of a member."""
        io.save(state, self.folder / name / f"{state_name(step)}.safetensors", overwrite=True)

    def kept(self, name: str) -> dict[str, Path]:
        """The states of a member that were written, by name."""
        return {path.stem: path for path in sorted((self.folder / name).glob("step-*.safetensors"))}

    def write(self, snapshot: Snapshot) -> None:
        """Write a snapshot in place of the last one."""
        facts = {"facts": json.dumps(snapshot.facts), "kept": json.dumps(self._all_kept())}
        io.save(snapshot.tensors, self.folder / SNAPSHOT, metadata=facts, overwrite=True)

    def snapshot(self) -> Snapshot | None:
        """The last snapshot; None if there is none of this version with all that it needs.

        States that were kept before a snapshot are not in it: if one is gone, training begins
        at the beginning.
        """
        try:
            with safe_open(self.folder / SNAPSHOT, framework="pt") as file:
                told = file.metadata()
                if told.get("ridgeline.version") != io.version():
                    return None
                if not set(json.loads(told["kept"])) <= set(self._all_kept()):
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping: safetensors gives keys() alone)
        except (OSError, SafetensorError):
            return None
        return Snapshot(tensors, json.loads(told["facts"]))

    def _all_kept(self) -> Sequence[str]:
        return sorted(
            path.relative_to(self.folder).as_posix()
            for path in self.folder.glob("*/step-*.safetensors")
        )
