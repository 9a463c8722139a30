"""One batch, as loaders and functions give it: its inputs, its targets, and what is neither.

Tensors and arrays stay, wherever they stand in tuples, lists, dicts, named tuples and dataclasses.
Words (file names, ids) beside them are left out, and the samples say so. Numbers, flags and None
that are the same in every batch stay as they are, as a model may take them.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ridgeline.errors import DataError
from ridgeline.objective.parts import GONE, first_word, is_array, plain, tensors_in, wordy
from ridgeline.objective.samples import Samples

__all__ = ["LABELS", "join", "read_batch"]

LABELS = ("labels", "label", "targets", "target", "y")
"""Names of a batch's part that holds the targets, in this order."""


def read_batch(given: Any, labelled: bool) -> Samples:
    """The inputs and targets of one batch.

    Args:
        given: ``(inputs, targets)``; a longer tuple whose last element is the targets; a dict, a
            dataclass or a named tuple with a part named among `LABELS`; inputs alone.
        labelled: Whether there must be targets.

    Raises:
        DataError: If there are no targets though there must be, or a part cannot be taken.
    """
    left_out: list[str] = []
    inputs, targets = _parted(plain(given), labelled, left_out)
    held = None
    if targets is not None:
        held = tensors_in(targets, "the targets", None, left_out)
        if held is GONE:
            raise DataError(
                "Targets are numbers.",
                got=f"words, as {first_word(targets)!r}",
                remedy="Number the classes from 0: the position of a word in the sorted list of "
                "all.",
            )
        held = pytree.tree_map_only(Tensor, _whole, held)
    taken = tensors_in(inputs, "the inputs", _count(held), left_out)
    if not any(isinstance(x, Tensor) for x in pytree.tree_leaves(taken)):
        raise DataError(
            "The inputs of a batch are numbers in tensors or arrays.",
            got="words alone" if taken is GONE else type(given).__name__,
            remedy="Turn words into numbers first: a tokeniser's ids, a file's pixels.",
        )
    return Samples(taken, held, tuple(dict.fromkeys(left_out)))


def join(parts: Sequence[Samples]) -> Samples:
    """Batches, one after the other, as one.

    Raises:
        DataError: If they do not go together.
    """
    flat = [pytree.tree_flatten((part.inputs, part.targets)) for part in parts]
    spec = flat[0][1]
    if isinstance(parts[0].targets, Tensor) and not parts[0].targets.ndim:
        raise DataError(
            "A batch has its samples along the first axis.",
            got="a target that is a single number, as single samples have",
            remedy="Give batches; single samples come from a list, or from a Dataset or an "
            "IterableDataset of torch.",
        )
    try:
        for _, other in flat:
            if other != spec:
                raise ValueError(f"parts {spec} and {other}")
        columns = zip(*(leaves for leaves, _ in flat), strict=True)
        joined = [torch.cat(c) if isinstance(c[0], Tensor) else _same(c) for c in columns]
    except DataError:
        raise
    except (RuntimeError, TypeError, ValueError) as cause:
        raise DataError(
            "All batches must stack into one array: the same keys, and one shape per sample.",
            got=str(cause).splitlines()[0][:300],
            remedy="Pad sequences to one length (and mask them, e.g. targets of -100).",
        ) from cause
    inputs, targets = pytree.tree_unflatten(joined, spec)
    left_out = dict.fromkeys(name for part in parts for name in part.left_out)
    return Samples(inputs, targets, tuple(left_out))


def _same(column: Sequence[Any]) -> Any:
    """Return what stands beside tensors, the same in every batch."""
    first = column[0]
    if any(type(x) is not type(first) or x != first for x in column):
        raise DataError(
            "Numbers, flags and words beside the tensors of a batch are the same in every batch.",
            got=", ".join(list(dict.fromkeys(map(repr, column)))[:3]),
            remedy="Give what differs from sample to sample as a tensor, or leave it out.",
        )
    return first


def _parted(batch: Any, labelled: bool, left_out: list[str]) -> tuple[Any, Any]:
    """Inputs and targets as they stand; None for targets that are not there."""
    fields = getattr(batch, "_fields", ()) if isinstance(batch, tuple) else ()
    if isinstance(batch, dict) or any(name in LABELS for name in fields):
        named: dict[Any, Any] = (
            batch if isinstance(batch, dict) else dict(zip(fields, batch, strict=True))
        )
        key = next((k for k in LABELS if k in named), None)
        if key is None and labelled:
            raise DataError(
                f"A dict batch holds its targets under one of {', '.join(LABELS)}.",
                got=f"keys {', '.join(map(str, named))}",
            )
        rest = {k: x for k, x in named.items() if k != key}
        targets = named[key] if key is not None else None
        if isinstance(batch, dict):
            return rest, targets
        inputs = tuple(x for x in rest.values() if not wordy(x))
        left_out += [name for name, x in rest.items() if wordy(x)]
        return inputs[0] if len(inputs) == 1 else inputs, targets
    if isinstance(batch, tuple | list):
        items = [x for x in batch if not wordy(x)]
        left_out += [f"element {i + 1}" for i, x in enumerate(batch) if wordy(x)]
        if len(batch) == 2 and wordy(batch[1]):  # the targets themselves
            return batch[0], batch[1]
        if len(items) >= 2 and items[-1] is not None:
            held = items[:-1]
            return held[0] if len(held) == 1 else tuple(held), items[-1]
        items = [x for x in items if x is not None]
        if items and not labelled:
            return items[0], None
    elif is_array(batch) and not labelled:
        return batch, None
    raise DataError(
        "A batch is (inputs, targets), a longer tuple that ends in targets, or a dict.",
        got=type(batch).__name__,
    )


def _whole(x: Tensor) -> Tensor:
    """Whole numbers as int64: labels come as bytes from files of images, and index only so."""
    other = x.is_floating_point() or x.is_complex() or x.dtype == torch.bool
    return x if other else x.to(torch.int64)


def _count(held: Any) -> int | None:
    leaves = [x for x in pytree.tree_leaves(held) if isinstance(x, Tensor) and x.ndim]
    return len(leaves[0]) if leaves else None
