"""Whatever data a caller has, read once into resident arrays.

One reader for objectives, calibration, matching, the command line's ``--data`` and specs.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from ridgeline.errors import DataError, UsageError
from ridgeline.objective.collation import LABELS, join, read_batch
from ridgeline.objective.parts import is_array, plain, wordy
from ridgeline.objective.repeats import batches_of, from_loader, read_twice
from ridgeline.objective.samples import Samples

__all__ = ["SPLITS", "collect", "splits_of"]

SPLITS = (
    "train",
    "training",
    "val",
    "valid",
    "validation",
    "dev",
    "test",
    "testing",
    "eval",
    "all",
)
"""Names by which a dict of inputs is known for one of splits."""
IN_ORDER = {2: ("train", "test"), 3: ("train", "val", "test")}
"""Names of splits that come in a tuple."""


def collect(data: Any, *, labelled: bool = True) -> Samples:
    """Read data once, into resident arrays.

    Args:
        data: `Samples`; arrays ``(inputs, targets)``, in a tuple of more several inputs; anything
            with `inputs` and `targets`; a `Dataset` or `DataLoader` of torch, or what has a
            length and gives a sample by its number; an iterable of batches, or a generator
            function that makes one. A batch, or a sample, is ``(inputs, targets)``, a longer tuple
            whose last element is the targets, or a dict, a dataclass or a named tuple with a part
            named among `LABELS`. Inputs and targets may be nested. Words beside them (file names)
            are left out and named in `Samples.left_out`; whole numbers among the targets become
            int64.
        labelled: Whether targets are needed; other data may be inputs alone.

    Returns:
        Stacked tensors on the CPU, or where they already were.

    Raises:
        DataError: If there are no samples, they do not stack, or reading them raises.
        NotDeterministic: If another reading would give another set of samples.
        UsageError: If the data are of no kind that is known, or are several splits.
    """
    splits = splits_of(data)
    if splits:
        choices = ", ".join(f"data[{name!r}]" for name in splits)
        if isinstance(data, tuple):
            choices = " or ".join(("data[0]", "data[1]", "data[2]")[: len(data)])
        raise UsageError(
            "Data are one split: arrays (inputs, targets), a Dataset, a DataLoader or an iterable "
            "of batches.",
            got=f"{type(data).__name__} of the splits {', '.join(splits)}"
            if not hasattr(data, "splits")
            else type(data).__name__,
            remedy=f"Take one of its splits: {choices}."
            + (" Batches are given in a list." if isinstance(data, tuple) else ""),
        )
    samples = _read(data, labelled)
    leaves = pytree.tree_leaves((samples.inputs, samples.targets))
    tensors = [x for x in leaves if isinstance(x, Tensor)]
    lengths = {len(x) for x in tensors if x.ndim}
    if not lengths or lengths == {0}:
        raise DataError("There must be at least one sample.", got="no samples")
    counted = samples.targets is None or any(
        isinstance(x, Tensor) for x in pytree.tree_leaves(samples.targets)
    )
    if len(lengths) > 1 or not all(x.ndim for x in tensors) or not counted:
        x, y = samples.inputs, samples.targets
        single = [] if counted and all(x.ndim for x in tensors) else ["of a single number"]
        told = [f"lengths {sorted(lengths)}", *single]
        if isinstance(x, Tensor) and isinstance(y, Tensor) and not single:
            told = [f"{len(x)} inputs", f"{len(y)} targets"]
        raise DataError(
            "Inputs and targets have the number of samples as their first axis.",
            got=" and ".join(told),
        )
    return samples.map(torch.Tensor.detach)


def splits_of(data: Any) -> Mapping[str, Any] | None:
    """The splits that data are of, by name; None if they are one.

    A dict is one of splits if it has no part named among `LABELS` and either all its keys are
    names of splits or its values are no arrays; a named tuple or a dataclass is one of splits if
    all its fields are called so. A tuple of two or three data sets, loaders or
    pairs ``(inputs, targets)`` is train and test, or train, val and test.
    """
    given = getattr(data, "splits", None)
    if isinstance(given, Mapping):
        return given
    if isinstance(data, Mapping):
        named = all(str(key).lower() in SPLITS for key in data)
        arrays = all(is_array(x) for x in data.values())
        one = any(key in LABELS for key in data) or (arrays and not named)
        return None if one and data else {str(key): x for key, x in data.items()}
    names = _fields(data)
    if names and all(name.lower() in SPLITS for name in names):
        return {name: getattr(data, name) for name in names}
    if type(data) is tuple and len(data) in IN_ORDER and all(map(_is_data, data)):
        return dict(zip(IN_ORDER[len(data)], data, strict=True))
    return None


def _fields(data: Any) -> tuple[str, ...]:
    """Names of the fields of a named tuple or of a dataclass."""
    if is_dataclass(data) and not isinstance(data, type):
        return tuple(field.name for field in fields(data))
    return getattr(data, "_fields", ()) if isinstance(data, tuple) else ()


def _is_data(value: Any) -> bool:
    split = hasattr(value, "inputs") and hasattr(value, "targets")
    return isinstance(value, Dataset | DataLoader | Samples) or split or _is_arrays(value)


def _read(data: Any, labelled: bool) -> Samples:
    if isinstance(data, Samples):
        return data
    # A class of the caller's own that gives other samples than its tensors is read as it gives.
    if isinstance(data, TensorDataset) and _plain_items(data):
        return read_batch(data.tensors, labelled)
    if isinstance(data, DataLoader):
        return from_loader(data, labelled)
    if isinstance(data, Dataset):
        return _items(data, labelled)
    if hasattr(data, "inputs") and hasattr(data, "targets"):
        return read_batch((data.inputs, data.targets), labelled)
    if inspect.isgeneratorfunction(data):
        return read_twice(_Again(data), labelled, getattr(data, "__qualname__", data))
    whole = is_array(data) and not labelled
    if (isinstance(data, Mapping) and data) or whole or _is_arrays(data) or _is_batch(data):
        return read_batch(_stacked(data), labelled)
    if isinstance(data, Sequence) and not isinstance(data, str | bytes) and _is_sample(data):
        return _items(data, labelled)
    if _numbered(data):
        return _items(data, labelled)
    if isinstance(data, Iterable) and not isinstance(data, str | bytes) and not is_array(data):
        if not isinstance(data, Iterator | Sequence):
            return read_twice(data, labelled, type(data).__name__)
        return join(batches_of(data, labelled, type(data).__name__))
    if is_array(data):
        return read_batch(data, labelled)
    raise UsageError(
        "Data are arrays (inputs, targets), a Dataset, a DataLoader or an iterable of batches.",
        got=type(data).__name__,
    )


def _items(data: Any, labelled: bool) -> Samples:
    """Read what gives a sample by its number, or one after the other."""
    iterable = isinstance(data, IterableDataset)
    return from_loader(
        DataLoader(data, batch_size=256, shuffle=None if iterable else False), labelled
    )


def _plain_items(data: TensorDataset) -> bool:
    return type(data).__getitem__ is TensorDataset.__getitem__


class _Again:
    """The batches of a generator function, made anew at each reading."""

    def __init__(self, make: Callable[[], Iterable[Any]]) -> None:
        self.make = make

    def __iter__(self) -> Iterator[Any]:
        return iter(self.make())


def _is_arrays(data: Any) -> bool:
    """True if this is one pair (inputs, targets) and not a list of batches."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        return False
    inputs, targets = data
    if isinstance(data, list) or is_array(inputs):
        words = isinstance(data, tuple) and wordy(targets)
        numbers = isinstance(data, tuple) and _numbers(targets)
        return is_array(inputs) and (is_array(targets) or numbers or words)
    nested = isinstance(inputs, Mapping | tuple | list) or is_dataclass(inputs)
    return nested and (is_array(targets) or _numbers(targets))


def _is_batch(data: Any) -> bool:
    """True if a tuple of three arrays or more is one batch that ends in targets.

    Batches come in a list: arrays of inputs alone, joined, would be others than those meant.
    """
    return type(data) is tuple and len(data) > 2 and all(map(is_array, data))


def _numbers(value: Any) -> bool:
    """True if a value is one number for each sample, or one row of numbers."""
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(isinstance(x, int | float) or (_numbers(x) and x is not value) for x in value)


def _stacked(data: Any) -> Any:
    """A pair whose inputs are a tuple of samples, as ``zip(*pairs)`` gives, with them in a list."""
    if not isinstance(data, tuple) or not isinstance(data[0], tuple):
        return (data[0], list(data[1])) if isinstance(data, tuple) and _numbers(data[1]) else data
    inputs, targets = data
    arrays = all(is_array(x) and x.ndim for x in map(plain, inputs))
    samples = len(inputs) == len(targets) and not (
        arrays and all(len(x) == len(targets) for x in inputs)
    )
    return (list(inputs) if samples else inputs, list(targets) if _numbers(targets) else targets)


def _is_sample(data: Sequence[Any]) -> bool:
    """True if the first of many is a sample, not a batch: its target is a single number."""
    first = plain(data[0]) if len(data) else None
    target: Any = None
    if isinstance(first, dict):
        target = next((first[k] for k in LABELS if k in first), None)
    elif isinstance(first, tuple | list) and len(first) > 1:
        target = first[-1]
    return isinstance(target, int | float) or (is_array(target) and not target.ndim)


def _numbered(data: Any) -> bool:
    """True if data have a length and give a sample by its number, as those of torch do."""
    kind = type(data)
    has = hasattr(kind, "__getitem__") and hasattr(kind, "__len__")
    return has and not isinstance(data, Sequence | Mapping | str | bytes) and not is_array(data)
