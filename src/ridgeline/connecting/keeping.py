"""Snapshots of a descent in a file, from which it goes on to the same bytes."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ridgeline import io
from ridgeline.errors import UsageError
from ridgeline.objective import Objective

__all__ = ["Kept", "fingerprint", "kept_in"]

NAME = "of"
"""Tensor that bears the name of what a snapshot is of."""


class _Undone(Exception):
    """Raised to undo what was tried."""


@dataclass(frozen=True)
class Kept:
    """A file of snapshots: each replaces the last under a temporary name that is renamed."""

    path: Path

    def __post_init__(self) -> None:
        if self.path.suffix != ".safetensors":
            raise UsageError(
                "Snapshots are kept as safetensors.",
                got=f"'{self.path}'",
                remedy=f"Name it '{self.path.with_suffix('.safetensors')}'.",
            )
        if not self.path.exists():  # an unwritable folder is known before hours of work, not after
            with suppress(_Undone), io.atomic_path(self.path):
                raise _Undone

    def load(self, name: str) -> dict[str, Tensor] | None:
        """The last snapshot; None if there is none.

        Args:
            name: Of what is to go on.

        Raises:
            CheckpointError: If the file is no snapshot that can be read.
            UsageError: If it is of something else.
        """
        if not self.path.exists():
            return None
        held = io.load(self.path, finite=False)
        of = bytes(held.pop(NAME, torch.zeros(0, dtype=torch.uint8)).tolist()).decode()
        if of != name:
            raise UsageError(
                "A snapshot is gone on from by what it was taken of: the same ends, data, numbers "
                "and seed.",
                got=f"'{self.path}', of something else",
                remedy="Remove the file to start anew, or name another.",
            )
        return held

    def save(self, tensors: Mapping[str, Tensor], name: str) -> None:
        """Put a snapshot in the last one's place."""
        held = {n: x.detach().cpu() for n, x in tensors.items()}
        held[NAME] = torch.tensor(list(name.encode()), dtype=torch.uint8)
        io.save(held, self.path, overwrite=True)


def kept_in(path: str | os.PathLike[str] | None) -> Kept | None:
    """The file that a path names, if one does."""
    return None if path is None else Kept(Path(path))


def fingerprint(
    objective: Objective, fixed: Sequence[Tensor], free: Sequence[Tensor], *numbers: object
) -> str:
    """A name for a descent: of its data, its states and its numbers."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(objective.samples.fingerprint().encode())
    for x in (*fixed, *free):
        digest.update(x.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    digest.update(repr(numbers).encode())
    return digest.hexdigest()
