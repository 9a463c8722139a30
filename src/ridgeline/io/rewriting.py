"""A state under the names and in the types of a checkpoint that it takes the place of."""

import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from torch import Tensor, nn

from ridgeline.errors import RidgelineWarning, StateMismatch
from ridgeline.io.naming import fit, names_in
from ridgeline.io.nesting import find
from ridgeline.io.places import read
from ridgeline.state import State

__all__ = ["in_format_of"]


def in_format_of(
    path: str | os.PathLike[str],
    state: Mapping[str, Tensor],
    *,
    model: nn.Module,
    key: str | None = None,
) -> State:
    """A state of a model as a checkpoint has it, so that it can be loaded in the same places.

    Names (prefixes of wrappers too), their order and types are the file's; names that are one
    tensor in the model stay one. What the file holds beside the model's tensors is kept.

    Args:
        path: The checkpoint whose format is taken.
        state: Of the model.
        model: The network that both belong to.
        key: As in `load`.

    Raises:
        CheckpointError: As in `load`.
        StateMismatch: If the checkpoint does not fit the model, or the state lacks a tensor.
    """
    raw = _fitting(Path(path), model, key)
    known = names_in(model, raw)
    made: dict[tuple[int, object], Tensor] = {}
    result: State = {}
    for old, x in raw.items():
        name = known.get(old)
        if name is None:
            result[old] = x
            continue
        if name not in state:
            raise StateMismatch(missing={name: tuple(x.shape)}, a=str(path), b="the state")
        tied = (id(state[name]), x.dtype)
        if tied not in made:
            made[tied] = state[name].to(dtype=x.dtype, device="cpu")
        result[old] = made[tied]
    return result


def _fitting(path: Path, model: nn.Module, key: str | None) -> State:
    """The state of a file that fits a model, as the file names it; the one that `load` takes."""
    content = read(path)
    where = str(content.path)
    found = find(content.tree, key=key, where=where)
    for state in found.values():
        with suppress(StateMismatch), warnings.catch_warnings():
            # What lies beside the model's tensors is kept here, and was told of when it was read.
            warnings.simplefilter("ignore", RidgelineWarning)
            fit(dict(state), model, where=where)
            return state
    first = next(iter(found.values()))
    fit(dict(first), model, where=where)  # says what differs
    return first
