"""Formats of checkpoint files, and reading safetensors."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open

from ridgeline.errors import CheckpointError
from ridgeline.state import State

__all__ = ["TIES", "plain_metadata", "read_safetensors", "sniff"]

TIES = "ridgeline.ties"
"""Metadata key of the aliases that `save` writes: a JSON object, name to the name it shares."""

TORCH_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")
KNOWN = "Known are .safetensors, .pt, .pth, .ckpt, .bin, and an *.index.json of shards."


def sniff(path: Path) -> str:
    """The format of a file by its name, or by its first bytes where the name says nothing.

    Args:
        path: An existing file.

    Returns:
        ``"index"``, ``"safetensors"`` or ``"torch"``.

    Raises:
        CheckpointError: If the file is empty, a stand-in for the real one, or of no known format.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise CheckpointError(
            "A checkpoint must be readable.", got=f"'{path}' ({error.strerror})"
        ) from error
    if not head:
        raise CheckpointError(
            "A checkpoint must not be empty.",
            got=f"'{path}' of 0 bytes",
            remedy="Writing or copying it was interrupted: make it again.",
        )
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(
            "A checkpoint must be the file itself.",
            got=f"'{path}', a Git LFS pointer",
            remedy="Fetch the file with `git lfs pull`.",
        )
    if head[:6] == b"\x93NUMPY" or path.suffix == ".npz":
        raise CheckpointError(
            "A checkpoint must be of a known format.",
            got=f"'{path}', arrays of NumPy",
            remedy="Save them as a state: ridgeline.save({name: torch.from_numpy(array), ...}, "
            "'name.safetensors').",
        )
    if path.suffix == ".json":
        return "index"
    if path.suffix == ".safetensors":
        return "safetensors"
    if path.suffix in TORCH_SUFFIXES or head[:4] == b"PK\x03\x04" or head[:1] == b"\x80":
        return "torch"
    if head[8:9] == b"{":
        return "safetensors"
    raise CheckpointError(
        "A checkpoint must be of a known format.",
        got=f"'{path}', starting {head[:8]}",
        remedy=KNOWN,
    )


def read_safetensors(path: Path) -> tuple[State, dict[str, str]]:
    """All tensors of a safetensors file, aliases restored as shared tensors, and its metadata.

    Args:
        path: An existing file.

    Returns:
        The state and the header's metadata, without the aliases.

    Raises:
        CheckpointError: If the file is truncated or corrupt.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = dict(file.metadata() or {})
            # Cloned, because the tensors are windows into the mapped file: if it shrank later,
            # touching them would end the process.
            state: State = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a mapping: safetensors gives keys() alone)
    except Exception as error:  # the library lets more through than it says
        raise CheckpointError(
            "A safetensors file must be whole.",
            got=f"'{path}' of {path.stat().st_size} bytes ({error})",
            remedy="It is truncated or corrupt: copy or download it again.",
        ) from error
    return _restore_ties(state, metadata.pop(TIES, None), path), metadata


def _restore_ties(state: State, text: str | None, path: Path) -> State:
    if text is None:
        return state
    try:
        aliases = json.loads(text)
        if not isinstance(aliases, dict):
            raise TypeError("not an object")
        for alias, name in aliases.items():
            if alias in state:
                raise KeyError(f"{alias} is stored as well")
            state[alias] = state[name]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CheckpointError(
            "The aliases in a checkpoint's metadata must name its tensors.",
            got=f"'{path}', {TIES} = {text[:200]} ({error})",
            remedy="The file was changed after it was written: make it again.",
        ) from error
    return state


def plain_metadata(tree: object) -> dict[str, str]:
    """The numbers and strings that a nested checkpoint keeps beside its state (epoch, seed)."""
    if not isinstance(tree, Mapping):
        return {}
    return {str(k): str(v) for k, v in tree.items() if isinstance(v, (bool, int, float, str))}
