"""Parts of a batch as tensors, wherever they stand in tuples, lists, dicts and dataclasses."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ridgeline.errors import DataError

__all__ = ["GONE", "first_word", "is_array", "plain", "tensors_in", "wordy"]

CONSTANTS = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
GONE = object()
"""Stands for words that are left out."""


def plain(value: Any) -> Any:
    """Dataclasses and mappings as dicts, what else holds an array as that array."""
    if isinstance(value, Mapping):
        return {key: plain(x) for key, x in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(plain, value))
    if isinstance(value, tuple | list):
        return (list if isinstance(value, list) else tuple)(map(plain, value))
    if not isinstance(value, Tensor | np.ndarray | np.generic) and is_array(value):
        return np.asarray(value)
    return value


def is_array(value: Any) -> bool:
    """True if a value is a tensor, an array, or holds one (a column of a table of pandas)."""
    return isinstance(value, Tensor | np.ndarray) or (
        hasattr(value, "__array__") and not isinstance(value, np.generic | type)
    )


def tensors_in(
    value: Any, name: str, count: int | None = None, left_out: list[str] | None = None
) -> Any:
    """Tensors in the place of arrays and of lists of numbers; constants stay.

    Args:
        value: As `plain` gives it.
        name: For refusals.
        count: Samples, where that is known.
        left_out: Takes the names of parts that are words for each sample.

    Returns:
        The same nesting; `GONE` where nothing but words is left.

    Raises:
        DataError: If a part is of another kind, or its samples are of several shapes.
    """
    left_out = [] if left_out is None else left_out
    if isinstance(value, Tensor):
        if value.is_nested:
            raise _unpadded(name, "a nested tensor")
        return value if value.layout == torch.strided else value.to_dense()
    if wordy(value) and not isinstance(value, str | bytes):
        left_out.append(name)
        return GONE
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "O":
            return tensors_in(plain(value.tolist()), name, count, left_out)
        return _from_numpy(value, name)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        made = {k: tensors_in(x, str(k), count, left_out) for k, x in value.items()}
        return {k: x for k, x in made.items() if x is not GONE} or GONE
    if isinstance(value, tuple):
        made = [tensors_in(x, f"{name}[{i}]", count, left_out) for i, x in enumerate(value)]
        kept = [x for x in made if x is not GONE]
        if hasattr(value, "_fields") and len(kept) == len(made):
            return type(value)(*made)
        return tuple(kept) or GONE
    if isinstance(value, list):
        return _listed(value, name, count, left_out)
    if isinstance(value, CONSTANTS):
        return value
    raise DataError(
        "A batch is made of tensors and arrays in tuples, lists and dicts; numbers, flags, words "
        "and None may stand beside them.",
        got=f"{type(value).__name__} in {name}",
        remedy="Take its tensors out of it, in the data set or in the loader's collate_fn.",
    )


def _listed(value: list, name: str, count: int | None, left_out: list[str]) -> Any:
    """A list: of one entry for each sample; or of several parts, as a loader collates them."""
    if not value:
        return ()
    if all(isinstance(x, int | float | complex | np.generic) for x in value):
        return torch.tensor(value) if count in (None, len(value)) else tuple(value)
    made = [tensors_in(x, f"{name}[{i}]", None, left_out) for i, x in enumerate(value)]
    kept = [x for x in made if x is not GONE]
    if not kept or not all(isinstance(x, Tensor) for x in kept):
        return tuple(kept) or GONE
    if all(is_array(x) and x.ndim for x in value):
        lengths = {len(x) for x in kept}
        if lengths == {count} or (count is None and len(lengths) == 1):
            return tuple(kept)
    if count not in (None, len(kept)):
        raise _unpadded(name, f"{len(kept)} entries for {count} samples")
    try:
        return torch.stack(kept)
    except RuntimeError as cause:
        raise _unpadded(name, str(cause).splitlines()[0]) from cause


def _from_numpy(array: np.ndarray, name: str) -> Tensor:
    """A tensor on an array's memory; a copy where that is read-only or of another byte order."""
    try:
        native = array.astype(array.dtype.newbyteorder("="), copy=not array.flags.writeable)
        return torch.from_numpy(np.ascontiguousarray(native))
    except TypeError as cause:
        raise DataError(
            "Inputs and targets are arrays or tensors of numbers.",
            got=f"an array of {array.dtype} for {name}",
        ) from cause


def wordy(value: Any) -> bool:
    """True if a value is words, or words for each sample, and nothing else."""
    if isinstance(value, str | bytes):
        return True
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "OT":
            return bool(value.size) and all(isinstance(x, str | bytes) for x in value.flat)
        return value.dtype.kind in "USM"
    return isinstance(value, tuple | list) and bool(value) and all(map(wordy, value))


def first_word(value: Any) -> Any:
    """The first of many words, for a message."""
    while not isinstance(value, str | bytes | np.datetime64):
        values: Iterable[Any] = value.flat if isinstance(value, np.ndarray) else value
        value = next(iter(values))
    return value


def _unpadded(name: str, why: str) -> DataError:
    return DataError(
        "The samples of a batch are of one shape.",
        got=f"{why}, for {name}",
        remedy="Pad sequences to one length (and mask them, e.g. targets of -100).",
    )
