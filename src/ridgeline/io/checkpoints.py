"""Loading a state from any common checkpoint, and saving one."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from ridgeline.errors import OutputError, StateMismatch, UsageError
from ridgeline.io.formats import TIES
from ridgeline.io.naming import fit
from ridgeline.io.nesting import ambiguous, find, same_state
from ridgeline.io.places import read
from ridgeline.io.writing import atomic_path, version
from ridgeline.state import State, check_finite, unusable
from ridgeline.state import ties as tied_names

__all__ = ["load", "save"]

VERSION = "ridgeline.version"


def load(
    path: str | os.PathLike[str],
    *,
    model: nn.Module | None = None,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
    key: str | None = None,
    finite: bool = True,
) -> State:
    """Read the state in a checkpoint. Never executes code.

    Reads safetensors; shards with an ``*.index.json``; folders as the Hugging Face hub lays
    them out; and what `torch.save` wrote (``.pt``, ``.pth``, ``.ckpt``, ``.bin``), where the
    state may lie under ``state_dict``, ``model``, ``ema`` and the like
    (`ridgeline.io.nesting.KEYS`).

    Args:
        path: A file or a folder.
        model: The network it belongs to. With it, wrappers' prefixes (``module.``,
            ``_orig_mod.``, ``model.``, also stacked) are resolved, tied names that the file left
            out are filled, and names and shapes are checked.
        dtype: Type to convert floating tensors to; others keep theirs.
        device: Where to put the tensors.
        key: The place of the state in a nested checkpoint, dots between levels.
        finite: Refuse NaN and infinity.

    Returns:
        The state. Names that share a tensor in the checkpoint share one object.

    Raises:
        CheckpointError: If it is missing, torn, ambiguous, of no known format, or would execute
            code.
        StateMismatch: If it does not fit the model.
        NonFinite: If it holds NaN or infinity.
        UnknownName: If there is nothing at `key`.
    """
    content = read(Path(path))
    where = str(content.path)
    found = find(content.tree, key=key, where=where)
    state = choose(found, where) if model is None else _choose_fitting(found, model, where)
    if finite:
        # 8-bit floats have no isfinite of their own.
        small = {k for k, x in state.items() if x.is_floating_point() and x.itemsize == 1}
        check_finite({k: x.float() if k in small else x for k, x in state.items()}, where)
    return _place(state, dtype, device)


def choose(found: Mapping[str, State], where: str) -> State:
    """The one state of a checkpoint, where nothing else tells which is meant.

    Args:
        found: Place to state, as `find` gives it.
        where: The file, for messages.

    Returns:
        The first, if all are the same.

    Raises:
        CheckpointError: If they differ.
    """
    first, *others = found.values()
    if not all(same_state(first, other) for other in others):
        raise ambiguous(found, where, "which differ")
    return first


def _choose_fitting(found: Mapping[str, State], model: nn.Module, where: str) -> State:
    fitting: dict[str, State] = {}
    errors: list[StateMismatch] = []
    for place, state in found.items():
        try:
            fitting[place] = fit(state, model, where=f"{where} at {place}" if place else where)
        except StateMismatch as error:
            errors.append(error)
    if not fitting:
        # The place that comes nearest to fitting has the diff that helps most.
        raise min(errors, key=lambda e: len(e.missing) + len(e.extra) + len(e.changed))
    first, *others = fitting.values()
    if not all(same_state(first, other) for other in others):
        raise ambiguous(fitting, where, "which differ and all fit the model")
    return first


def _place(state: State, dtype: torch.dtype | None, device: str | torch.device) -> State:
    """Convert each tensor once, so that tied names stay one object."""
    placed: dict[int, Tensor] = {}
    for x in state.values():
        if id(x) not in placed:
            placed[id(x)] = x.to(device=device, dtype=dtype if x.is_floating_point() else None)
    return {name: placed[id(x)] for name, x in state.items()}


def save(
    state: Mapping[str, Tensor],
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, str] | None = None,
    overwrite: bool = False,
    ties: bool = True,
) -> Path:
    """Write a state as safetensors: whole or not at all, and the same bytes each time.

    Tied names are stored once; the others are listed in the metadata, and `load` gives them
    back as shared tensors. Other programs see the first name only.

    Args:
        state: Names to dense tensors on any device; views and strides of any kind.
        path: A name that ends in ``.safetensors``.
        metadata: What to say about it, strings to strings. The version of Ridgeline is added.
        overwrite: Whether an existing file may be replaced.
        ties: Store tied names once; else each has a tensor of its own, for other programs.

    Returns:
        Where it was written.

    Raises:
        UsageError: If the name, the state or the metadata is not as described.
        OutputError: If the file exists, or cannot be written.
    """
    final = Path(path)
    if final.suffix != ".safetensors":
        better = final.with_suffix(".safetensors") if final.name else "name.safetensors"
        raise UsageError(
            "A state is saved as safetensors.", got=f"'{final}'", remedy=f"Name it '{better}'."
        )
    _check_saveable(state)
    kept, aliases = _without_ties(state, ties=ties)
    header = _metadata(metadata or {}, aliases)
    with atomic_path(final, overwrite=overwrite) as temporary:
        try:
            save_file(kept, temporary, metadata=header)
            _order_header(temporary)
        except (OSError, SafetensorError) as error:
            raise OutputError(
                "A state must be written whole.",
                got=f"'{final}' ({error})",
                remedy="Check the space left and the folder's permissions. Nothing was kept.",
            ) from error
    return final


def _check_saveable(state: Mapping[str, Tensor]) -> None:
    remedy = "Give what model.state_dict() or ridgeline.load returns."
    if not state:
        raise UsageError("A state must hold a tensor.", got="an empty one", remedy=remedy)
    for name, x in state.items():
        if not isinstance(name, str) or not isinstance(x, Tensor) or name == "__metadata__":
            raise UsageError(
                "A state is names to tensors.", got=f"{name!r}: {type(x).__name__}", remedy=remedy
            )
        if (what := unusable({name: x}).get(name)) or x.dtype == torch.complex32:
            raise UsageError(
                "A state that is saved must be dense and hold values.",
                got=f"{name}, {what or x.dtype}",
                remedy="Convert it first with to_dense(), dequantize(), to another type or by "
                "loading values.",
            )


def _without_ties(state: Mapping[str, Tensor], *, ties: bool) -> tuple[State, dict[str, str]]:
    """Contiguous tensors on the CPU that share nothing, and the names left out."""
    groups = tied_names(state) if ties else []
    aliases = {name: names[0] for names in groups for name in names[1:]}
    kept: State = {}
    storages: set[int] = set()
    for name, x in state.items():
        if name in aliases:
            continue
        dense = x.detach().resolve_conj().resolve_neg().contiguous().cpu()
        whole = dense.untyped_storage().nbytes() == dense.nbytes
        if not whole or dense.untyped_storage().data_ptr() in storages:
            dense = dense.clone()  # a view of something larger, or of another entry
        storages.add(dense.untyped_storage().data_ptr())
        kept[name] = dense
    return kept, aliases


def _metadata(given: Mapping[str, str], aliases: Mapping[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str) or name in (TIES, VERSION):
            raise UsageError(
                f"Metadata are strings to strings, and not under {TIES} or {VERSION}.",
                got=f"{name!r}: {value!r}",
                remedy="Write other values as JSON.",
            )
    header = {"format": "pt", **given, VERSION: version()}  # transformers asks for "format"
    return header | ({TIES: json.dumps(aliases)} if aliases else {})


def _order_header(path: Path) -> None:
    """Sort the metadata in place: the library writes them in an order that changes by process."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) <= length:  # always, unless the library learns another spelling
            file.seek(8)
            file.write(text.ljust(length))
