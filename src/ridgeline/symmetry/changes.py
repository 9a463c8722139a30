"""Changes of outputs: each by its own scale, what is not finite or whole exactly."""

from collections.abc import Sequence
from math import inf

import torch
from torch import Tensor

__all__ = ["change_of", "finite"]

LARGE = 1e30
"""What masks add is larger; it says nothing of the size of outputs."""

MANY = 100_003
"""Numbers of an output of which the middle one is looked for; of more, every second, third ..."""

FLOOR = 1e-5
"""An output that is smaller than this share of the largest is of its rounding."""


def finite(outputs: Sequence[Tensor]) -> bool:
    """True if there is something to compare: a finite number, or no number at all.

    Args:
        outputs: Of a network.
    """
    return any(bool(x.isfinite().any()) for x in outputs) or not any(x.numel() for x in outputs)


def change_of(before: Sequence[Tensor], after: Sequence[Tensor]) -> float:
    """The largest change of an output's element over its size, or that of the output if larger.

    Args:
        before: Outputs.
        after: The same, changed.

    Returns:
        Infinity if NaN or an infinity comes or goes; of integers the share that changes.
    """
    sizes = [_size(x) for x in before]
    floor = FLOOR * max(sizes) or 1.0  # outputs that are zero everywhere
    pairs = zip(before, after, sizes, strict=True)
    return max(_one(x, y, max(size, floor)) for x, y, size in pairs)


def _size(x: Tensor) -> float:
    """Size of the middle element of an output, zeros and what masks add left out."""
    if not x.is_floating_point():
        return 0.0
    x = x.double().abs().flatten()
    x = x[(x > 0) & (x < LARGE)]
    if not x.numel():
        return 0.0
    some = x[:: -(-len(x) // MANY)]
    least = some.kthvalue(1 + some.numel() // 50).values
    usual = some[some <= least / FLOOR]  # a mask of -1e9 may be most of an output
    return max(float(usual.median()), FLOOR * float(x.max()))


def _one(x: Tensor, y: Tensor, size: float) -> float:
    if x.shape != y.shape:
        return inf
    if not x.numel():
        return 0.0
    if not x.is_floating_point():
        return float((x != y).double().mean())
    x, y = x.double(), y.double()
    if bool((x.sum() + y.sum()).isfinite()):  # of large outputs a third of the time
        return _share(x, y, size)
    usual = x.isfinite()
    if not bool((((x == y) | (x.isnan() & y.isnan())) | (usual & y.isfinite())).all()):
        return inf
    if not bool(usual.any()):
        return 0.0
    return _share(x[usual], y[usual], size)


def _share(x: Tensor, y: Tensor, size: float) -> float:
    change = (x - y).abs_()
    share = change / x.abs().clamp_min_(size)
    return float(torch.where(change > 0, share, 0.0).max())
