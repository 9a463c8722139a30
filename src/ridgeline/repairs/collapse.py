"""How much of what varies with the input is left in each layer between two networks.

Jordan et al. (2022), section 3: the variance of layers' outputs collapses at the midpoint. Qu &
Horvath (2024), "vanishing features": what is left there is a constant, the same for all inputs.
The two numbers per layer are derived here; the second paper's own are others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.objective import Objective
from ridgeline.repairs.moments import Moments, columns
from ridgeline.repairs.repair import Repair
from ridgeline.repairs.running import Graphs, each
from ridgeline.repairs.sites import chosen, sites
from ridgeline.state import State

__all__ = ["Collapse", "collapse"]


@dataclass(frozen=True, eq=False)
class Collapse:
    """Variance and bias share of L layers at K positions.

    Args:
        layers: Names of the layers' weights, in the order of computation.
        t: Positions, shape (K,).
        variance: Sum over channels of the variance of a layer's output over samples (and
            positions of an image or sequence), shape (K, L).
        squared_mean: Squared norm of its mean, shape (K, L).
        ends: The same variances at t = 0 and t = 1, shape (2, L).
    """

    layers: tuple[str, ...]
    t: NDArray[np.float64]
    variance: NDArray[np.float64]
    squared_mean: NDArray[np.float64]
    ends: NDArray[np.float64]

    def __str__(self) -> str:
        lines = ["Variance of each layer's output over the mean of the ends' (and its bias share)"]
        for k, s in enumerate(self.t):
            held = zip(self.layers, self.ratio[k], self.bias_share[k], strict=True)
            told = (f"{name} {ratio:.3g} ({share:.0%})" for name, ratio, share in held)
            lines.append(f"  t = {s:g}: {', '.join(told)}")
        return "\n".join(lines)

    @property
    def ratio(self) -> NDArray[np.float64]:
        """Variance over the mean of the ends', shape (K, L); NaN where the ends have none."""
        mean = self.ends.mean(0)
        return np.divide(
            self.variance, mean, out=np.full_like(self.variance, np.nan), where=mean > 0
        )

    @property
    def bias_share(self) -> NDArray[np.float64]:
        """Squared mean over second moment, in [0, 1], shape (K, L); 1 is a constant layer."""
        total = self.squared_mean + self.variance
        share = np.full_like(total, np.nan)
        return np.divide(self.squared_mean, total, out=share, where=total > 0)


def collapse(
    a: State,
    b: State,
    objective: Objective,
    t: Sequence[float] | NDArray[np.floating] = (0.0, 0.5, 1.0),
    *,
    at: Sequence[str] | None = None,
    repair: Repair | None = None,
) -> Collapse:
    """Variance of each layer's output on the line between two states, relative to the ends'.

    One pass over the objective's inputs for all positions. Running statistics are set as the
    objective's policy says.

    Args:
        a: The state at t = 0.
        b: The state at t = 1.
        objective: Gives network, inputs and policy for statistics.
        t: Positions.
        at: Names of layers or weights; all by default.
        repair: Look at the repaired states; at t = 0 and 1 they are the ends.

    Raises:
        StateMismatch: If the states are not the network's.
        NotTraceable: If the network cannot be traced.
        UnknownName: If there is no layer of a given name.
        UsageError: If the network has no layers that the trace shows.
    """
    positions = np.asarray(t, dtype=np.float64)
    between = repair.between(a, b, objective) if repair is not None else None
    points = []
    for s in (0.0, 1.0, *positions):
        state = states.lerp(a, b, float(s))
        points.append(between.tensors(state, float(s)) if between else _run(objective, state))
    with torch.no_grad():
        graphs = Graphs(objective, objective.samples)
        found = chosen(sites(graphs.trace), at)
        if not found:
            raise UsageError("There must be a layer whose weight is a tensor of the state.")
        moments = {s.value: [Moments() for _ in points] for s in found}
        axes = {s.value: s.axis for s in found}
        order = {n.name: i for i, n in enumerate(graphs.trace.graph.nodes)}
        for value, seen in each(graphs, points, sorted(axes, key=order.__getitem__)):
            for gathered, x in zip(moments[value], seen, strict=True):
                gathered.add(columns(x, axes[value]))
    table = [moments[s.value] for s in found]
    variance = np.array([[float(m.variance.sum()) for m in row] for row in table]).T
    squared = np.array([[float(m.average.square().sum()) for m in row] for row in table]).T
    return Collapse(
        tuple(s.weight for s in found), positions, variance[2:], squared[2:], variance[:2]
    )


def _run(objective: Objective, state: State) -> dict[str, Tensor]:
    """Return what the network computes with, statistics as the policy sets them."""
    tensors = objective.tensors(state)
    with torch.no_grad():
        return {**tensors, **objective.recomputed(tensors)}
