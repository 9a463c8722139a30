"""Data as resident arrays: read once, used at every position.

Whatever the caller has (arrays, a `TensorDataset`, any `Dataset`, `DataLoader` or iterable of
batches) is read into stacked tensors. What would give other samples on the next reading is
refused: the mean over a set that changes is no objective.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)

from ridgeline.errors import DataError, NotDeterministic, UsageError
from ridgeline.rng import untouched

__all__ = ["Samples", "collect"]

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
                digest.update(flat.view(torch.uint8).numpy().tobytes())
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
        return _stack(data, labelled)
    raise UsageError(
        "Data are arrays (inputs, targets), a Dataset, a DataLoader or an iterable of batches.",
        got=type(data).__name__,
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
        return Samples(_tensors(batch[0] if isinstance(batch, tuple | list) else batch), None)
    raise DataError(
        "A batch is (inputs, targets), a longer tuple that ends in targets, or a dict.",
        got=type(batch).__name__,
    )


def _stack(batches: Iterable[Any], labelled: bool) -> Samples:
    parts = [_batch(batch, labelled) for batch in batches]
    if not parts:
        raise DataError("There must be at least one sample.", got="an iterable without batches")
    flat = [pytree.tree_flatten((p.inputs, p.targets)) for p in parts]
    try:
        joined = [torch.cat(column) for column in zip(*(leaves for leaves, _ in flat), strict=True)]
    except (RuntimeError, TypeError, ValueError) as cause:
        raise DataError(
            "All batches must stack into one array: the same keys, and one shape per sample.",
            got=str(cause).splitlines()[0],
            remedy="Pad sequences to one length (and mask them, e.g. targets of -100).",
        ) from cause
    inputs, targets = pytree.tree_unflatten(joined, flat[0][1])
    return Samples(inputs, targets)


# --- what would change from one reading to the next ------------------------------------------


def _from_loader(loader: DataLoader, labelled: bool) -> Samples:
    freeze = "Pass `list(loader)` to freeze one reading, or make the data set deterministic."
    sampler = loader.sampler
    if isinstance(sampler, RandomSampler):
        if sampler.replacement or sampler.num_samples < len(loader.dataset):  # type: ignore[arg-type]  # a RandomSampler needs a sized data set
            raise NotDeterministic("a sampler that draws other samples each time", freeze)
        if loader.drop_last and len(sampler) % (loader.batch_size or 1):
            raise NotDeterministic(
                "a shuffling DataLoader with drop_last=True, which drops other samples each time",
                "Use drop_last=False. " + freeze,
            )
    with untouched():
        known = isinstance(sampler, RandomSampler | SequentialSampler)
        if known and not isinstance(loader.dataset, IterableDataset):
            _probe_items(loader.dataset, freeze)
            return _stack(loader, labelled)
        first, second = _stack(loader, labelled), _stack(loader, labelled)
        if _as_set(first) != _as_set(second):
            raise NotDeterministic(
                f"{type(loader.dataset).__name__}, whose second reading gave other samples", freeze
            )
        return first


def _probe_items(dataset: Any, freeze: str) -> None:
    """Fetch a few items twice: augmentation shows itself there."""
    count = len(dataset)
    for i in sorted({0, count // 3, count // 2, count - 1} & set(range(count))):
        once, again = (pytree.tree_leaves(_tensors_or_raw(dataset[i])) for _ in range(2))
        for x, y in zip(once, again, strict=True):
            if isinstance(x, Tensor) and not torch.equal(x, y):
                transform = getattr(dataset, "transform", None)
                by = f" (its transform: {transform!r})" if transform is not None else ""
                raise NotDeterministic(
                    f"sample {i} of {type(dataset).__name__}, which is another at each "
                    f"reading: augmentation{by}",
                    "Remove random augmentation from the evaluation data. " + freeze,
                )


def _tensors_or_raw(item: Any) -> Any:
    return pytree.tree_map(lambda x: torch.from_numpy(x) if isinstance(x, np.ndarray) else x, item)


def _as_set(samples: Samples) -> int:
    """A checksum that does not depend on the order of samples."""
    total = 0
    leaves = pytree.tree_leaves((samples.inputs, samples.targets))
    rows = [x.detach().cpu().reshape(len(x), -1).contiguous().numpy() for x in leaves]
    for i in range(len(samples)):
        digest = hashlib.blake2b(b"".join(r[i].tobytes() for r in rows), digest_size=8).digest()
        total = (total + int.from_bytes(digest)) % 2**64
    return total
