"""The error along the path from zero, predicted from one forward pass of the trained network.

Without a start, a chain of r layers with a bias on the last only has the outputs
``t^r s(x) + t b`` on the line, s the final signal (outputs less bias): homogeneity, nothing
else. The labels along the whole path follow from s and b. This is the sharp, network-specific
form of theorem 1 of Wang et al. (2023) [derived]; for a trained network, whose start is
correlated with its end, it is an upper bound in practice, not a theorem.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ridgeline import state as states
from ridgeline.errors import UsageError
from ridgeline.graph import Forward, Network, flatten
from ridgeline.measures import Array, Curve
from ridgeline.paths import grid
from ridgeline.state import State
from ridgeline.theory.chain import read_chain

__all__ = ["ZeroStart", "leaving", "zero_start_prediction"]

ROWS = 1024


@dataclass(frozen=True, eq=False)
class ZeroStart:
    """Prediction for the line from the zero state to a trained one."""

    t: Array
    """Positions, shape (K,)."""
    error: Array
    """Share of samples that are misclassified, shape (K,)."""
    leaves: Array
    """Where each sample leaves the class of the largest bias, shape (N,); infinite if never."""
    largest: int
    """The class of the largest bias."""
    depth: int
    """Number r of weight layers."""
    classes: int

    @property
    def end(self) -> float:
        """Position at which the first sample leaves: the plateau's end; beyond 1 if none does."""
        return float(self.leaves.min())

    @property
    def curve(self) -> Curve:
        """The predicted error as a curve, for `measures.plateau` and the like."""
        return Curve.exact(self.t, self.error, chance=1 - 1 / self.classes)


@torch.no_grad()
def zero_start_prediction(
    model: nn.Module,
    final: State,
    inputs: Any,
    targets: Tensor,
    t: ArrayLike | int = 51,
    *,
    forward: Forward | None = None,
) -> ZeroStart:
    """Predict the error on the line from zero: that of ``argmax_c t^r s_c(x) + t b_c`` [derived].

    Equal to the measured curve of ``Line(zeros(final), final)``; computed in float64.

    Args:
        model: A chain of weight layers with a bias on the last only; left as it is.
        final: The trained state.
        inputs: Shape (N, ...), or a dict or tuple of such tensors.
        targets: Classes, shape (N,).
        t: Positions, or how many equally spaced ones.
        forward: How the model is called.

    Returns:
        The error over t, and where each sample leaves the class of the largest bias.

    Raises:
        NoLayerIndex: If the network is no such chain, saying where.
        UsageError: If outputs are not (N, classes).
    """
    positions = grid(t if isinstance(t, int) else list(np.asarray(t, dtype=np.float64)))
    batch = pytree.tree_map_only(Tensor, lambda x: x[:2], inputs)
    chain = read_chain(model, batch, forward)
    bias = final[chain.bias].double()
    signal = _outputs(Network(model, forward), final, inputs) - bias
    if signal.shape != (len(targets), len(bias)):
        raise UsageError(
            "The prediction is for outputs (N, classes) and one bias for each class.",
            got=f"outputs {tuple(signal.shape)}, {len(bias)} biases, {len(targets)} targets",
        )
    error = [
        float(((s**chain.depth * signal + s * bias).argmax(1) != targets).double().mean())
        for s in positions.tolist()
    ]
    s, b = signal.numpy(), bias.numpy()
    return ZeroStart(
        t=positions,
        error=np.array(error),
        leaves=leaving(s, b, chain.depth),
        largest=int(b.argmax()),
        depth=chain.depth,
        classes=len(b),
    )


def leaving(signal: NDArray[np.float64], bias: NDArray[np.float64], degree: int) -> Array:
    """Return where ``argmax_c t^r s_c + t b_c`` is no more the class of the largest bias [derived].

    Sample x leaves the class c* of the largest bias for c at
    ``t = ((b_c* - b_c) / (s_c(x) - s_c*(x)))^(1 / (r - 1))``, and leaves it at the least of these.

    Args:
        signal: Outputs less bias at t = 1, shape (N, C).
        bias: At t = 1, shape (C,).
        degree: r, at least 1.

    Returns:
        Shape (N,); infinite where no class overtakes; positions beyond 1 lie beyond the path.
    """
    top = int(bias.argmax())
    others = np.arange(len(bias)) != top
    lead = (bias[top] - bias)[others]
    gain = (signal - signal[:, top : top + 1])[:, others]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(gain > 0, lead / gain, math.inf)
    if degree == 1:  # labels do not change along the path: gone from the beginning, or never
        ratio = np.where(ratio < 1, 0.0, math.inf)
        return ratio.min(1, initial=math.inf)
    return ratio.min(1, initial=math.inf) ** (1 / (degree - 1))


def _outputs(network: Network, state: State, inputs: Any) -> Tensor:
    """Outputs in float64, shape (N, C), computed a few rows at a time."""
    tensors = states.cast({n: state[n] for n in network.tensors}, torch.float64)
    wide = pytree.tree_map_only(
        Tensor, lambda x: x.double() if x.is_floating_point() else x, inputs
    )
    count = len(flatten(wide)[0])
    parts = [
        network(tensors, pytree.tree_map_only(Tensor, lambda x, i=i: x[i : i + ROWS], wide))
        for i in range(0, count, ROWS)
    ]
    return torch.cat(parts)
