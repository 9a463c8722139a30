"""Temperature: logits divided by a number, so that their confidence is as it should be.

Between two networks logits shrink, and the loss grows though the order of classes is right.
Wide networks are connected without permutation once the temperature is set at each t (Ito et al.
2025, "Do we really need permutations?", arXiv 2510.08023; the way in which T is found is derived:
the cross entropy of ``beta z`` is convex in beta = 1 / T, so its derivative has one zero).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from torch import Tensor

from ridgeline.errors import DataError, UsageError
from ridgeline.objective import Objective, Samples, collect
from ridgeline.objective.forms import Labels
from ridgeline.objective.weighted import linearised
from ridgeline.paths import Path, grid
from ridgeline.paths.grid import Grid
from ridgeline.repairs.corrections import Factors
from ridgeline.repairs.repair import Repair
from ridgeline.repairs.running import Graphs
from ridgeline.repairs.sites import sites
from ridgeline.state import State, wide

__all__ = ["COLDEST", "HOTTEST", "Calibrated", "calibrated", "temperature", "tempered"]

COLDEST, HOTTEST = 1e-4, 1e4
"""Temperatures that are looked at. The loss has no minimum inside if all samples are right."""


def temperature(logits: Tensor, targets: Tensor, *, ignore_index: int = -100) -> float:
    """The temperature T > 0 at which the mean cross entropy of ``logits / T`` is smallest.

    Args:
        logits: Shape (N, ..., C).
        targets: Class indices, shape (N, ...).
        ignore_index: Positions with this target do not count.

    Returns:
        T; `COLDEST` where every sample is right and the loss falls for ever, `HOTTEST` where
        the logits say less than nothing of the targets.

    Raises:
        UsageError: If shapes do not fit.
        DataError: If no position counts, or logits are not finite.
    """
    if logits.ndim < 2 or logits.shape[:-1] != targets.shape:
        raise UsageError(
            "A temperature takes logits (N, ..., C) and integer targets (N, ...).",
            got=f"logits {tuple(logits.shape)}, targets {tuple(targets.shape)}",
        )
    counted = (targets != ignore_index).flatten()
    z = logits.detach().double().flatten(0, -2)[counted]
    y = targets.flatten()[counted].long()
    if not len(z) or not bool(z.isfinite().all()):
        raise DataError(
            "A temperature is fitted to finite logits of one sample at least.",
            got=f"{len(z)} positions, {int((~z.isfinite()).sum())} logits not finite",
        )
    own = float(z.gather(1, y[:, None]).mean())

    def slope(log_beta: float) -> float:
        """Derivative of the loss by beta: what is expected of z less what is true."""
        shares = torch.softmax(z * float(np.exp(log_beta)), 1)
        return float((shares * z).sum(1).mean()) - own

    low, high = np.log(1 / HOTTEST), np.log(1 / COLDEST)
    if slope(low) >= 0:
        return HOTTEST
    if slope(high) <= 0:
        return COLDEST
    found: Any = brentq(slope, low, high, xtol=1e-12)
    return float(np.exp(-found))


def tempered(state: State, value: float, objective: Objective) -> State:
    """A state whose outputs are those of another divided by a temperature.

    Args:
        state: Any of the objective's network.
        value: The temperature, above 0.
        objective: Gives the network; its output must be that of its last layer, with a bias or
            with none.

    Raises:
        UsageError: If the temperature is not positive, or the output is not a layer's.
        NotTraceable: If the network cannot be traced.
    """
    if not value > 0:
        raise UsageError("A temperature is positive.", got=f"{value}")
    with torch.no_grad():
        trace = Graphs(objective, objective.samples[:1]).trace
    (end,) = (n for n in trace.graph.nodes if n.op == "output")
    last = [s for s in sites(trace) if [s.value] == [n.name for n in end.all_input_nodes]]
    if not last or last[0].can == "no":
        raise UsageError(
            "A temperature goes into a last layer that is linear and whose tensors stand nowhere "
            "else.",
            got=last[0].why if last else "an output that is no layer's",
            remedy="Divide the outputs instead.",
        )
    (site,) = last
    scale = torch.full((site.channels,), 1 / value, dtype=torch.float64)
    factors = Factors(site, scale, torch.zeros_like(scale))
    names = [site.weight] if site.bias is None else [site.weight, site.bias]
    new = {n: factors.tensor(n, wide(state[n])).to(state[n].dtype) for n in names}
    return {**state, **new}


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Loss along a path with the best temperature at each position.

    Args:
        t: Positions, shape (K,).
        temperature: Shape (K,).
        loss: Mean cross entropy at that temperature, on the objective's samples, shape (K,).
        before: The same at temperature 1, shape (K,).
        n: Samples of the losses.
        loss_error: Standard error of `loss` over samples, the temperature taken as known; (K,).
        before_error: Standard error of `before`, shape (K,).
    """

    t: NDArray[np.float64]
    temperature: NDArray[np.float64]
    loss: NDArray[np.float64]
    before: NDArray[np.float64]
    n: int
    loss_error: NDArray[np.float64]
    before_error: NDArray[np.float64]

    def __str__(self) -> str:
        held = zip(self.t, self.temperature, self.before, self.loss, strict=True)
        lines = [
            f"  t = {t:.3g}: {before:.4g} -> {loss:.4g} at temperature {best:.3g}"
            for t, best, before, loss in held
        ]
        first = f"Loss over {self.n} samples at temperature 1 -> at the best"
        return "\n".join([first, *lines])


def calibrated(
    path: Path,
    objective: Objective,
    *,
    points: Grid = 25,
    data: Any = None,
    repair: Repair | None = None,
) -> Calibrated:
    """The loss along a path, outputs divided by the best temperature at each position.

    Every position is calibrated, the ends too, so that a barrier compares like with like. The
    order of classes, and so the error, is that of the profile.

    Args:
        path: From a position to a state.
        objective: Of classes, by the cross entropy of logits; its loss is the one reported.
        points: Number of equally spaced positions, or the positions.
        data: Labelled samples that the temperature is fitted to; the objective's own by default,
            which is the paper's way and favours the path slightly.
        repair: Repair the states first.

    Raises:
        UsageError: If the outputs are not logits of classes.
    """
    t = grid(points)
    combination = path.combination(t)
    between = repair.between(path(0), path(1), objective) if repair is not None else None
    fitted = objective.samples
    if data is not None:
        fitted = collect(data).to(objective.device, objective.dtype)
    rows, counted = [], 0
    for k, s in enumerate(t):
        state = combination.state(k)
        tensors = between.tensors(state, float(s)) if between else objective.tensors(state)
        with objective.computing():
            tensors |= {} if between else objective.recomputed(tensors)
            own = _logits(objective, tensors, objective.samples)
            other = own if data is None else _logits(objective, tensors, fitted)
            said = objective.metrics["loss"].labels(fitted.targets) or Labels()
            logits = other.movedim(said.dim, -1) if other.ndim > 1 else other
            best = temperature(logits, fitted.targets, ignore_index=said.ignored)
            found = [
                linearised(objective.metrics["loss"].scores(z, objective.samples.targets)).double()
                for z in (own / best, own)
            ]
        counted = len(found[0])
        rows.append((best, *map(_mean_and_error, found)))
    temperatures, losses, plain = zip(*rows, strict=True)
    (loss, loss_error), (before, before_error) = np.array(losses).T, np.array(plain).T
    return Calibrated(
        np.asarray(t),
        np.array(temperatures),
        loss,
        before,
        counted,
        loss_error,
        before_error,
    )


def _mean_and_error(values: Tensor) -> tuple[float, float]:
    """The mean over samples and its standard error; NaN for a single sample."""
    error = float(values.std()) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return float(values.mean()), error


def _logits(objective: Objective, tensors: Mapping[str, Tensor], samples: Samples) -> Tensor:
    chunks: Sequence[Any] = [
        objective.network(tensors, chunk.inputs) for chunk in samples.chunks(objective.rows)
    ]
    if not all(isinstance(z, Tensor) for z in chunks):
        raise UsageError("Outputs must be one tensor of logits.", got=type(chunks[0]).__name__)
    return torch.cat(list(chunks))
