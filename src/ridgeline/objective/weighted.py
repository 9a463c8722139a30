"""Numbers per sample and how much each weighs: the form that every loss and metric is brought to.

The mean of a loss is a ratio, ``sum_i w_i v_i / sum_i w_i`` over samples i. Nearly always all
weights are one. They are not where nothing of a sample counts (weight 0: it is left out), where
positions are averaged and not samples (the number of positions), where classes weigh
differently, and where a metric is defined for some of the samples only.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Weighted", "concatenated", "linearised", "mean", "over_positions", "where_counted"]


class Weighted(NamedTuple):
    """One number per sample with its weight."""

    values: Tensor
    """Shape (N,); without meaning where the weight is 0."""
    weights: Tensor | None = None
    """Shape (N,), at least 0; all alike by default."""


def over_positions(
    values: Tensor, weights: Tensor | None, *, tokens: bool = False, total: bool = False
) -> Weighted:
    """One number per sample from one per position.

    Args:
        values: Shape (N, ...).
        weights: What positions weigh, of the same shape; all alike by default.
        tokens: Samples weigh as much as their positions do, and not alike.
        total: The sum over a sample's positions, and not their mean.
    """
    if values.ndim == 1:
        return Weighted(values, weights if weights is None else weights.to(values.dtype))
    values = values.flatten(1)
    if weights is None:
        return Weighted(values.sum(1) if total else values.mean(1))
    weights = weights.flatten(1).to(values.dtype)
    values = values.masked_fill(weights == 0, 0)  # what does not count may be NaN
    sums, held = (values * weights).sum(1), weights.sum(1)
    counted = (held > 0).to(values.dtype)
    if total:
        return Weighted(sums, counted)
    return Weighted(sums / torch.where(held > 0, held, 1), held if tokens else counted)


def where_counted(scores: Weighted) -> Tensor:
    """The values, NaN where a sample does not count; shape (N,)."""
    if scores.weights is None:
        return scores.values
    return scores.values.masked_fill(scores.weights == 0, float("nan"))


def mean(scores: Weighted) -> Tensor:
    """The weighted mean, differentiable; 0 where nothing counts."""
    if scores.weights is None:
        return scores.values.mean()
    held = scores.weights.sum()
    kept = scores.values.masked_fill(scores.weights == 0, 0)
    return (kept * scores.weights).sum() / torch.where(held > 0, held, 1)


def linearised(scores: Weighted) -> Tensor:
    """One number for each sample that counts, whose plain mean is the weighted one.

    With ``R`` the weighted mean, that is ``R + w_i (v_i - R) / mean(w)``: the linearisation of a
    ratio, so that the plain standard error of the mean is right, too (Cochran 1977, section 6.3).
    Where all weights that count are alike these are the values themselves.

    Returns:
        Shape (n,), n at most N.
    """
    values, weights = scores
    if weights is None:
        return values
    counted = weights > 0
    values, weights = values[counted], weights[counted]
    if not len(values) or bool((weights == weights[0]).all()):
        return values
    v, w = values.double(), weights.double()
    ratio = (w * v).sum() / w.sum()
    return (ratio + w * (v - ratio) / w.mean()).to(values.dtype)


def concatenated(parts: Sequence[Weighted]) -> Weighted:
    """The samples of several batches, one after another."""
    values = torch.cat([p.values for p in parts])
    if all(p.weights is None for p in parts):
        return Weighted(values)
    held = [torch.ones_like(p.values) if p.weights is None else p.weights for p in parts]
    return Weighted(values, torch.cat(held))
