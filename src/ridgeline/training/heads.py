"""Losses of many members at once with their derivatives, written out.

A *head* takes outputs (K, B, ..., C) and targets (K, B, ...) of K members to each member's mean
loss, its number of misses, and the derivative of the loss by the outputs. Written out, because
automatic differentiation of torch's own takes twice as long on few classes, and once more under
`vmap`; a test holds them to it in float64.

Shapes: K members, B samples, T positions of a sequence (any number of axes), C classes.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ridgeline import io
from ridgeline.data.sets import IGNORED
from ridgeline.errors import ForwardFailed, UsageError
from ridgeline.objective.forms import Labels, labels_of, positions_of
from ridgeline.objective.metrics import error
from ridgeline.objective.torch_losses import torch_loss
from ridgeline.objective.weighted import mean, over_positions
from ridgeline.training.recipe import Recipe

__all__ = ["Head", "counted", "head_of", "written_out"]

Head = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""(outputs, targets) to (mean loss (K,), misses (K,), slope like outputs).

A miss is a sample whose largest logit is not its target's; a sequence counts by its share. NaN
where targets are not classes."""


def head_of(recipe: Recipe, targets: Tensor) -> Head:
    """The head of a recipe's loss.

    Args:
        recipe: Names the loss.
        targets: All targets of the data: whether some are to be ignored is looked up once.
    """
    if callable(recipe.loss):
        return partial(_own, recipe.loss, _said(recipe.loss, targets))
    if ":" in recipe.loss:
        own: Any = io.resolve_function(recipe.loss, kind="loss")
        return partial(_own, own, _said(own, targets))
    if recipe.loss == "squared_error":
        return _squared_error
    if recipe.loss == "binary_cross_entropy":
        return _binary_cross_entropy
    if targets.is_floating_point():
        raise UsageError(
            "The cross entropy takes class numbers as targets.",
            got=f"targets of {targets.dtype}",
            remedy='Convert them, or train with loss="squared_error".',
        )
    ignoring = bool((targets == IGNORED).any())
    return partial(_cross_entropy, smoothing=recipe.label_smoothing, ignoring=ignoring)


def written_out(head: Head) -> bool:
    """True if a head is one of these, not of a loss of the caller's."""
    return not (isinstance(head, partial) and head.func is _own)


def counted(head: Head, targets: Tensor) -> Tensor:
    """The samples of each member that have a target which counts; shape (K,).

    Args:
        head: Of `head_of`.
        targets: Shape (K, B, ...).
    """
    ignored = None
    if isinstance(head, partial):
        said = head.args[1] if head.func is _own else None
        ignored = IGNORED if head.keywords.get("ignoring") else getattr(said, "ignored", None)
    if ignored is not None:
        held = targets != ignored
        return (held.flatten(2).any(2) if held.ndim > 2 else held).sum(1)
    return torch.full((len(targets),), targets.shape[1], device=targets.device)


def _cross_entropy(
    outputs: Tensor, targets: Tensor, *, smoothing: float, ignoring: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Softmax cross entropy, the mean over positions and then over samples."""
    if outputs.ndim < 3 or outputs.shape[:-1] != targets.shape:
        raise UsageError(
            "Classification takes outputs (N, ..., C) and integer targets (N, ...).",
            got=f"outputs {tuple(outputs.shape[1:])}, targets {tuple(targets.shape[1:])}",
            remedy="Move the class axis last.",
        )
    targets = targets.long()  # of two classes they may be bool
    classes, samples = outputs.shape[-1], outputs.shape[1]
    labels = targets.masked_fill(targets == IGNORED, 0) if ignoring else targets
    top, guess = outputs.max(-1, keepdim=True)
    # The largest logit first: a confident sample's loss would drown in rounding otherwise.
    shifted = outputs - top
    powers = shifted.exp()
    total = powers.sum(-1, keepdim=True)
    own = labels.unsqueeze(-1)
    values = total.log() - shifted.gather(-1, own)
    slope = (powers / total).scatter_add(
        -1, own, torch.full_like(top, smoothing - 1.0, dtype=outputs.dtype)
    )
    if smoothing:
        # (1 - e) own + e mean over classes, of -log p = log total - shifted
        every = total.log() - shifted.mean(-1, keepdim=True)
        values = (1 - smoothing) * values + smoothing * every
        slope = slope - smoothing / classes
    wrong = (guess != own).to(outputs.dtype)
    if ignoring:
        counted = (targets != IGNORED).to(outputs.dtype)
        of_sample = counted.flatten(2).sum(2) if counted.ndim > 2 else counted
        # A sample of which nothing counts has no part in the mean, as torch has it: the others
        # weigh as they would without it. Where nothing counts at all the step is of zeros.
        live = (of_sample > 0).sum(1).clamp(min=1).to(outputs.dtype)
        share = counted / of_sample.clamp(min=1).reshape(
            *counted.shape[:2], *[1] * (counted.ndim - 2)
        )
        share = share.unsqueeze(-1)
        loss = (values * share).flatten(1).sum(1) / live
        share_of_all = share / live.reshape(-1, *[1] * (share.ndim - 1))
        return loss, (wrong * share).flatten(1).sum(1), slope * share_of_all
    positions = math.prod(targets.shape[2:])
    missed = wrong.flatten(1).sum(1) / positions
    return values.flatten(1).mean(1), missed, slope / (samples * positions)


def _squared_error(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean over a sample's outputs of the squared difference."""
    matched = _matched(outputs, targets)
    apart = outputs - matched
    slope = apart * (2 / math.prod(outputs.shape[1:]))
    return apart.square().flatten(1).mean(1), _no_misses(outputs), slope


def _binary_cross_entropy(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logistic cross entropy of logits against targets in [0, 1]."""
    matched = _matched(outputs, targets)
    # log(1 + exp(z)) - y z, written so that no power overflows
    values = outputs.clamp(min=0) - outputs * matched + (-outputs.abs()).exp().log1p()
    slope = (outputs.sigmoid() - matched) / math.prod(outputs.shape[1:])
    return values.flatten(1).mean(1), _no_misses(outputs), slope


def _own(
    loss: Callable[[Tensor, Tensor], Tensor],
    said: Labels | None,
    outputs: Tensor,
    targets: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """A loss of the caller's, by automatic differentiation, one member after another."""
    with torch.enable_grad():
        leaf = outputs.detach().requires_grad_()
        try:
            each = [_mean(loss, *pair) for pair in zip(leaf, targets, strict=True)]
            values = torch.stack(each)
        except Exception as failure:
            raise ForwardFailed("The loss", "training", failure) from failure
        (slope,) = torch.autograd.grad(values.sum(), leaf)
    values = values.detach()
    labels = _labels(said, outputs, targets)
    if labels is None:
        return values, _no_misses(outputs), slope
    pairs = zip(outputs, targets, strict=True)
    ignoring = {"ignore_index": labels.ignored, "dim": labels.dim}
    wrong = [error(o, t, **ignoring).nan_to_num(0).sum() for o, t in pairs]
    return values, torch.stack(wrong), slope


def _mean(loss: Callable[[Tensor, Tensor], Tensor], outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean of a loss over a batch: its own, or over the samples that count."""
    at = positions_of(loss)
    return (
        loss(outputs, targets).mean() if at is None else mean(over_positions(*at(outputs, targets)))
    )


def _said(loss: Any, targets: Tensor) -> Labels | None:
    """The convention of classes that a loss has by itself; None where it says nothing."""
    try:
        known = torch_loss(loss)
    except UsageError:  # it is called as it is, and need not be one of outputs and targets
        return None
    return labels_of(loss) if known is None else known.labels(targets)


def _labels(said: Labels | None, outputs: Tensor, targets: Tensor) -> Labels | None:
    """Return how targets (K, B, ...) are classes of outputs; None if they are none, or in two ways.

    A loss that says nothing is taken to be of classes where one axis only can be theirs.
    """
    if targets.is_floating_point() or outputs.ndim < 3:
        return None
    shape = list(outputs.shape[1:])
    fits = [d for d in {1, len(shape) - 1} if shape[:d] + shape[d + 1 :] == list(targets.shape[1:])]
    if said is None and len(fits) == 1:
        said = Labels(dim=fits[0])
    if said is None or said.dim % len(shape) not in fits or shape[said.dim] < 2:
        return None
    return said


def _matched(outputs: Tensor, targets: Tensor) -> Tensor:
    """Targets in the shape and type of outputs; one output of a sample may lack its axis."""
    if outputs.ndim == targets.ndim + 1 and outputs.shape[-1] == 1:
        targets = targets.unsqueeze(-1)
    if outputs.shape != targets.shape:
        raise UsageError(
            "This loss takes outputs and targets of one shape.",
            got=f"{tuple(outputs.shape[1:])} and {tuple(targets.shape[1:])}",
            remedy="Broadcasting would compare every sample with every other.",
        )
    return targets.to(outputs.dtype)


def _no_misses(outputs: Tensor) -> Tensor:
    return torch.full((len(outputs),), math.nan, dtype=outputs.dtype, device=outputs.device)
