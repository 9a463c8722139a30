"""Signal and bias along a path: what outputs are made of where the error stands still.

The outputs of any network whose last layer has a bias are ``signal(x, t) + b(t)``. On the
plateau of Wang et al. (2023) the bias is the larger part, and every sample is predicted as the
class of the largest bias. No theorem is needed to measure it, and any network will do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ridgeline import state as states
from ridgeline.engine.choice import StrategyName, choose
from ridgeline.engine.residents import Resident, gather_statistics
from ridgeline.errors import UsageError
from ridgeline.graph import Forward
from ridgeline.measures import Array
from ridgeline.objective import Metric, Objective
from ridgeline.paths import Combination, Grid, Path, grid
from ridgeline.state import State
from ridgeline.theory.last import bias_of, last_bias

__all__ = ["Decomposition", "decompose", "dominant_share"]


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Sizes of signal and bias at K positions, with what they do to predictions."""

    t: Array
    """Positions, shape (K,)."""
    signal_spread: Array
    """Largest less smallest signal over classes, mean over samples, shape (K,)."""
    bias_spread: Array
    """Largest less smallest bias, shape (K,)."""
    signal_norm: Array
    """Euclidean norm of the signal over classes, mean over samples, shape (K,)."""
    bias_norm: Array
    """Euclidean norm of the bias, shape (K,)."""
    dominant: Array
    """Share of samples predicted as the class of the largest final bias, shape (K,)."""
    error: Array
    """Share of samples that are misclassified on this path, shape (K,)."""
    largest: int
    """The class of the largest bias at t = 1."""
    bias: str
    """The name of the last layer's bias."""
    samples: int

    @property
    def crossing(self) -> float:
        """First position from which the signal's spread stays the larger one; NaN if none."""
        smaller = np.flatnonzero(~(self.signal_spread > self.bias_spread))
        first = int(smaller[-1]) + 1 if len(smaller) else 0
        return float(self.t[first]) if first < len(self.t) else float("nan")


def decompose(
    path: Path,
    objective: Objective,
    points: Grid = 51,
    *,
    bias: str | None = None,
    strategy: StrategyName = "auto",
) -> Decomposition:
    """Signal and bias along a path.

    Args:
        path: From a position to a state, such as ``Line(initial, final)``.
        objective: Model, inputs and classes.
        points: Number of equally spaced positions, or the positions.
        bias: Name of the last layer's bias; found by tracing by default.
        strategy: How the engine evaluates; measured and chosen by default.

    Returns:
        Sizes and shares over t, exact over all samples of the objective.

    Raises:
        NoLayerIndex: If outputs do not come straight from a layer with a bias.
        UsageError: If outputs and targets are not those of a classifier.
        StateMismatch: If the path's states are not the model's.
    """
    t = grid(points)
    combination = path.combination(t)
    for state in combination.basis:
        objective.check(state)
    name = bias or _find_bias(objective)
    biases = torch.stack(
        [combination.tensor(name, k, dtype=torch.float64) for k in range(len(t))]
    ).to(objective.device)
    largest = int(path(1.0)[name].argmax())  # of the path's end, whether the grid has it or not
    sums = _sums(objective, combination, biases, largest, strategy)
    spread, norm, dominant, wrong = (sums / len(objective)).cpu().numpy()
    return Decomposition(
        t=t,
        signal_spread=spread,
        bias_spread=(biases.amax(1) - biases.amin(1)).cpu().numpy(),
        signal_norm=norm,
        bias_norm=biases.norm(dim=1).cpu().numpy(),
        dominant=dominant,
        error=wrong,
        largest=largest,
        bias=name,
        samples=len(objective),
    )


def dominant_share(
    model: nn.Module, final: State, example: Any, *, forward: Forward | None = None
) -> Metric:
    """A metric: 1 where a sample is predicted as the class of the largest final bias, else 0.

    Its mean is the share of samples that the bias decides: near 1 on the plateau.

    Args:
        model: Any module whose outputs come straight from a layer with a bias.
        final: The trained state.
        example: A batch of inputs, to find that layer by tracing.
        forward: How the model is called.

    Returns:
        For ``Objective(..., metrics={"dominant": dominant_share(...)})``; shape (N,).

    Raises:
        NoLayerIndex: If there is no such layer.
    """
    largest = int(final[last_bias(model, example, forward=forward)].argmax())

    def dominant(outputs: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG001 (a metric takes two)
        hit = (outputs.argmax(-1) == largest).to(outputs.dtype)
        return hit.flatten(1).mean(1) if hit.ndim > 1 else hit

    return dominant


def _find_bias(objective: Objective) -> str:
    """Find them by tracing the objective's own network, called in its own way."""
    few = objective.samples[: min(2, len(objective))]
    tensors = states.cast(objective.network.tensors, objective.dtype, objective.device)
    return bias_of(objective.network.trace(few.inputs, tensors))


def _sums(
    objective: Objective,
    combination: Combination,
    biases: Tensor,
    largest: int,
    strategy: StrategyName,
) -> Tensor:
    """Return what `_sizes` gives, summed over all samples at each position, shape (4, K)."""
    found = torch.zeros(4, len(combination), dtype=torch.float64, device=objective.device)
    with objective.computing():
        resident = Resident(objective, combination, gather_statistics(objective, combination))
        work, choice = choose(objective, resident, strategy, len(objective))
        for chunk in objective.samples.chunks(choice.rows):
            for k, outputs in enumerate(work.outputs(chunk.inputs, range(len(combination)))):
                found[:, k] += _sizes(outputs, chunk.targets, biases[k], largest)
    return found


def _sizes(outputs: Tensor, targets: Tensor, bias: Tensor, largest: int) -> Tensor:
    """Sums over samples: spread and norm of the signal, dominated and wrong predictions."""
    if outputs.ndim != 2 or outputs.shape[1:] != bias.shape or targets.shape != outputs.shape[:1]:
        raise UsageError(
            "Signal and bias are those of outputs (N, classes) with one bias for each class.",
            got=f"outputs {tuple(outputs.shape)}, bias {tuple(bias.shape)}, "
            f"targets {tuple(targets.shape)}",
        )
    signal = outputs.double() - bias
    label = outputs.argmax(1)
    return torch.stack(
        [
            (signal.amax(1) - signal.amin(1)).sum(),
            signal.norm(dim=1).sum(),
            (label == largest).sum().double(),
            (label != targets).sum().double(),
        ]
    )
