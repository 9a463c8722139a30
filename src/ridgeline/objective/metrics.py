"""Metrics, one number per sample.

A metric is any callable ``(outputs, targets) -> (N,)``. An `Objective` gives those of classes the
ignored label and the axis of the classes that its loss has.
"""

from functools import partial
from typing import Any

from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.objective.forms import (
    AtPositions,
    Metric,
    aligned,
    by_position,
    classes_last,
    number,
)

__all__ = ["accuracy", "binary_accuracy", "binary_error", "error", "top_k"]


def _error(
    outputs: Tensor, targets: Tensor, ignore_index: int = -100, dim: int = -1
) -> AtPositions:
    logits, labels = classes_last(outputs, targets, dim)
    return (logits.argmax(-1) != labels).to(outputs.dtype), labels != ignore_index


@by_position(_error, classes=True)
def error(outputs: Tensor, targets: Tensor, *, ignore_index: int = -100, dim: int = -1) -> Tensor:
    """1 where the largest logit is not the target's, else 0; the mean is the error rate.

    With further axes (positions of a sequence) the share of positions that count. In an
    `Objective` the ignored label and the axis of the classes are those of its loss.

    Args:
        outputs: Logits, shape (N, ..., C).
        targets: Class indices, shape (N, ...).
        ignore_index: Positions with this target do not count.
        dim: The axis of the classes.
    """
    return number(_error(outputs, targets, ignore_index, dim))


def _accuracy(outputs: Tensor, targets: Tensor, **more: Any) -> AtPositions:
    wrong, counted = _error(outputs, targets, **more)
    return 1 - wrong, counted


@by_position(_accuracy, higher_is_better=True, classes=True)
def accuracy(
    outputs: Tensor, targets: Tensor, *, ignore_index: int = -100, dim: int = -1
) -> Tensor:
    """1 where the largest logit is the target's, else 0; the mean is the accuracy."""
    return 1 - error(outputs, targets, ignore_index=ignore_index, dim=dim)


def _binary_error(outputs: Tensor, targets: Tensor, threshold: float = 0.0) -> AtPositions:
    outputs, targets = aligned(outputs, targets, "Binary error")
    return ((outputs > threshold) != (targets > 0.5)).to(outputs.dtype), None


@by_position(_binary_error)
def binary_error(outputs: Tensor, targets: Tensor, *, threshold: float = 0.0) -> Tensor:
    """1 where a single logit is on the wrong side of its target, else 0; shape (N,).

    Args:
        outputs: One logit per target; a further axis of length 1 is left out.
        targets: 0 or 1 (or -1 and 1).
        threshold: What a logit exceeds where 1 is predicted; 0.5 for probabilities.
    """
    return number(_binary_error(outputs, targets, threshold))


def _binary_accuracy(outputs: Tensor, targets: Tensor, **more: Any) -> AtPositions:
    wrong, counted = _binary_error(outputs, targets, **more)
    return 1 - wrong, counted


@by_position(_binary_accuracy, higher_is_better=True)
def binary_accuracy(outputs: Tensor, targets: Tensor, *, threshold: float = 0.0) -> Tensor:
    """1 where a single logit is on its target's side, else 0; see `binary_error`."""
    return 1 - binary_error(outputs, targets, threshold=threshold)


def _top_k(
    outputs: Tensor, targets: Tensor, k: int, ignore_index: int = -100, dim: int = -1
) -> AtPositions:
    logits, labels = classes_last(outputs, targets, dim)
    if k > logits.shape[-1]:
        raise UsageError(
            "The k largest logits are of at least k classes.",
            got=f"k = {k} and {logits.shape[-1]} classes",
        )
    hit = (logits.topk(k, dim=-1).indices == labels[..., None]).any(-1)
    return (~hit).to(outputs.dtype), labels != ignore_index


@by_position(_top_k, classes=True)
def _top_k_error(outputs: Tensor, targets: Tensor, k: int, **more: Any) -> Tensor:
    return number(_top_k(outputs, targets, k, **more))


def top_k(k: int) -> Metric:
    """The error that forgives a target among the k largest logits.

    Args:
        k: At least 1.

    Returns:
        A metric; the mean of its values is the top-k error.
    """
    if k < 1:
        raise UsageError("k is at least 1.", got=f"{k}")
    return partial(_top_k_error, k=k)
