"""Losses and metrics, one number per sample.

A loss or metric is any callable ``(outputs, targets) -> (N,)``. A loss of `torch.nn` is taken
too: it is asked for its unreduced values. `higher_is_better` on a metric tells the measures
which way is up; lower is better where nothing is said.
"""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ridgeline.errors import UsageError

__all__ = [
    "Metric",
    "accuracy",
    "binary_cross_entropy",
    "cross_entropy",
    "error",
    "higher_is_better",
    "ignored_label",
    "per_sample",
    "squared_error",
    "top_k",
]

FEW_CLASSES = 64

Metric = Callable[[Any, Any], Tensor]
"""``(outputs, targets) -> (N,)``."""


def _over_samples(values: Tensor) -> Tensor:
    """Mean over all axes but the first."""
    return values.flatten(1).mean(1) if values.ndim > 1 else values


def _over_counted(values: Tensor, targets: Tensor, ignored: int = -100) -> Tensor:
    """Mean over all axes but the first, of the positions whose target is not the ignored one."""
    counted = targets != ignored
    values = values * counted
    return values if values.ndim == 1 else values.flatten(1).sum(1) / counted.flatten(1).sum(1)


def _classes_last(outputs: Tensor, targets: Tensor) -> None:
    if outputs.ndim < 2 or outputs.shape[:-1] != targets.shape:
        raise UsageError(
            "Classification takes outputs (N, ..., C) and integer targets (N, ...).",
            got=f"outputs {tuple(outputs.shape)}, targets {tuple(targets.shape)}",
            remedy="Move the class axis last, or pass your own loss(outputs, targets) -> (N,).",
        )


def cross_entropy(
    outputs: Tensor, targets: Tensor, *, label_smoothing: float = 0.0, ignore_index: int = -100
) -> Tensor:
    """Softmax cross entropy in nats: ``-log softmax(outputs)[target]``.

    Args:
        outputs: Logits, shape (N, ..., C).
        targets: Class indices, shape (N, ...).
        label_smoothing: Share of the target's weight spread over all classes.
        ignore_index: Positions with this target do not count.

    Returns:
        Shape (N,); with further axes (positions of a sequence) their mean over those that count.
    """
    _classes_last(outputs, targets)
    logits, labels = outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1)
    if label_smoothing == 0 and logits.shape[-1] <= FEW_CLASSES:
        values = _few_classes(logits, labels, ignore_index)
    else:
        values = F.cross_entropy(
            logits,
            labels,
            reduction="none",
            label_smoothing=label_smoothing,
            ignore_index=ignore_index,
        )
    return _over_counted(values.reshape(targets.shape), targets, ignore_index)


def _few_classes(logits: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
    """Cross entropy over a short axis, which torch's kernel is slow on.

    1437 rows of 10 take 70 us in place of 163. The largest logit is subtracted first, as torch
    does: the loss of a confident sample would drown in the rounding of its logits otherwise.
    """
    ignored = labels == ignore_index
    shifted = logits - logits.amax(-1, keepdim=True)
    own = shifted.gather(-1, labels.masked_fill(ignored, 0)[:, None])[:, 0]
    if shifted.requires_grad:  # what is to be differentiated must not be overwritten
        return (shifted.exp().sum(-1).log() - own).masked_fill(ignored, 0)
    return (shifted.exp_().sum(-1).log_() - own).masked_fill_(ignored, 0)


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean over a sample's outputs of the squared difference, shape (N,)."""
    if outputs.ndim == targets.ndim + 1 and outputs.shape[-1] == 1:
        outputs = outputs.squeeze(-1)
    if outputs.shape != targets.shape:
        raise UsageError(
            "Squared error takes outputs and targets of one shape.",
            got=f"{tuple(outputs.shape)} and {tuple(targets.shape)}",
            remedy="Broadcasting would compare every sample with every other.",
        )
    return _over_samples((outputs - targets.to(outputs.dtype)).square())


def binary_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Logistic cross entropy in nats of logits against targets in [0, 1], shape (N,)."""
    if outputs.ndim == targets.ndim + 1 and outputs.shape[-1] == 1:
        outputs = outputs.squeeze(-1)
    return _over_samples(
        F.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype), reduction="none")
    )


def error(outputs: Tensor, targets: Tensor) -> Tensor:
    """1 where the largest logit is not the target's, else 0; the mean is the error rate.

    With further axes (positions of a sequence) the share of positions; targets of -100 do not
    count, as in the cross entropy.
    """
    _classes_last(outputs, targets)
    return _over_counted((outputs.argmax(-1) != targets).to(outputs.dtype), targets)


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """1 where the largest logit is the target's, else 0; the mean is the accuracy."""
    return 1 - error(outputs, targets)


accuracy.higher_is_better = True  # type: ignore[attr-defined]  # read by `higher_is_better`


def _top_k_error(outputs: Tensor, targets: Tensor, k: int) -> Tensor:
    _classes_last(outputs, targets)
    hit = (outputs.topk(k, dim=-1).indices == targets[..., None]).any(-1)
    return _over_counted((~hit).to(outputs.dtype), targets)


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


def higher_is_better(function: Metric) -> bool:
    """Whether a metric is one of which more is wanted."""
    return bool(getattr(function, "higher_is_better", False))


def ignored_label(function: Metric) -> int | None:
    """The label that a loss or metric of classes leaves out; None if it is not one of classes."""
    if isinstance(function, nn.CrossEntropyLoss | nn.NLLLoss):
        return function.ignore_index
    bound = function.keywords if isinstance(function, partial) else {}
    plain = function.func if isinstance(function, partial) else function
    known = plain in (cross_entropy, error, accuracy, _top_k_error)
    return int(bound.get("ignore_index", -100)) if known else None


def per_sample(function: Metric) -> Metric:
    """A loss as a function that gives one number per sample.

    A module such as ``nn.CrossEntropyLoss()`` is copied with ``reduction="none"`` and averaged
    over all axes but the first; any other callable is taken at its word.
    """
    if isinstance(function, nn.Module) and hasattr(function, "reduction"):
        if getattr(function, "weight", None) is not None:
            raise UsageError(
                "A loss is a mean over samples, each counted once.",
                got=f"{type(function).__name__} with class weights, whose mean divides by them",
                remedy="Pass loss(outputs, targets) -> (N,) with the weights as you mean them.",
            )
        unreduced = copy.deepcopy(function)
        vars(unreduced)["reduction"] = "none"
        return lambda outputs, targets: _over_samples(unreduced(outputs, targets))
    return function


def measured(name: str, function: Metric, outputs: Any, targets: Any, count: int) -> Tensor:
    """What a loss or metric gives; refusals name it, also that of what is no number per sample."""
    try:
        values = function(outputs, targets)
    except UsageError as refused:
        by = "the loss" if name == "loss" else f"the metric {name!r}"
        raise UsageError(
            refused.rule, got=f"{refused.got}, for {by}", remedy=refused.remedy
        ) from refused
    if not isinstance(values, Tensor) or values.shape != (count,):
        shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise UsageError(
            f"The metric {name!r} must return one number per sample, shape (N,).",
            got=f"{shape} for {count} samples",
            remedy="Use reduction='none' and average over all axes but the first; a mean over "
            "the batch hides what the standard error is computed from.",
        )
    return values if values.is_floating_point() else values.to(torch.get_default_dtype())
