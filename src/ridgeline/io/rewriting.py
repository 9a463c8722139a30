"""A state written as a checkpoint that it takes the place of: names, types, ties and nesting."""

import json
import os
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ridgeline.errors import OutputError, StateMismatch
from ridgeline.io.checkpoints import save
from ridgeline.io.formats import TORCH_SUFFIXES
from ridgeline.io.naming import fit
from ridgeline.io.nesting import Stored, find
from ridgeline.io.places import read
from ridgeline.io.prefixes import is_beside, match
from ridgeline.io.replacing import MAKER
from ridgeline.io.writing import atomic_path, version
from ridgeline.state import place, tensors_of

__all__ = ["WRITTEN", "in_format_of", "save_like"]

WRITTEN = (".safetensors", *TORCH_SUFFIXES)
"""Ends of the names of files that `save_like` writes."""

LONGEST_COMMENT = 65_000
"""Bytes of what is said of a zip archive; the format allows few more."""


def in_format_of(
    path: str | os.PathLike[str],
    state: Mapping[str, Tensor],
    *,
    model: nn.Module,
    key: str | None = None,
) -> Stored:
    """A state of a model as a checkpoint has it, so that it can be loaded in the same places.

    Names (prefixes of wrappers too), their order and types are the file's; names that are one
    tensor in the file stay one, and those of which it has copies get copies. What the file holds
    beside the model's tensors is kept. Older names, which the module itself converts, become the
    model's.

    Args:
        path: The checkpoint whose format is taken.
        state: Of the model.
        model: The network that both belong to.
        key: As in `load`.

    Raises:
        CheckpointError: As in `load`.
        StateMismatch: If the checkpoint does not fit the model, or the state lacks a tensor.
    """
    raw = _fitting(Path(path), model, key)[1]
    found = match(raw, own := tensors_of(model))
    known = _known(found.names, own)
    lacking = {n: tuple(own[n].shape) for n in own if n not in state}
    if lacking:
        raise StateMismatch(missing=lacking, a=str(path), b="the state")
    made: dict[object, Tensor] = {}
    result = Stored()
    result.versions, result.extras = raw.versions, raw.extras
    for old, x in raw.items():
        if (name := found.names.get(old)) is None:
            if known or old in found.outside or is_beside(found.inside[old], own):
                result[old] = x
            continue
        tied = (id(own[name]), x.dtype, place(x))
        if tied not in made:
            made[tied] = state[name].detach().to(dtype=x.dtype, device="cpu", copy=True)
        result[old] = made[tied]
    if not known:
        types = {x.dtype for x in raw.values() if x.is_floating_point()}
        for name in own:
            x, kind = state[name].detach().cpu(), next(iter(types), None)
            wanted = kind if len(types) == 1 and x.is_floating_point() else x.dtype
            result.setdefault(found.prefix + name, x.to(wanted))
    return result


def _known(names: Mapping[str, str], own: Mapping[str, Tensor]) -> bool:
    """True if every tensor of a model has a name in a file, or shares one that has."""
    there = {id(own[n]) for n in names.values()}
    counts = (n.rpartition(".")[2] == "num_batches_tracked" for n in own)
    return all(count or id(x) in there for count, x in zip(counts, own.values(), strict=True))


def save_like(
    path: str | os.PathLike[str],
    state: Stored,
    final: str | os.PathLike[str],
    *,
    model: nn.Module,
    key: str | None = None,
    metadata: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a state as safetensors, or as `torch.save` does, nested as another checkpoint is.

    Every name is written with its tensor, also where two share one: what reads the other
    checkpoint reads this one. Settings beside the state are kept (texts, lists, mappings of plain
    values); the optimiser's state, the epoch and the like are not: they are of other weights.

    Args:
        path: The other checkpoint.
        state: As `in_format_of` gives it.
        final: A name that ends in one of `WRITTEN`.
        model: The network that both belong to.
        key: As in `load`.
        metadata: What to say about it, strings to strings.
        overwrite: Whether an existing file may be replaced.

    Returns:
        Where it was written.

    Raises:
        OutputError: If the file exists, or cannot be written.
    """
    final = Path(final)
    if final.suffix not in TORCH_SUFFIXES:
        return save(state, final, metadata=metadata, overwrite=overwrite, ties=False)
    tree = _nested(Path(path), state, model, key)
    said = f"{MAKER} {version()} {json.dumps(dict(metadata or {}))}".encode()
    with atomic_path(final, overwrite=overwrite) as temporary:
        try:
            with temporary.open("wb") as file:  # by its name, torch would name what is inside
                torch.save(tree, file)
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.comment = said if len(said) < LONGEST_COMMENT else MAKER.encode()
        except RuntimeError as error:  # what torch makes of an error of the system
            raise OutputError(
                "A state must be written whole.",
                got=f"'{final}' ({str(error).splitlines()[0]})",
                remedy="Check the space left and the folder's permissions. Nothing was kept.",
            ) from error
    return final


def _nested(path: Path, state: Stored, model: nn.Module, key: str | None) -> dict[str, Any]:
    """The state at the place where a file has it, with the settings that lie around it."""
    content: OrderedDict[str, Any] = OrderedDict(state)
    content.update(state.extras)
    if state.versions is not None:
        content._metadata = state.versions  # type: ignore[attr-defined]  # as `state_dict()` does
    where, _ = _fitting(path, model, key)
    tree = read(path).tree
    return _put(tree, where, content) if where and isinstance(tree, Mapping) else content


def _put(tree: Mapping[Any, Any], where: str, content: dict[str, Any]) -> dict[str, Any]:
    """A mapping's settings, and the content at a dotted place in it."""
    # Numbers of their own (epoch, step, best accuracy) are not those of the new weights.
    made = {k: v for k, v in tree.items() if _is_setting(k, v) and not isinstance(v, int | float)}
    head = (
        where
        if where in tree
        else next((k for k in tree if isinstance(k, str) and where.startswith(f"{k}.")), None)
    )
    if head is None or not isinstance(tree[head], Mapping):  # a part of a state, by its prefix
        return content
    rest = where.removeprefix(head).lstrip(".")
    made[head] = _put(tree[head], rest, content) if rest else content
    return made


def _is_setting(name: object, value: object) -> bool:
    if isinstance(value, Mapping):
        return all(_is_setting(k, v) for k, v in value.items()) and not _is_training(name)
    if isinstance(value, list | tuple):
        return all(_is_setting("", v) for v in value) and not _is_training(name)
    plain = value is None or isinstance(value, bool | int | float | str)
    return plain and not _is_training(name)


def _is_training(name: object) -> bool:
    words = ("optim", "sched", "scaler", "callback", "loop")
    return isinstance(name, str) and any(word in name.lower() for word in words)


def _fitting(path: Path, model: nn.Module, key: str | None) -> tuple[str, Stored]:
    """The state of a file that fits a model and its place; the one that `load` takes."""
    content = read(path)
    where = str(content.path)
    found = find(content.tree, key=key, where=where)
    for inner, state in found.items():
        with suppress(StateMismatch):
            fit(state, model, where=where, tell=False)
            return inner, state
    inner, first = next(iter(found.items()))
    fit(first, model, where=where, tell=False)  # says what differs
    return inner, first
