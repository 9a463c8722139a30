"""Finding and reading what a path stands for: a file, an index of shards, or a folder."""

import difflib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from torch import Tensor

from ridgeline.errors import CheckpointError
from ridgeline.io.formats import (
    TORCH_SUFFIXES,
    plain_metadata,
    read_safetensors,
    sniff,
)
from ridgeline.io.pytorch import read_torch
from ridgeline.state import State

__all__ = ["Content", "read"]

HUB_NAMES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.bin",
)
"""Looked for in a folder, in this order: as the Hugging Face hub names them."""


@dataclass(frozen=True)
class Content:
    """Everything a checkpoint holds, before any of it is chosen."""

    path: Path
    """The file that was read: inside the folder, if a folder was given."""
    format: str
    """``safetensors`` or ``torch``, or one of them with ``sharded`` before it."""
    size: int
    """Bytes on disk, shards included."""
    metadata: dict[str, str]
    tree: object
    """A state, or a mapping in which one lies."""


def read(path: Path) -> Content:
    """Read a checkpoint file, an index with its shards, or the checkpoint in a folder.

    Args:
        path: As the user gave it.

    Returns:
        What it holds.

    Raises:
        CheckpointError: If it is missing, ambiguous, torn, of no known format, or would
            execute code.
    """
    try:
        return _read(path)
    except CheckpointError:
        raise
    except (OSError, ValueError) as error:  # a folder that may not be looked into, a name too long
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(
            "A checkpoint must be readable.",
            got=f"{str(path)!r} ({reason})",
            remedy="Check the name, and the permissions of the file and its folder.",
        ) from error


def _read(path: Path) -> Content:
    if not path.exists():
        raise _missing(path)
    if path.is_dir():
        path = _inside(path)
    if not path.is_file():
        raise CheckpointError("A checkpoint is a file, or a folder.", got=f"'{path}'")
    kind = sniff(path)
    if kind == "index":
        return _read_sharded(path)
    size = path.stat().st_size
    if kind == "safetensors":
        state, metadata = read_safetensors(path)
        return Content(path, kind, size, metadata, state)
    tree = read_torch(path)
    return Content(path, kind, size, plain_metadata(tree), tree)


def _inside(folder: Path) -> Path:
    for name in HUB_NAMES:
        if (folder / name).exists():
            return folder / name
    if (snapshot := _snapshot(folder)) is not None:
        return _inside(snapshot)
    suffixes = (".safetensors", *TORCH_SUFFIXES)
    found = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix in suffixes)
    if len(found) == 1:
        return found[0]
    if found:
        raise CheckpointError(
            "A folder must hold one checkpoint, or one under a hub name.",
            got=f"'{folder}' with {_listed([p.name for p in found])}",
            remedy="Give the path of the file that is meant.",
        )
    raise CheckpointError(
        "A folder must hold a checkpoint.",
        got=f"'{folder}' with {_listed(sorted(p.name for p in folder.iterdir())) or 'nothing'}",
        remedy=f"Looked for {', '.join(HUB_NAMES[:4])}, and for one file named "
        f"{', '.join('*' + s for s in suffixes)}.",
    )


def _snapshot(folder: Path) -> Path | None:
    """The checked-out revision in a folder of the hub's local cache."""
    reference = folder / "refs" / "main"
    if not reference.is_file():
        return None
    revision = reference.read_text(encoding="utf-8", errors="replace").strip()
    snapshot = folder / "snapshots" / revision
    return snapshot if revision.isalnum() and snapshot.is_dir() else None


def _read_sharded(index: Path) -> Content:
    places, metadata = _read_index(index)
    by_file: dict[str, list[str]] = {}
    for name, file in places.items():
        by_file.setdefault(file, []).append(name)
    gathered: State = {}
    size, kind = index.stat().st_size, ""
    for file, names in by_file.items():  # each shard is read once, and let go before the next
        shard = _shard_path(index, file)
        kind = sniff(shard)
        tensors = read_torch(shard) if kind == "torch" else read_safetensors(shard)[0]
        size += shard.stat().st_size
        gathered |= _checked_shard(tensors, names, shard, index)
    # In the index's order, which is the network's more often than the shards' is.
    return Content(index, f"sharded {kind}", size, metadata, {n: gathered[n] for n in places})


def _read_index(index: Path) -> tuple[dict[str, str], dict[str, str]]:
    try:
        content = json.loads(index.read_text(encoding="utf-8-sig"))
        places = content["weight_map"]
        if not places or not all(isinstance(x, str) for pair in places.items() for x in pair):
            raise TypeError("weight_map is empty or holds other things than names")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            "An index must be JSON with a weight_map from tensor names to file names.",
            got=f"'{index}' ({type(error).__name__}: {error})",
            remedy="Give the *.index.json that lies beside the shards, or copy it again.",
        ) from error
    metadata = content.get("metadata")
    return places, plain_metadata(metadata)


def _shard_path(index: Path, file: str) -> Path:
    # Judged as written, not resolved: the hub's cache stores shards as links out of the folder.
    parts = PurePosixPath(file)
    if parts.is_absolute() or ".." in parts.parts or "\\" in file or ":" in file or "\0" in file:
        raise CheckpointError(
            "An index names files in its own folder.",
            got=f"{file!r} in '{index}'",
            remedy="The index does not come from a model: do not trust it.",
        )
    shard = index.parent / file
    if shard.suffix == ".json" or not shard.is_file():
        raise CheckpointError(
            "Every shard that an index names must be there.",
            got=f"no file '{shard}'",
            remedy="The download is incomplete: fetch the missing shard.",
        )
    return shard


def _checked_shard(tensors: object, names: list[str], shard: Path, index: Path) -> State:
    if not isinstance(tensors, dict) or not all(isinstance(x, Tensor) for x in tensors.values()):
        raise CheckpointError("A shard must hold names to tensors.", got=f"'{shard}'")
    absent = [name for name in names if name not in tensors]
    unnamed = [name for name in tensors if name not in set(names)]
    if absent or unnamed:
        facts = [f"not in the shard: {_listed(absent)}"] if absent else []
        facts += [f"not in the index: {_listed(unnamed)}"] if unnamed else []
        raise CheckpointError(
            "An index and its shards must agree.",
            got=f"'{shard}'; {'; '.join(facts)}",
            remedy=f"'{index.name}' and the shard come from different saves: fetch both again.",
        )
    return tensors


def _missing(path: Path) -> CheckpointError:
    parent = path.parent
    while not parent.is_dir() and parent != parent.parent:
        parent = parent.parent
    names = sorted(p.name for p in parent.iterdir() if not p.name.startswith("."))
    wanted = path.relative_to(parent).parts[0] if path.is_relative_to(parent) else path.name
    near = difflib.get_close_matches(wanted, names, n=5, cutoff=0.4)
    near += [name for name in names if name not in near][: 5 - len(near)]
    return CheckpointError(
        "A checkpoint must exist.",
        got=f"'{path}'",
        remedy=f"Nearest in '{parent}': {', '.join(near)}." if near else f"'{parent}' is empty.",
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
