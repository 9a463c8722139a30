"""Losses, one number per sample.

A loss is any callable ``(outputs, targets) -> (N,)``; those of `torch.nn` are taken, too.
"""

import torch.nn.functional as F
from torch import Tensor

from ridgeline.objective.forms import AtPositions, aligned, by_position, classes_last, number

__all__ = ["binary_cross_entropy", "cross_entropy", "squared_error"]

FEW_CLASSES = 64


def _cross_entropy(
    outputs: Tensor,
    targets: Tensor,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    dim: int = -1,
) -> AtPositions:
    outputs, targets = classes_last(outputs, targets, dim)
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
    return values.reshape(targets.shape), targets != ignore_index


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


@by_position(_cross_entropy, classes=True)
def cross_entropy(
    outputs: Tensor,
    targets: Tensor,
    *,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    dim: int = -1,
) -> Tensor:
    """Softmax cross entropy in nats: ``-log softmax(outputs)[target]``.

    Args:
        outputs: Logits, shape (N, ..., C).
        targets: Class indices, shape (N, ...).
        label_smoothing: Share of the target's weight spread over all classes.
        ignore_index: Positions with this target do not count.
        dim: The axis of the classes: the last, where losses of `torch.nn` have it at 1.

    Returns:
        Shape (N,); with further axes (positions of a sequence) their mean over those that count;
        NaN for a sample of which nothing counts, which an `Objective` leaves out.
    """
    more = {"label_smoothing": label_smoothing, "ignore_index": ignore_index, "dim": dim}
    return number(_cross_entropy(outputs, targets, **more))


def _squared_error(outputs: Tensor, targets: Tensor) -> AtPositions:
    outputs, targets = aligned(outputs, targets, "Squared error")
    return (outputs - targets).square(), None


@by_position(_squared_error)
def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean over a sample's outputs of the squared difference, shape (N,)."""
    return number(_squared_error(outputs, targets))


def _binary_cross_entropy(outputs: Tensor, targets: Tensor) -> AtPositions:
    outputs, targets = aligned(outputs, targets, "Binary cross entropy")
    return F.binary_cross_entropy_with_logits(outputs, targets, reduction="none"), None


@by_position(_binary_cross_entropy)
def binary_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Logistic cross entropy in nats of logits against targets in [0, 1], shape (N,)."""
    return number(_binary_cross_entropy(outputs, targets))
