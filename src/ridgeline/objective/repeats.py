"""Refusal of what would change from one reading to the next.

The mean over a set that changes, or over samples that come several times, is no objective.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    default_collate,
)

from ridgeline.errors import DataError, NotDeterministic, RidgelineError
from ridgeline.objective.collation import join, read_batch
from ridgeline.objective.parts import plain
from ridgeline.objective.samples import Samples, checksum, equal
from ridgeline.rng import untouched

__all__ = ["batches_of", "from_loader", "read_twice"]

FREEZE = "Pass `list(loader)` to freeze one reading, or make the data set deterministic."
PROBED = 16
"""Items that are fetched twice: a flip with probability 1/2 escapes them once in 65536 times."""


def batches_of(batches: Iterable[Any], labelled: bool, source: str) -> list[Samples]:
    """All batches of one reading.

    Raises:
        DataError: If there is none, one cannot be taken, or reading raises.
    """
    parts = [read_batch(batch, labelled) for batch in _reading(batches, source)]
    if not parts:
        raise DataError("There must be at least one sample.", got="an iterable without batches")
    return parts


def _reading(batches: Iterable[Any], source: str) -> Iterator[Any]:
    """The batches; what the caller's code raises on the way is said in one sentence."""
    try:
        yield from batches
    except RidgelineError:
        raise
    except Exception as error:  # whatever a data set or a collate_fn may raise
        said = str(error).strip().splitlines() or ["no message"]
        raise DataError(
            "Data must be read without raising.",
            got=f"{type(error).__name__} from {source}: {said[0][:300]}",
            remedy="The cause shows the line. Samples are collated into batches of tensors: give "
            "the data set a transform that makes tensors of one shape, or the loader a collate_fn.",
        ) from error


def read_twice(batches: Iterable[Any], labelled: bool, source: str) -> Samples:
    """One reading of what can be read again, if the other gives the same samples in any order.

    Raises:
        NotDeterministic: If it does not.
    """
    with untouched():
        first = join(batches_of(batches, labelled, source))
        second = list(_reading(batches, source))
        if not second or not _same(first, join([read_batch(b, labelled) for b in second])):
            raise NotDeterministic(f"{source}, whose second reading gave other samples", FREEZE)
        return first


def _same(x: Samples, y: Samples) -> bool:
    return len(x) == len(y) and checksum(x) == checksum(y)


def from_loader(loader: DataLoader, labelled: bool) -> Samples:
    """The samples of a loader, in its order.

    Raises:
        NotDeterministic: If it draws other samples each time, its samples or batches are other
            ones at each reading, or its workers give samples more than once.
    """
    source = type(loader.dataset).__name__
    batches = loader.batch_sampler  # the user's own, or one made around the sampler
    ours = batches if isinstance(batches, BatchSampler) and type(batches) is BatchSampler else None
    sampler = loader.sampler if ours is None else ours.sampler
    custom = batches is not None and ours is None
    if isinstance(sampler, RandomSampler) and not custom:
        if sampler.replacement or sampler.num_samples % len(sampler.data_source):
            raise NotDeterministic("a sampler that draws other samples each time", FREEZE)
        if ours is not None and ours.drop_last and len(sampler) % ours.batch_size:
            raise NotDeterministic(
                "a shuffling DataLoader with drop_last=True, which drops other samples each time",
                "Use drop_last=False. " + FREEZE,
            )
    with untouched():
        torch.manual_seed(0)  # one order of what is shuffled, in every process
        if isinstance(loader.dataset, IterableDataset):
            if loader.num_workers:
                return _from_workers(loader, labelled, source)
            return read_twice(loader, labelled, source)
        if isinstance(sampler, RandomSampler | SequentialSampler) and not custom:
            if len(sampler):
                _probe_items(loader.dataset, source)
                _probe_collation(loader, ours, labelled, source)
            return join(batches_of(loader, labelled, source))
        return read_twice(loader, labelled, source)


def _from_workers(loader: DataLoader, labelled: bool, source: str) -> Samples:
    """Samples that several processes give, if together they give each as often as one does."""
    first = join(batches_of(loader, labelled, source))
    alone = DataLoader(
        loader.dataset,
        batch_size=loader.batch_size,
        collate_fn=loader.collate_fn,
        drop_last=loader.drop_last,
    )
    try:
        single = join(batches_of(alone, labelled, source))
    except DataError as error:
        raise NotDeterministic(
            f"{source} with num_workers={loader.num_workers}, which cannot be read without "
            f"workers to compare ({error.got})",
            "Let it give all samples where torch.utils.data.get_worker_info() is None. " + FREEZE,
        ) from error
    if _same(first, single):
        return first
    counts = f"{len(first)} samples with num_workers={loader.num_workers} and {len(single)} without"
    again = ", as each worker gives all of them" if len(first) > len(single) else ""
    raise NotDeterministic(
        f"{source}, which gives {counts}{again}",
        "Use num_workers=0, or let each worker give its own share: "
        "torch.utils.data.get_worker_info() says which.",
    )


def _probe_items(dataset: Any, source: str) -> None:
    """Fetch a few items twice: augmentation shows itself there."""
    count = len(dataset)
    chosen = np.unique(np.linspace(0, count - 1, min(count, PROBED)).astype(int)).tolist()
    for i in chosen:
        once, again = (_leaves(*_reading((dataset[j] for j in (i,)), source)) for _ in range(2))
        alike = len(once) == len(again)
        if not alike or not all(map(_agree, once, again)):
            transform = getattr(dataset, "transform", None)
            by = f" (its transform: {transform!r})" if transform is not None else ""
            raise NotDeterministic(
                f"sample {i} of {source}, which is another at each reading: augmentation{by}",
                "Remove random augmentation from the evaluation data. " + FREEZE,
            )


def _probe_collation(
    loader: DataLoader, batches: BatchSampler | None, labelled: bool, source: str
) -> None:
    """Collate the same few items twice, where the caller's own function does: it may draw."""
    if loader.collate_fn is default_collate or batches is None:
        return
    items = range(min(len(loader.dataset), batches.batch_size))  # type: ignore[arg-type]  # numbered
    twice = ([loader.dataset[i] for i in items] for _ in range(2))
    first, again = (read_batch(loader.collate_fn(few), labelled) for few in _reading(twice, source))
    if not all(map(_agree, _leaves(first), _leaves(again))):
        raise NotDeterministic(
            f"the collate_fn of the loader of {source}, which makes another batch of the same "
            "samples each time",
            "Collate without drawing random numbers. " + FREEZE,
        )


def _agree(x: Any, y: Any) -> bool:
    return not isinstance(x, Tensor) or (isinstance(y, Tensor) and equal(x, y))


def _leaves(item: Any) -> list[Any]:
    if isinstance(item, Samples):
        return pytree.tree_leaves((item.inputs, item.targets))
    numbers = np.ndarray | np.number | int | float
    leaves = pytree.tree_leaves(plain(item))
    return [torch.as_tensor(x) if _numeric(x, numbers) else x for x in leaves]


def _numeric(x: Any, numbers: Any) -> bool:
    return isinstance(x, numbers) and getattr(x, "dtype", np.dtype(float)).kind not in "OUSTMm"
