"""Facts that a metric cannot say by itself: its direction, and the samples that it is of."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from ridgeline.errors import WrongKind
from ridgeline.objective.forms import Metric

__all__ = ["Directed", "Masked", "bare", "direction", "higher", "lower", "masked", "sounds_higher"]


@dataclass(frozen=True, eq=False)
class Directed:
    """A metric with its direction; see `higher`."""

    function: Metric
    higher_is_better: bool

    def __call__(self, outputs: Any, targets: Any) -> Any:
        """The metric itself."""
        return self.function(outputs, targets)


@dataclass(frozen=True, eq=False)
class Masked:
    """A metric of some samples, or positions, only; see `masked`."""

    function: Metric
    mask: Callable[[Any, Any], Tensor]

    def __call__(self, outputs: Any, targets: Any) -> Any:
        """The metric itself, of all."""
        return self.function(outputs, targets)


def higher(metric: Metric) -> Metric:
    """Declare that more of a metric is better, as of an accuracy.

    Barriers, bumps and the words about them take lower values as better where nothing is said.

    Args:
        metric: ``(outputs, targets) -> (N,)``; left as it is.

    Returns:
        The same metric, for ``Objective(..., metrics={"accuracy": rl.higher(f)})``.

    Raises:
        WrongKind: If it cannot be called.
    """
    return Directed(_callable(metric), True)


def lower(metric: Metric) -> Metric:
    """Declare that less of a metric is better; for one whose name suggests the contrary.

    Args:
        metric: ``(outputs, targets) -> (N,)``; left as it is.

    Raises:
        WrongKind: If it cannot be called.
    """
    return Directed(_callable(metric), False)


def masked(metric: Metric, mask: Callable[[Any, Any], Tensor]) -> Metric:
    """A metric of the samples, or positions, where a mask is true.

    Its n, mean and standard error are of the samples in which something counts::

        metrics={"error on sevens": rl.masked(rl.error, lambda outputs, targets: targets == 7)}

    Args:
        metric: A loss or metric.
        mask: ``(outputs, targets)`` to booleans of shape (N,); or, for one that is computed at
            positions (the cross entropy, the error, losses of `torch.nn`), of its targets' shape.

    Raises:
        WrongKind: If one of them cannot be called.
    """
    if not callable(mask):
        raise WrongKind("A mask is a function of outputs and targets.", mask, name="mask")
    return Masked(_callable(metric), mask)


def _callable(metric: Any) -> Metric:
    if not callable(metric) or isinstance(metric, type):
        raise WrongKind("A metric is a function of outputs and targets.", metric, name="metric")
    return metric


def bare(function: Any) -> Any:
    """A metric without what is declared of it."""
    return bare(function.function) if isinstance(function, Directed | Masked) else function


def direction(function: Any) -> bool | None:
    """True if more of a metric is better, where it says so; None if it does not.

    It says so by `higher` or `lower`, or by an attribute `higher_is_better`, as the functions of
    this library and the metrics of `torchmetrics` have it.
    """
    said = getattr(function, "higher_is_better", None)
    if said is not None:
        return bool(said)
    if isinstance(function, partial):
        return direction(function.func)
    return direction(function.function) if isinstance(function, Masked) else None


HIGHER = {
    *("accuracy", "acc", "accuracies", "f1", "fbeta", "auc", "auroc", "auprc", "aucpr", "r2"),
    *("precision", "recall", "sensitivity", "specificity", "iou", "miou", "jaccard", "dice"),
    *(
        "bleu",
        "rouge",
        "meteor",
        "psnr",
        "ssim",
        "kappa",
        "mcc",
        "ndcg",
        "mrr",
        "correct",
        "similarity",
    ),
}
WHOLE = r"m?ap@?\d*|r[ _-]?squared|(pearson|spearman|kendall)\w*"
LOWER = {"error", "errors", "err", "loss", "distance", "gap", "miss", "misses", "drop", "neg"}


def sounds_higher(name: str) -> bool:
    """True if a metric of such a name is plainly one of which more is wanted.

    Words inside of the name are looked at, so that ``val_acc``, ``Top1Accuracy`` and ``mIoU``
    are, and ``dice_loss`` and ``accuracy gap`` are not.
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", name)
    words = {w.lower() for w in re.findall(r"[A-Za-z]+\d*|\d+", apart)}
    joined = {re.sub(r"\d+$", "", w) for w in words if w not in HIGHER}  # acc5, dice2
    if words & LOWER:
        return False
    return bool((words | joined) & HIGHER) or re.fullmatch(WHOLE, name, re.I) is not None
