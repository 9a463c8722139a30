"""The order in which classes are learned, and whether the last one ends with the largest bias.

Wang et al. (2023), theorem 2 and its experiments: a class is learned when all of its samples
are classified correctly with good confidence; once learned, its bias starts to fall, so that
the class learned last ends with the largest.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ridgeline.errors import UsageError
from ridgeline.measures import Array
from ridgeline.objective import Objective
from ridgeline.objective.forms import Labels
from ridgeline.state import State

__all__ = ["LearningOrder", "learned_at"]


@dataclass(frozen=True, eq=False)
class LearningOrder:
    """Time at which each class was learned."""

    learned: Array
    """Step or time for each class, shape (C,); infinite for those that never were."""

    @property
    def order(self) -> list[int]:
        """Classes from the first learned to the last; those never learned come at the end."""
        return [int(c) for c in np.argsort(self.learned, kind="stable")]

    @property
    def last(self) -> list[int]:
        """The class learned last; several if they are tied or were never learned."""
        return [int(c) for c in np.flatnonzero(self.learned == self.learned.max())]

    def last_has_largest(self, bias: ArrayLike) -> bool:
        """True if the largest bias is that of the class learned last, or of one of those tied."""
        return int(np.argmax(self._given(bias))) in self.last

    def correlation(self, bias: ArrayLike) -> float:
        """Spearman's rank correlation of learning time with bias; NaN if either is constant.

        Args:
            bias: One for each class, shape (C,).

        Returns:
            1 if classes learned later have larger biases throughout.
        """
        values = self._given(bias)
        if len(set(self.learned.tolist())) < 2 or len(set(values.tolist())) < 2:
            return float("nan")
        late = np.where(np.isinf(self.learned), np.finfo(float).max, self.learned)
        from scipy.stats import spearmanr  # slow to import

        return float(spearmanr(late, values).statistic)  # type: ignore[attr-defined]  # scipy's stubs lag

    def _given(self, bias: ArrayLike) -> Array:
        values = np.asarray(bias, dtype=np.float64)
        if values.shape != self.learned.shape:
            raise UsageError(
                "There is one bias for each class.",
                got=f"{values.shape} for {len(self.learned)} classes",
            )
        return values


def learned_at(
    states: Mapping[int, State],
    objective: Objective,
    *,
    share: float = 0.9,
    confidence: float | None = None,
    lasting: bool = True,
) -> LearningOrder:
    """The step at which each class is learned, among the kept states of a run.

    The paper's words are ``share=1, confidence=0.9, lasting=False``. On real data single samples
    are learned very late or never, so the default is a class accuracy of 0.9 [derived choice], and
    that from this step on: early in training every sample may be predicted as one class, whose
    accuracy is then 1 for a while without anything learned.

    Args:
        states: Step to state.
        objective: Model and data; targets are classes.
        share: Of a class's samples that must be right, in (0, 1].
        confidence: What the softmax probability of the right class must exceed for a sample to
            count as right; by default it need only be the largest.
        lasting: Count from where the class stays learned, and not from the first time it is.

    Returns:
        A step for each class; infinite for those not learned at the last kept state (or ever).
        Classes without samples are never learned.

    Raises:
        UsageError: If there are no states, targets are no classes, or a share is out of range.
    """
    targets = objective.samples.targets
    classes = isinstance(targets, Tensor) and targets.ndim == 1 and objective.classes is not None
    if not states or not classes or targets.is_floating_point():
        raise UsageError(
            "Classes are learned in a run with kept states and one class for each sample.",
            got=f"{len(states)} states and targets {getattr(targets, 'shape', type(targets))}",
        )
    if not 0 < share <= 1 or not (confidence is None or 0 <= confidence < 1):
        raise UsageError(
            "A share lies in (0, 1] and a confidence in [0, 1).",
            got=f"share {share}, confidence {confidence}",
        )
    steps = sorted(states)
    enough = np.stack([_shares(states[s], objective, confidence) >= share for s in steps])
    if lasting:
        enough = np.logical_and.accumulate(enough[::-1])[::-1]
    found = np.array(steps, dtype=np.float64)[enough.argmax(0)]
    return LearningOrder(np.where(enough.any(0), found, np.inf))


def _shares(state: State, objective: Objective, confidence: float | None) -> Array:
    """The share of each class's samples that are right, shape (C,); 0 without samples."""
    assert objective.classes is not None
    labels = objective.metrics["loss"].labels(objective.samples.targets) or Labels()
    tensors = objective.tensors(state)
    parts: list[Tensor] = []
    with objective.computing():
        tensors |= objective.recomputed(tensors)
        for chunk in objective.samples.chunks(objective.rows):
            outputs = objective.network(tensors, chunk.inputs)
            right = outputs.argmax(-1) == chunk.targets
            if confidence is not None:
                known = chunk.targets.masked_fill(chunk.targets == labels.ignored, 0)
                own = outputs.softmax(-1).gather(-1, known[:, None])[:, 0]
                right = right & (own > confidence)
            parts.append(right)
        targets = objective.samples.targets
        counted = targets != labels.ignored
        right, targets = torch.cat(parts)[counted].double(), targets[counted]
        hits = torch.bincount(targets, weights=right, minlength=objective.classes)
        counts = torch.bincount(targets, minlength=objective.classes)
    return (hits / counts.clamp(min=1)).cpu().numpy()
