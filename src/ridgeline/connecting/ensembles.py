"""Ensembles of networks along a path, whose predictions are averaged."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridgeline.connecting.contract import check_objective
from ridgeline.errors import UsageError
from ridgeline.objective import Objective, binary_cross_entropy
from ridgeline.objective.conventions import of_classes
from ridgeline.objective.declared import bare
from ridgeline.objective.forms import unwrapped
from ridgeline.objective.weighted import concatenated, linearised
from ridgeline.paths import Combination, Grid, Path, grid
from ridgeline.progress import Progress
from ridgeline.state import State

__all__ = ["Ensemble", "ensemble"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Ensemble:
    """Loss and metrics of averaged predictions, and of each member's own."""

    values: dict[str, float]
    """Metric to its mean over the data, of the averaged predictions."""
    stderr: dict[str, float]
    """Standard errors of these, over samples."""
    members: dict[str, NDArray[np.float64]]
    """Metric to that of each member alone, (K,)."""
    averaged: str
    """Quantity of which the mean is taken: probabilities, or outputs."""

    def __str__(self) -> str:
        lines = [f"Ensemble of {len(self.members['loss'])} networks, mean of {self.averaged}"]
        for name, value in self.values.items():
            alone = self.members[name]
            lines.append(
                f"  {name} {value:.4g} (standard error {self.stderr[name]:.2g}); "
                f"members {alone.mean():.4g}, from {alone.min():.4g} to {alone.max():.4g}"
            )
        return "\n".join(lines)


def ensemble(
    members: Path | Combination | Sequence[State],
    objective: Objective,
    *,
    points: Grid = 11,
    progress: Progress | None = None,
) -> Ensemble:
    """Average the predictions of networks along a path, or of some states.

    Of classes the probabilities are averaged (Garipov et al. 2018), of one logit its probability,
    and else the outputs themselves. Statistics of normalisation are each member's, by the
    objective's policy.

    Args:
        members: A path, points of a simplex, or states.
        objective: Gives data, loss and metrics.
        points: Positions on a path.
        progress: Told of members.

    Raises:
        UsageError: If there is no member, or outputs are of another form than (N, classes) where
            the loss is of classes.
        StateMismatch: If a state is not one of the model.
    """
    check_objective(objective)
    each = _states(members, points)
    to, back, averaged = _links(objective)
    total: list[Any] = []
    alone: dict[str, list[float]] = {name: [] for name in objective.metrics}
    for k, (state, weight) in enumerate(each):
        if progress is not None:
            progress("members of the ensemble", k, len(each))
        tensors = objective.tensors(state())
        scores = []
        with objective.computing():
            tensors |= objective.recomputed(tensors)
            for number, chunk in enumerate(objective.samples.chunks(objective.rows)):
                outputs = objective.network(tensors, chunk.inputs)
                scores.append(objective.score(outputs, chunk.targets))
                share = to(outputs).double() * weight
                if k == 0:
                    total.append(share)
                else:
                    total[number] += share
        for name, found in alone.items():
            found.append(float(linearised(concatenated([s[name] for s in scores])).double().mean()))
    with objective.computing():
        chunks = objective.samples.chunks(objective.rows)
        scores = [
            objective.score(back(x).to(objective.dtype), chunk.targets)
            for x, chunk in zip(total, chunks, strict=True)
        ]
        kept = {
            name: linearised(concatenated([s[name] for s in scores])).double()
            for name in objective.metrics
        }
    errors = {n: _standard_error(x) for n, x in kept.items()}
    return Ensemble(
        values={n: float(x.mean()) for n, x in kept.items()},
        stderr=errors,
        members={n: np.asarray(x) for n, x in alone.items()},
        averaged=averaged,
    )


def _standard_error(x: Tensor) -> float:
    return float(x.std()) / math.sqrt(len(x)) if len(x) > 1 else 0.0


def _states(
    members: Path | Combination | Sequence[State], points: Grid
) -> list[tuple[Callable[[], State], float]]:
    """Members, each made when it is asked for, with its weight."""
    if isinstance(members, Path):
        members = members.combination(grid(points))
    if isinstance(members, Combination):
        made, count = members, len(members)
        return [(lambda k=k: made.state(k), 1 / count) for k in range(count)]
    given = list(members)
    if not given:
        raise UsageError("An ensemble has one member at least.", got="none")
    return [(lambda x=x: x, 1 / len(given)) for x in given]


def _links(
    objective: Objective,
) -> tuple[Callable[[Any], Tensor], Callable[[Tensor], Tensor], str]:
    """The function of outputs that is averaged, and its inverse."""
    if unwrapped(bare(objective.metrics["loss"].function)) is binary_cross_entropy:
        return _of_one, torch.logit, "probabilities"
    if of_classes(objective.metrics["loss"].function):
        return _probabilities, torch.log, "probabilities"
    return _tensor, lambda x: x, "outputs"


def _tensor(outputs: Any) -> Tensor:
    if not isinstance(outputs, Tensor):
        raise UsageError(
            "Outputs that are averaged are one tensor.",
            got=type(outputs).__name__,
            remedy="Give the objective a `forward` that returns the logits alone.",
        )
    return outputs


def _of_one(outputs: Any) -> Tensor:
    return _tensor(outputs).double().sigmoid()


def _probabilities(outputs: Any) -> Tensor:
    if _tensor(outputs).ndim != 2:
        raise UsageError(
            "Probabilities are averaged of outputs (samples, classes).",
            got=f"shape {tuple(outputs.shape)}",
        )
    return outputs.double().softmax(1)
