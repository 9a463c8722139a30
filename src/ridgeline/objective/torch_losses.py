"""Losses of torch, per sample: each exactly as its own reduction means it, or refused.

``reduction="mean"`` is the mean over the positions of a sample that count, ``"batchmean"`` the sum
over a sample: what the loss gives of that sample alone. A sum over the data is no mean of
samples, and is refused. The classes are on axis 1. Class weights make the mean a ratio, whose
denominator the weights of samples carry.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ridgeline.errors import UsageError
from ridgeline.objective.forms import AtPositions, Labels, aligned, as_labels, classes_at, unwrapped

__all__ = ["TorchLoss", "torch_loss"]

CLASSES = (nn.CrossEntropyLoss, nn.NLLLoss)
ALIKE = (
    *(nn.L1Loss, nn.MSELoss, nn.SmoothL1Loss, nn.HuberLoss, nn.BCELoss, nn.BCEWithLogitsLoss),
    *(nn.SoftMarginLoss, nn.PoissonNLLLoss, nn.HingeEmbeddingLoss, nn.KLDivLoss),
)
"""Losses of outputs and targets of one shape."""
ROWS = (nn.MultiLabelMarginLoss, nn.MultiLabelSoftMarginLoss, nn.MultiMarginLoss)
"""One number for each row of outputs (N, C)."""
OTHER_ARGUMENTS = (
    *(nn.GaussianNLLLoss, nn.CosineEmbeddingLoss, nn.MarginRankingLoss, nn.TripletMarginLoss),
    *(nn.TripletMarginWithDistanceLoss, nn.CTCLoss, nn.AdaptiveLogSoftmaxWithLoss),
    *(getattr(nn, name) for name in ("LinearCrossEntropyLoss",) if hasattr(nn, name)),
)
FUNCTIONAL: dict[Any, type[nn.Module]] = {
    F.cross_entropy: nn.CrossEntropyLoss,
    F.nll_loss: nn.NLLLoss,
    F.l1_loss: nn.L1Loss,
    F.mse_loss: nn.MSELoss,
    F.smooth_l1_loss: nn.SmoothL1Loss,
    F.huber_loss: nn.HuberLoss,
    F.binary_cross_entropy: nn.BCELoss,
    F.binary_cross_entropy_with_logits: nn.BCEWithLogitsLoss,
    F.soft_margin_loss: nn.SoftMarginLoss,
    F.poisson_nll_loss: nn.PoissonNLLLoss,
    F.hinge_embedding_loss: nn.HingeEmbeddingLoss,
    F.kl_div: nn.KLDivLoss,
    F.multilabel_margin_loss: nn.MultiLabelMarginLoss,
    F.multilabel_soft_margin_loss: nn.MultiLabelSoftMarginLoss,
    F.multi_margin_loss: nn.MultiMarginLoss,
    F.gaussian_nll_loss: nn.GaussianNLLLoss,
    F.cosine_embedding_loss: nn.CosineEmbeddingLoss,
    F.margin_ranking_loss: nn.MarginRankingLoss,
    F.triplet_margin_loss: nn.TripletMarginLoss,
    F.triplet_margin_with_distance_loss: nn.TripletMarginWithDistanceLoss,
    F.ctc_loss: nn.CTCLoss,
}
UNREDUCED = "none"
OWN = (
    "Pass loss(outputs, targets) -> (N,): with `reduction='none'`, averaged over all axes but the "
    "first."
)


@dataclass(frozen=True, eq=False)
class TorchLoss:
    """A loss of torch, or a module with a `reduction` of its own, for an objective.

    Args:
        module: A copy with ``reduction="none"``.
        reduction: The caller's.
        kind: One of ``"classes"``, ``"alike"``, ``"rows"``, ``"own"``.
        original: A copy as it was given, to be compared with.
    """

    module: nn.Module
    reduction: str
    kind: str
    original: nn.Module

    @property
    def name(self) -> str:
        """Name of its class."""
        return type(self.module).__name__

    @property
    def total(self) -> bool:
        """True if it is the sum over a sample, and not the mean."""
        return self.reduction == "batchmean"

    def to(self, device: torch.device, dtype: torch.dtype) -> "TorchLoss":
        """With its tensors (class weights) on a device, in a floating type."""
        moved = (copy.deepcopy(m).to(device, dtype) for m in (self.module, self.original))
        module, original = moved
        return replace(self, module=module, original=original)

    def labels(self, targets: Any) -> Labels | None:
        """The convention of classes that it follows; None where targets are no labels."""
        if self.kind != "classes" or not as_labels(targets):
            return None
        ignored: Any = self.module.ignore_index
        return Labels(int(ignored), 1)

    def threshold(self) -> float | None:
        """The output above which a single one predicts 1; None for losses of other things."""
        known = {nn.BCELoss: 0.5, nn.BCEWithLogitsLoss: 0.0, nn.SoftMarginLoss: 0.0}
        return next((x for kind, x in known.items() if _is(self.module, kind)), None)

    def __call__(self, outputs: Tensor, targets: Tensor) -> AtPositions:
        """Values at each position, and what counts there."""
        if self.kind == "classes":
            return self._of_classes(outputs, targets)
        if self.kind == "alike":
            outputs, targets = aligned(outputs, targets, f"nn.{self.name}")
            _check_weights(self.module, outputs)
        return self.module(outputs, targets), None

    def _of_classes(self, outputs: Tensor, targets: Tensor) -> AtPositions:
        if not as_labels(targets):  # probabilities of classes
            if not isinstance(targets, Tensor) or outputs.shape != targets.shape:
                classes_at(outputs, targets, 1, f"nn.{self.name}")
            return self.module(outputs, targets), None
        classes_at(outputs, targets, 1, f"nn.{self.name}")
        targets = targets.long()
        values, ignored = self.module(outputs, targets), int(self.module.ignore_index)  # type: ignore[arg-type]
        counted, weight = targets.ne(ignored), self.module.weight
        if not isinstance(weight, Tensor) or self.total:
            return values, counted
        # torch's mean is sum(w l) / sum(w), and `values` are w l.
        held = weight[targets.masked_fill(~counted, 0)] * counted
        return values / torch.where(held > 0, held, 1), held


def torch_loss(function: Any) -> TorchLoss | None:
    """A loss of `torch.nn` or `torch.nn.functional`, for an objective.

    Args:
        function: A module with a `reduction`, a function of torch, or a `partial` of one.

    Returns:
        None if it is neither: a function that is taken at its word.

    Raises:
        UsageError: If it takes other things than outputs and targets, or its reduction is none
            that is known.
    """
    given = _module_of(function)
    if isinstance(given, OTHER_ARGUMENTS) or unwrapped(function) in (F.gaussian_nll_loss,):
        raise UsageError(
            "A loss is of outputs and targets.",
            got=f"{type(given).__name__}, which takes more than those",
            remedy="Pass loss(outputs, targets) -> (N,) that calls it with reduction='none'; "
            "`forward=` may return a tuple of all that it needs.",
        )
    if not isinstance(given, nn.Module) or not isinstance(getattr(given, "reduction", None), str):
        return None
    kinds = (("classes", CLASSES), ("alike", ALIKE), ("rows", ROWS))
    kind = next((name for name, of in kinds if any(_is(given, k) for k in of)), "own")
    reduction: str = given.reduction  # type: ignore[assignment]  # checked above
    if reduction == "sum":
        raise UsageError(
            "A loss is a mean over samples; a sum over them grows with the data.",
            got=f"{type(given).__name__}(reduction='sum')",
            remedy="Use reduction='mean'; or, for the sum over a sample, pass loss(outputs, "
            "targets) -> (N,): with `reduction='none'`, summed over all axes but the first.",
        )
    allowed = ("mean", "none") + (("batchmean",) if _is(given, nn.KLDivLoss) else ())
    if reduction not in allowed:
        raise UsageError(
            f"The reduction of a loss is one of {', '.join(allowed)}.",
            got=f"{type(given).__name__}(reduction={reduction!r})",
            remedy=OWN,
        )
    module = copy.deepcopy(given)
    vars(module)["reduction"] = UNREDUCED
    found = TorchLoss(module, reduction, kind, copy.deepcopy(given))
    _check_class_weights(found)
    return found


def _module_of(function: Any) -> Any:
    """The module of a function of torch with what is bound of it; anything else as it is."""
    kind = FUNCTIONAL.get(unwrapped(function)) if _hashable(function) else None
    if kind is None:
        return function
    if not isinstance(function, partial):
        return kind()
    if function.args or isinstance(function.func, partial):
        return function
    try:
        return kind(**function.keywords)
    except TypeError:  # an argument that there is not: its call says so
        return function


def _hashable(function: Any) -> bool:
    return isinstance(unwrapped(function), Callable) and not isinstance(function, nn.Module)


def _is(module: nn.Module, kind: type[nn.Module]) -> bool:
    """True if a module is of a kind and computes what the kind does."""
    return isinstance(module, kind) and type(module).forward is kind.forward


def _check_class_weights(loss: TorchLoss) -> None:
    weight = getattr(loss.module, "weight", None)
    if loss.kind != "classes" or not isinstance(weight, Tensor):
        return
    smooth = bool(getattr(loss.module, "label_smoothing", 0))
    if bool((weight < 0).any()) or (smooth and bool((weight == 0).any())):
        raise UsageError(
            "Class weights are not negative, and positive with label smoothing.",
            got=f"{loss.name} with weights from {float(weight.min()):g}",
            remedy=OWN,
        )


def _check_weights(module: nn.Module, outputs: Tensor) -> None:
    """Refuse weights that are of the samples of one batch."""
    for name in ("weight", "pos_weight"):
        held = getattr(module, name, None)
        if isinstance(held, Tensor) and held.ndim >= outputs.ndim and held.shape[0] != 1:
            raise UsageError(
                "A loss weighs what it is of alike in every batch.",
                got=f"{type(module).__name__} with {name} of shape {tuple(held.shape)} for "
                f"outputs {tuple(outputs.shape)}: a weight for each sample of a batch",
                remedy="Put the weights of samples into the data, beside the targets, and give a "
                "loss(outputs, targets) that returns (values, weights).",
            )
