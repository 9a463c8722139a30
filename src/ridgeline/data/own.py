"""The user's own data: what a function of theirs returns, as a data set."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ridgeline.data.sets import DataSet, Split
from ridgeline.errors import DataError
from ridgeline.io import resolve

__all__ = ["load"]


def load(spec: str) -> DataSet:
    """Call the user's function and make a data set of its result.

    Args:
        spec: ``module:function(arguments)``.

    Returns:
        The data set. A pair becomes one split named ``all``. A tuple of arrays, or a dict of them,
        in the place of the inputs is for a model of several: one argument each, or keywords.
        Numpy floats become torch's default type, as a network's weights are; tensors keep theirs.
        Whole-number targets become int64.

    Raises:
        DataError: If the result is none of the forms that are understood.
    """
    result = resolve(spec, kind="data set")
    if isinstance(result, DataSet):
        return result
    pairs = result if isinstance(result, Mapping) else {"all": result}
    splits = {str(name): _split(pair, spec) for name, pair in pairs.items()}
    return DataSet(name=spec, splits=splits, classes=_classes(splits), source=spec)


def _split(pair: object, spec: str) -> Split:
    if isinstance(pair, Split):
        return pair
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise DataError(
            "A function that makes a data set returns a DataSet, a pair (inputs, targets), or a "
            "dict from split to pair.",
            got=f"{type(pair).__name__} from {spec}",
            remedy="Return (inputs, targets) as two arrays or tensors.",
        )
    targets = _tensor(pair[1], spec)
    inputs = _inputs(pair[0], spec, len(targets) if targets.ndim else 0)
    whole = not targets.is_floating_point() and not targets.is_complex()
    return Split(inputs, targets.to(torch.int64) if whole else targets)


def _inputs(x: object, spec: str, count: int) -> Any:
    """One tensor; or several, where the model takes several, each of all samples."""
    if isinstance(x, Mapping):
        return {str(name): _tensor(value, spec) for name, value in x.items()}
    if isinstance(x, tuple) and all(isinstance(y, Tensor | np.ndarray) and y.ndim for y in x):
        samples = len(x) == count and any(len(y) != count for y in x)  # as `zip(*pairs)` gives
        if not samples:
            return tuple(_tensor(value, spec) for value in x)
    return _tensor(x, spec)


def _tensor(x: object, spec: str) -> Tensor:
    if isinstance(x, Tensor):
        return x.detach()
    try:
        array = np.asarray(x)
        # Copied: an array may be read-only or change under us.
        tensor = torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("=")))
    except (TypeError, ValueError) as error:
        raise DataError(
            "Inputs and targets are arrays or tensors of numbers.",
            got=f"{type(x).__name__} from {spec} ({error})",
            remedy="Stack the samples into one array; several inputs are a tuple of arrays.",
        ) from error
    return tensor.to(torch.get_default_dtype()) if tensor.is_floating_point() else tensor


def _classes(splits: Mapping[str, Split]) -> int | None:
    targets = [split.targets for split in splits.values()]
    if not targets or any(x.ndim != 1 or x.dtype != torch.int64 for x in targets):
        return None
    return max(int(x.max()) for x in targets) + 1
