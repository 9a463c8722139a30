"""Inputs of other lengths and sizes than an example's, where the network takes them."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

__all__ = ["longer", "many", "of_one", "shorter"]

Accepts = Callable[[Any], bool]

SHORT = 16
"""Sizes up to which an example is made twice as long; a window may be as wide."""


def longer(example: Any, accepts: Accepts) -> Any | None:
    """A batch that is longer along each axis along which the network takes more.

    Args:
        example: A batch of inputs.
        accepts: Whether the network takes a batch.

    Returns:
        The batch, its numbers repeated; None if the network takes none.
    """
    return _resized(example, accepts, _more)


def shorter(example: Any, accepts: Accepts) -> Any | None:
    """The same with less along each axis; see `longer`."""
    return _resized(example, accepts, _less)


def many(example: Any, count: int) -> Any:
    """A batch of at least so many samples, those of an example over and over.

    Args:
        example: A batch of inputs.
        count: Of samples.
    """
    sizes = [len(x) for x in pytree.tree_leaves(example) if isinstance(x, Tensor) and x.ndim]
    batch = sizes[0] if sizes else 0

    def more(x: Any) -> Any:
        whole = isinstance(x, Tensor) and x.ndim > 0 and 0 < len(x) == batch
        return torch.cat([x] * -(-count // batch)) if whole else x

    return pytree.tree_map(more, example)


def of_one(example: Any) -> set[tuple[int, int]]:
    """Axes, but for the first, along which a batch has a single position: (tensor, axis)."""
    tensors = [x for x in pytree.tree_leaves(example) if isinstance(x, Tensor)]
    return {(i, k) for i, x in enumerate(tensors) for k in range(1, x.ndim) if x.shape[k] == 1}


def _more(size: int) -> list[int]:
    if size == 1:  # more than one may be one for each of few heads
        return [5, 7]
    return [2 * size + 3, 2 * size, size + 1] if size <= SHORT else [size + 1, size + 8]


def _less(size: int) -> list[int]:
    sizes = [size // 2, size - 1] if size <= SHORT else [size - 1, size // 2]
    return [n for n in dict.fromkeys(sizes) if n > 0]


def _resized(example: Any, accepts: Accepts, sizes: Callable[[int], list[int]]) -> Any | None:
    found = None
    for size, axes in _axes(example):
        for many in (axes, *([a] for a in axes if len(axes) > 1)):
            made = None
            for n in sizes(size):
                made = _with(example if found is None else found, many, n)
                if accepts(made):
                    break
                made = None
            if made is not None:
                found = made
                break
    return found


def _axes(example: Any) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Axes of one size, which may be one length of several tensors, but for the first axes."""
    found: dict[int, list[tuple[int, int]]] = {}
    leaves = pytree.tree_leaves(example)
    for i, x in enumerate(leaves):
        if isinstance(x, Tensor):
            for k in range(1, x.ndim):
                found.setdefault(x.shape[k], []).append((i, k))
    yield from found.items()


def _with(example: Any, axes: list[tuple[int, int]], size: int) -> Any:
    leaves, form = pytree.tree_flatten(example)
    for i, k in axes:
        x = leaves[i]
        if x.shape[k]:
            at = torch.arange(size, device=x.device) % x.shape[k]
            leaves[i] = x.index_select(k, at)
    return pytree.tree_unflatten(leaves, form)
