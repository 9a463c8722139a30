"""The user's own data: what a function of theirs returns, or an object, as a data set."""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils.data import DataLoader, Dataset

from ridgeline.data.sets import IGNORED, DataSet, Split
from ridgeline.errors import DataError, UsageError
from ridgeline.io import resolve
from ridgeline.objective import Samples, collect, splits_of
from ridgeline.objective.parts import plain

__all__ = ["load"]


def load(spec: str) -> DataSet:
    """Read the user's data and make a data set of them.

    Args:
        spec: ``module:name`` of a function, a class or an object, or ``module:name(arguments)``.

    Returns:
        The data set. What an objective takes becomes one split named ``all``; a dict of it, splits
        by its keys; a tuple of two, ``train`` and ``test``; of three, ``train``, ``val`` and
        ``test``. Inputs without targets are their own targets. Numpy floats become torch's
        default type, as a network's weights are; tensors keep theirs. Whole-number targets become
        int64.

    Raises:
        DataError: If the result is none of the forms that are understood.
        NotDeterministic: If another reading would give other samples.
    """
    result = resolve(spec, kind="data set", ready=_ready)
    if isinstance(result, DataSet):
        return result
    given = splits_of(result)
    given = {"all": result} if given is None else given
    splits = {str(name): _split(part, spec) for name, part in given.items()}
    return DataSet(name=spec, splits=splits, classes=_classes(splits), source=spec)


def _ready(found: object) -> bool:
    """True if what the spec names are data themselves, not what makes them."""
    data = isinstance(found, Dataset | DataLoader | DataSet | Split | Samples | Mapping | Tensor)
    return data or not callable(found) or inspect.isgeneratorfunction(found)


def _split(part: Any, spec: str) -> Split:
    if isinstance(part, Split):
        return part
    try:
        found = collect(_narrowed(part), labelled=False)
    except UsageError as refused:
        raise DataError(
            "A function that makes a data set returns a DataSet, a pair (inputs, targets), a "
            "Dataset, a DataLoader or a list of batches; or a dict from split to one of these.",
            got=f"{type(part).__name__} from {spec}",
            remedy=refused.remedy or "Return (inputs, targets) as two arrays or tensors.",
        ) from refused
    except DataError as refused:
        got = f"{refused.got}, from {spec}"
        raise DataError(refused.rule, got=got, remedy=refused.remedy) from refused.__cause__
    return Split(found.inputs, _targets(found), found.left_out)


def _targets(found: Samples) -> Any:
    return found.inputs if found.targets is None else found.targets


def _narrowed(part: Any) -> Any:
    """Arrays of numpy's own floating type in torch's: a network's weights are of that."""
    default = torch.empty(0).numpy().dtype

    def narrow(x: np.ndarray) -> np.ndarray:
        return x.astype(default) if x.dtype.kind == "f" else x

    return pytree.tree_map_only(np.ndarray, narrow, plain(part))


def _classes(splits: Mapping[str, Split]) -> int | None:
    """The largest label and one; None if targets are no class numbers."""
    targets = [split.targets for split in splits.values()]
    if not all(isinstance(x, Tensor) and x.ndim == 1 and x.dtype == torch.int64 for x in targets):
        return None
    labels = [x[x != IGNORED] for x in targets]
    labels = [x for x in labels if len(x)]
    if not labels or min(int(x.min()) for x in labels) < 0:
        return None
    return max(int(x.max()) for x in labels) + 1
