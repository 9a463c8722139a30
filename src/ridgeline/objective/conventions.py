"""Conventions: how loss and metrics read the targets, and what goes with what.

Which labels do not count and which axis the classes are on is the loss' convention; the error,
the accuracy and the top-k error that go with it follow, unless they were given their own.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.objective.criteria import Criterion, Weights
from ridgeline.objective.declared import Directed, Masked, bare, direction, sounds_higher
from ridgeline.objective.forms import Labels, Metric, as_labels, labels_of, positions_of, unwrapped
from ridgeline.objective.losses import binary_cross_entropy
from ridgeline.objective.metrics import accuracy, binary_accuracy, binary_error, error
from ridgeline.objective.torch_losses import TorchLoss, torch_loss

__all__ = ["Binary", "convention", "criteria", "of_classes", "on_trust"]


class Binary(NamedTuple):
    """The convention of a single logit: what it exceeds where 1 is predicted."""

    threshold: float = 0.0


def criteria(
    loss: Metric,
    metrics: Mapping[str, Metric] | None,
    outputs: Any,
    targets: Any,
    *,
    weights: Weights,
    device: torch.device,
    dtype: torch.dtype,
) -> dict[str, Criterion]:
    """Loss and metrics as an objective asks for them.

    Args:
        loss: As given.
        metrics: As given; by default the error, where the loss is of classes or of one logit.
        outputs: Of a few samples.
        targets: Of all samples.
        weights: What means are over.
        device: Where they are computed.
        dtype: Floating type of class weights.

    Raises:
        UsageError: If a loss is not one of outputs and targets, has no mean over tokens, or a
            metric's name is of the other direction than the metric.
    """
    form = _form(loss)
    like = convention(loss, form, outputs, targets)
    if metrics is None:
        metrics = {} if like is None else {"error": error}
    if "loss" in metrics:
        raise UsageError("The name 'loss' is that of the loss.", got="a metric called 'loss'")
    found: dict[str, Criterion] = {}
    for name, given in {"loss": loss, **metrics}.items():
        function = given if name == "loss" else _adapted(given, like)
        form = _form(function)
        if isinstance(form, TorchLoss):
            form = form.to(device, dtype)
        _check_direction(name, function, form)
        _check_tokens(name, form, weights)
        labels = _labels(function, form, targets)
        everywhere = labels is None or not _some(targets, labels.ignored)
        found[name] = Criterion(
            name,
            function,
            form,
            bool(direction(function)),
            weights,
            everywhere and _plain(function),
        )
    return found


def _some(targets: Any, ignored: int) -> bool:
    return isinstance(targets, Tensor) and bool((targets == ignored).any())


def _plain(function: Metric) -> bool:
    while isinstance(function, Directed):
        function = function.function
    return not isinstance(function, Masked)


def _form(function: Metric) -> Any:
    """A loss of torch or a function of positions; None for a function of the caller's own."""
    inner = bare(function)
    return torch_loss(inner) or positions_of(inner)


def convention(loss: Metric, form: Any, outputs: Any, targets: Any) -> Labels | Binary | None:
    """Return how metrics read the targets of a loss: as classes, as 0 and 1, or not at all.

    Args:
        loss: As given.
        form: What computes it.
        outputs: Of a few samples.
        targets: Of all samples.
    """
    labels = _labels(loss, form, targets)
    if labels is not None:
        return labels
    threshold = form.threshold() if isinstance(form, TorchLoss) else None
    if unwrapped(bare(loss)) is binary_cross_entropy:
        threshold = 0.0
    if threshold is None or not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
        return None
    one = outputs.ndim == 1 or 1 in (outputs.shape[1], outputs.shape[-1])
    hard = bool(((targets == 0) | (targets == 1)).all() | ((targets == 1) | (targets == -1)).all())
    return Binary(threshold) if one and hard else None


def on_trust(metrics: Mapping[str, Criterion], outputs: Any, targets: Any) -> str:
    """Return a note where shapes allow two axes of classes and nobody said which; else nothing.

    Args:
        metrics: The loss, under that name, and the others.
        outputs: Of a few samples.
        targets: Of all samples.
    """
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor) or outputs.ndim < 3:
        return ""
    shape = list(outputs.shape[1:])
    if as_labels(targets) and shape[1:] == shape[:-1] == list(targets.shape[1:]):
        loss = metrics["loss"]
        asked = [loss] if loss.labels(targets) is not None else list(metrics.values())
        inner = [bare(c.function) for c in asked if c.labels(targets) is not None and c.by_default]
        if inner:
            name = getattr(unwrapped(inner[0]), "__name__", "").lstrip("_")
            return (
                f"Outputs (N, {', '.join(map(str, shape))}) have as many classes as positions: "
                f"`{name}` takes the last axis for the classes. If they are on axis 1, as losses "
                f"of torch.nn have them, give one of those, or `functools.partial(rl.{name}, "
                "dim=1)`; with `dim=-1` this is not said again."
            )
    return ""


def of_classes(loss: Metric) -> bool:
    """True if a loss compares outputs with labels, so that data without them are of no use."""
    form = _form(loss)
    return (
        form.kind == "classes" if isinstance(form, TorchLoss) else labels_of(bare(loss)) is not None
    )


def _adapted(metric: Metric, like: Labels | Binary | None) -> Metric:
    """A metric of classes with the convention of the loss, where it was given none itself."""
    if isinstance(metric, Directed):
        return Directed(_adapted(metric.function, like), metric.higher_is_better)
    if isinstance(metric, Masked):
        return Masked(_adapted(metric.function, like), metric.mask)
    if isinstance(like, Binary):
        binary = {error: binary_error, accuracy: binary_accuracy}.get(metric)  # type: ignore[call-overload]
        return metric if binary is None else partial(binary, threshold=like.threshold)
    if like is None or labels_of(metric) is None:
        return metric
    bound = metric.keywords if isinstance(metric, partial) else {}
    wanted = {"ignore_index": like.ignored, "dim": like.dim}
    more = {k: v for k, v in wanted.items() if k not in bound}
    default = Labels() == like
    return metric if default or not more else partial(metric, **more)


def _check_direction(name: str, function: Metric, form: Any) -> None:
    """Refuse a metric that is plainly one of which more is wanted and does not say so."""
    if direction(function) is not None or form is not None:
        return
    own = getattr(unwrapped(bare(function)), "__name__", type(bare(function)).__name__)
    if any(sounds_higher(said) for said in (name, own)):
        raise UsageError(
            "Of a metric less is better, unless it says otherwise.",
            got=f"{'the loss' if name == 'loss' else f'the metric {name!r}'} ({own}), whose name "
            "says that more is",
            remedy="Declare it: `rl.higher(f)`; or `rl.lower(f)` if less is better.",
        )


def _check_tokens(name: str, form: Any, weights: Weights) -> None:
    """Refuse what has no mean over tokens."""
    if weights != "tokens":
        return
    if isinstance(form, TorchLoss) and form.total:
        raise UsageError(
            "A mean over tokens is of a loss that is itself a mean over them.",
            got=f"{form.name}(reduction={form.reduction!r}), for {name!r}",
            remedy="Take the mean over samples, which is the default.",
        )


def _labels(function: Metric, form: Any, targets: Any) -> Labels | None:
    """The convention of classes that a loss or metric follows itself."""
    return form.labels(targets) if isinstance(form, TorchLoss) else labels_of(bare(function))
