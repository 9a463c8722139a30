"""Forms of losses and metrics: what is computed at positions, conventions of classes, shapes.

Whatever averages over positions is first computed at each of them, with a mask of those that
count; an objective weighs samples from the same two. A function that can say so carries the form
in its attribute `positions`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.objective.weighted import over_positions, where_counted

__all__ = [
    "AtPositions",
    "Labels",
    "Metric",
    "Positions",
    "aligned",
    "as_labels",
    "by_position",
    "classes_at",
    "classes_last",
    "labels_of",
    "number",
    "positions_of",
    "unwrapped",
]

Metric = Callable[[Any, Any], Any]
"""``(outputs, targets) -> (N,)``, or to a pair (N,), (N,) of values and what each weighs."""
AtPositions = tuple[Tensor, Tensor | None]
"""Values (N, ...) and, of one shape, what counts: a mask or weights; None where all do."""
Positions = Callable[[Any, Any], AtPositions]
"""``(outputs, targets)`` to values and what counts at each position."""


class Labels(NamedTuple):
    """A convention for outputs and targets that are of classes."""

    ignored: int = -100
    """The label that does not count."""
    dim: int = -1
    """The axis of outputs that the classes are on."""


def aligned(outputs: Tensor, targets: Tensor, what: str) -> tuple[Tensor, Tensor]:
    """Outputs and targets of one shape, an axis of length 1 that one of them lacks left out.

    Raises:
        UsageError: If their shapes differ in another way: they would be broadcast.
    """
    _tensor(targets, what)
    if outputs.shape != targets.shape:
        outputs, targets = _without_one(outputs, targets), _without_one(targets, outputs)
    if outputs.shape != targets.shape:
        raise UsageError(
            f"{what} takes outputs and targets of one shape.",
            got=f"{tuple(outputs.shape)} and {tuple(targets.shape)}",
            remedy="Broadcasting would compare every sample with every other. Reshape one in "
            "`forward=`, or in a loss(outputs, targets) -> (N,) of your own.",
        )
    return outputs, targets if targets.dtype.is_floating_point else targets.to(outputs.dtype)


def _tensor(targets: Any, what: str) -> None:
    if not isinstance(targets, Tensor):
        raise UsageError(
            f"{what} takes one tensor of targets.",
            got=f"targets that are a {type(targets).__name__}",
            remedy="Give a loss(outputs, targets) -> (N,) that takes what it needs out of them.",
        )


def _without_one(x: Tensor, other: Tensor) -> Tensor:
    """A tensor without the axis of length 1 that another does not have."""
    for axis in range(x.ndim - 1, 0, -1):
        if x.ndim == other.ndim + 1 and x.shape[axis] == 1 and x.squeeze(axis).shape == other.shape:
            return x.squeeze(axis)
    return x


def as_labels(targets: Any) -> bool:
    """Say if targets are labels: a tensor of integers."""
    return isinstance(targets, Tensor) and not targets.is_floating_point()


def classes_at(outputs: Tensor, targets: Tensor, dim: int, what: str) -> None:
    """Refuse shapes that are no classification with the classes on an axis.

    Args:
        outputs: Logits.
        targets: Class indices.
        dim: The axis of the classes: -1 or 1.
        what: The name of the loss or metric.

    Raises:
        UsageError: If the targets have not the outputs' shape without that axis.
    """
    _tensor(targets, what)
    shape, fits = tuple(outputs.shape), [False, False]
    if outputs.ndim >= 2 and as_labels(targets):
        fits = [(*shape[:d], *shape[d:][1:]) == tuple(targets.shape) for d in (1, len(shape) - 1)]
    last = dim % max(1, outputs.ndim) == outputs.ndim - 1
    if fits[last]:
        if shape[dim] > 1:
            return
        remedy = "A single logit: nn.BCEWithLogitsLoss() or `rl.binary_cross_entropy`, and "
        remedy += "`rl.binary_error`."
    elif fits[1]:
        remedy = "Here the classes are last: `rl.cross_entropy` and `rl.error` take them there."
    elif fits[0]:
        remedy = "Here the classes are axis 1, as losses of torch.nn have them: use one of those, "
        remedy += "or bind the axis, `functools.partial(rl.cross_entropy, dim=1)`."
    elif not as_labels(targets):
        remedy = "For targets that are no class indices: nn.CrossEntropyLoss(), `rl.squared_error` "
        remedy += "or `rl.binary_cross_entropy`, or a loss(outputs, targets) -> (N,) of your own."
    elif shape == tuple(targets.shape):
        remedy = "Of one-hot targets take `.argmax(1)`; or give nn.CrossEntropyLoss() "
        remedy += "probabilities, `targets.float()`."
    elif targets.shape == (*shape[:1], 1):
        remedy = "Give targets without their last axis: `targets.squeeze(-1)`."
    else:
        remedy = "Give a loss(outputs, targets) -> (N,) of your own."
    form = "(N, ..., C)" if dim == -1 else "(N, C, ...)"
    raise UsageError(
        f"{what} takes outputs {form} and integer targets (N, ...).",
        got=f"outputs {shape}, targets {tuple(targets.shape)} of {targets.dtype}",
        remedy=remedy,
    )


def classes_last(outputs: Tensor, targets: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Logits with the classes as their last axis, and labels, after a look at their shapes."""
    classes_at(outputs, targets, dim, "Classification")
    return outputs.movedim(dim, -1), targets.long()


def number(positions: AtPositions) -> Tensor:
    """One number per sample, NaN where nothing of it counts; shape (N,)."""
    return where_counted(over_positions(*positions))


def by_position(
    at: Callable[..., AtPositions], *, higher_is_better: bool = False, classes: bool = False
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Note on a loss or metric how it is computed at each position.

    Args:
        at: The same function before the mean over positions; takes the same arguments.
        higher_is_better: Its direction.
        classes: It takes `ignore_index` and `dim`.
    """

    def note(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        noted: Any = function
        noted.positions, noted.higher_is_better, noted.of_classes = at, higher_is_better, classes
        return function

    return note


def unwrapped(function: Any) -> Any:
    """A function without what `functools.partial` has bound of it."""
    return unwrapped(function.func) if isinstance(function, partial) else function


def positions_of(function: Metric) -> Positions | None:
    """The function that `by_position` noted, arguments bound; None where there is none."""
    at = getattr(unwrapped(function), "positions", None)
    if at is None or not isinstance(function, partial):
        return at
    return partial(at, *function.args, **function.keywords)


def labels_of(function: Metric) -> Labels | None:
    """The convention of a function of classes that `by_position` noted; None for another."""
    if not getattr(unwrapped(function), "of_classes", False):
        return None
    bound = function.keywords if isinstance(function, partial) else {}
    return Labels(int(bound.get("ignore_index", -100)), int(bound.get("dim", -1)))
