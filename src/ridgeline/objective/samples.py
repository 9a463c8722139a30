"""Data as resident arrays: read once, used at every position.

Whatever the caller has (arrays, a `TensorDataset`, any `Dataset`, `DataLoader` or iterable of
batches) is read into stacked tensors. What would give other samples on the next reading is
refused: the mean over a set that changes is no objective.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)

from ridgeline.errors import DataError, NotDeterministic, UsageError
from ridgeline.rng import untouched

__all__ = ["Samples", "collect", "equal"]

LABELS = ("labels", "label", "targets", "target", "y")
"""Keys of a dict batch that hold the targets, in this order."""


@dataclass(frozen=True, eq=False)
class Samples:
    """N samples: inputs and targets, every tensor with N as its first axis."""

    inputs: Any
    """A tensor, or a dict or tuple of tensors."""
    targets: Any
    """A tensor; ``None`` for data that only calibrate."""

    def __len__(self) -> int:
        return len(pytree.tree_leaves(self.inputs)[0])

    def map(self, function: Callable[[Tensor], Tensor]) -> "Samples":
        """The samples with a function applied to each tensor."""
        return Samples(
            pytree.tree_map_only(Tensor, function, self.inputs),
            pytree.tree_map_only(Tensor, function, self.targets),
        )

    def __getitem__(self, rows: slice | Tensor) -> "Samples":
        return self.map(lambda x: x[rows])

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> "Samples":
        """The samples on a device, floating tensors in `dtype`."""
        return self.map(
            lambda x: x.to(device=device, dtype=dtype if x.is_floating_point() else None)
        )

    def chunks(self, rows: int) -> Iterator["Samples"]:
        """Consecutive pieces of at most `rows` samples."""
        for start in range(0, len(self), rows):
            yield self[start : start + rows]

    @property
    def nbytes(self) -> int:
        """Bytes held by all tensors."""
        leaves = pytree.tree_leaves((self.inputs, self.targets))
        return sum(x.nbytes for x in leaves if isinstance(x, Tensor))

    def fingerprint(self) -> str:
        """A short name for the samples in their order, the same on every machine."""
        digest = hashlib.blake2b(digest_size=8)
        for x in pytree.tree_leaves((self.inputs, self.targets)):
            if isinstance(x, Tensor):
                digest.update(f"{tuple(x.shape)}{x.dtype}".encode())
                flat = x.detach().cpu().contiguous().flatten()
                digest.update(flat.view(torch.uint8).numpy().data)
        return digest.hexdigest()


def collect(data: Any, *, labelled: bool = True) -> Samples:
    """Read data once, into resident arrays.

    Args:
        data: `Samples`; arrays ``(inputs, targets)``; anything with `inputs` and `targets`; a
            `TensorDataset`, `Dataset` or `DataLoader`; or an iterable of batches. A batch is
            ``(inputs, targets)``, a longer tuple whose last element is the targets, or a dict
            with a key among `LABELS`.
        labelled: Whether targets are needed; calibration data may be inputs alone.

    Returns:
        Stacked tensors on the CPU, or where they already were.

    Raises:
        DataError: If there are no samples, or they do not stack.
        NotDeterministic: If another reading would give another set of samples.
        UsageError: If the data are of no kind that is known.
    """
    samples = _read(data, labelled)
    leaves = pytree.tree_leaves((samples.inputs, samples.targets))
    lengths = {len(x) for x in leaves if isinstance(x, Tensor) and x.ndim}
    if not lengths or lengths == {0}:
        raise DataError("There must be at least one sample.", got="no samples")
    if len(lengths) > 1:
        raise DataError(
            "Inputs and targets have the number of samples as their first axis.",
            got=f"lengths {sorted(lengths)}",
        )
    return samples.map(torch.Tensor.detach)


def _read(data: Any, labelled: bool) -> Samples:
    if isinstance(data, Samples):
        return data
    if isinstance(data, TensorDataset):
        return _batch(data.tensors, labelled)
    if isinstance(data, DataLoader):
        return _from_loader(data, labelled)
    if isinstance(data, Dataset):
        iterable = isinstance(data, IterableDataset)
        loader = DataLoader(data, batch_size=256, shuffle=None if iterable else False)
        return _from_loader(loader, labelled)
    if hasattr(data, "inputs") and hasattr(data, "targets"):
        return Samples(_tensors(data.inputs), _tensors(data.targets))
    if not labelled and isinstance(data, Tensor | np.ndarray):
        return Samples(_tensors(data), None)
    if _is_arrays(data):
        return _batch(data, labelled)
    if isinstance(data, Iterable) and not isinstance(data, str | bytes | Mapping | Tensor):
        again = not isinstance(data, Iterator | Sequence)
        return _twice(data, labelled, data) if again else _stack(data, labelled)
    splits = getattr(data, "splits", None)
    raise UsageError(
        "Data are arrays (inputs, targets), a Dataset, a DataLoader or an iterable of batches.",
        got=type(data).__name__,
        remedy=f"Take one of its splits: data[{next(iter(splits))!r}]." if splits else "",
    )


def _is_arrays(data: Any) -> bool:
    """Whether this is one pair (inputs, targets) and not a list of batches."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        return False
    inputs, targets = data
    arrays = isinstance(targets, Tensor | np.ndarray)
    if isinstance(inputs, Tensor | np.ndarray) and arrays:
        return True
    return isinstance(data, tuple) and isinstance(inputs, Mapping | tuple) and arrays


def _tensors(value: Any) -> Any:
    """Arrays and numbers as tensors, wherever they stand."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, Mapping):
        return {key: _tensors(x) for key, x in value.items()}
    if isinstance(value, tuple):
        return tuple(_tensors(x) for x in value)
    return value if isinstance(value, Tensor) else torch.as_tensor(value)


def _batch(batch: Any, labelled: bool) -> Samples:
    """One batch, its targets found."""
    if isinstance(batch, Mapping):
        key = next((k for k in LABELS if k in batch), None)
        if key is None and labelled:
            raise DataError(
                f"A dict batch holds its targets under one of {', '.join(LABELS)}.",
                got=f"keys {', '.join(map(str, batch))}",
            )
        inputs = {k: _tensors(x) for k, x in batch.items() if k != key}
        return Samples(inputs, _tensors(batch[key]) if key is not None else None)
    if isinstance(batch, tuple | list) and len(batch) >= 2:
        inputs, targets = list(batch[:-1]), batch[-1]
        held = inputs[0] if len(inputs) == 1 else tuple(inputs)
        return Samples(_tensors(held), _tensors(targets))
    if not labelled:
        alone = list(batch) if isinstance(batch, tuple | list) else [batch]
        return Samples(_tensors(alone[0]), None)
    raise DataError(
        "A batch is (inputs, targets), a longer tuple that ends in targets, or a dict.",
        got=type(batch).__name__,
    )


def _stack(batches: Iterable[Any], labelled: bool) -> Samples:
    parts = [_batch(batch, labelled) for batch in batches]
    if not parts:
        raise DataError("There must be at least one sample.", got="an iterable without batches")
    held = [(p.inputs,) if p.targets is None else (p.inputs, p.targets) for p in parts]
    flat = [pytree.tree_flatten(part) for part in held]
    try:
        joined = [torch.cat(column) for column in zip(*(leaves for leaves, _ in flat), strict=True)]
    except (RuntimeError, TypeError, ValueError) as cause:
        raise DataError(
            "All batches must stack into one array: the same keys, and one shape per sample.",
            got=str(cause).splitlines()[0],
            remedy="Pad sequences to one length (and mask them, e.g. targets of -100).",
        ) from cause
    whole: Any = pytree.tree_unflatten(joined, flat[0][1])
    return Samples(whole[0], whole[1] if len(whole) > 1 else None)


# --- what would change from one reading to the next ------------------------------------------


FREEZE = "Pass `list(loader)` to freeze one reading, or make the data set deterministic."
PROBED = 16
"""Items that are fetched twice: a flip with probability 1/2 escapes them once in 65536 times."""


def _from_loader(loader: DataLoader, labelled: bool) -> Samples:
    batches = loader.batch_sampler  # the user's own, or one made around the sampler
    plain = batches if isinstance(batches, BatchSampler) and type(batches) is BatchSampler else None
    sampler = loader.sampler if plain is None else plain.sampler
    custom = batches is not None and plain is None
    if isinstance(sampler, RandomSampler) and not custom:
        if sampler.replacement or sampler.num_samples % len(sampler.data_source):
            raise NotDeterministic("a sampler that draws other samples each time", FREEZE)
        if plain is not None and plain.drop_last and len(sampler) % plain.batch_size:
            raise NotDeterministic(
                "a shuffling DataLoader with drop_last=True, which drops other samples each time",
                "Use drop_last=False. " + FREEZE,
            )
    with untouched():
        known = isinstance(sampler, RandomSampler | SequentialSampler) and not custom
        if known and not isinstance(loader.dataset, IterableDataset):
            _probe_items(loader.dataset)
            return _stack(loader, labelled)
        return _twice(loader, labelled, loader.dataset)


def _twice(batches: Iterable[Any], labelled: bool, source: Any) -> Samples:
    """One reading of what can be read again, if the other gives the same samples in any order."""
    with untouched():
        first, second = _stack(batches, labelled), list(batches)
        if not second or _as_set(first) != _as_set(_stack(second, labelled)):
            raise NotDeterministic(
                f"{type(source).__name__}, whose second reading gave other samples", FREEZE
            )
        return first


def _probe_items(dataset: Any) -> None:
    """Fetch a few items twice: augmentation shows itself there."""
    count = len(dataset)
    for i in np.unique(np.linspace(0, count - 1, min(count, PROBED)).astype(int)).tolist():
        once, again = (pytree.tree_leaves(_tensors_or_raw(dataset[i])) for _ in range(2))
        for x, y in zip(once, again, strict=True):
            if isinstance(x, Tensor) and not equal(x, y):
                transform = getattr(dataset, "transform", None)
                by = f" (its transform: {transform!r})" if transform is not None else ""
                raise NotDeterministic(
                    f"sample {i} of {type(dataset).__name__}, which is another at each "
                    f"reading: augmentation{by}",
                    "Remove random augmentation from the evaluation data. " + FREEZE,
                )


def equal(x: Tensor, y: Tensor) -> bool:
    """Whether two readings of a tensor agree; a missing value (NaN) equals itself."""
    return x.shape == y.shape and bool(((x == y) | ((x != x) & (y != y))).all())


def _tensors_or_raw(item: Any) -> Any:
    array = np.ndarray | np.number | int | float
    return pytree.tree_map(lambda x: torch.as_tensor(x) if isinstance(x, array) else x, item)


def _as_set(samples: Samples) -> int:
    """A checksum that does not depend on the order of samples."""
    total = 0
    leaves = [x for x in pytree.tree_leaves((samples.inputs, samples.targets)) if x is not None]
    flat = [x.detach().cpu().reshape(len(x), -1).contiguous() for x in leaves]
    rows = [x.view(torch.uint8).numpy() for x in flat]
    for i in range(len(samples)):
        digest = hashlib.blake2b(b"".join(r[i].tobytes() for r in rows), digest_size=8).digest()
        total = (total + int.from_bytes(digest)) % 2**64
    return total
