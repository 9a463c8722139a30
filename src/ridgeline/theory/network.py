"""Theorem 1 for a network: its norms, read from two states, and the interval they give."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ridgeline import state as states
from ridgeline.errors import NoLayerIndex, UsageError
from ridgeline.graph import Forward
from ridgeline.state import State
from ridgeline.theory.chain import Chain, Layer, read_chain
from ridgeline.theory.interval import PlateauInterval, plateau_interval

__all__ = ["NetworkInterval", "network_interval"]


@dataclass(frozen=True, eq=False)
class NetworkInterval:
    """The interval of one network, with the numbers that it comes from."""

    interval: PlateauInterval
    depth: int
    start: float
    """Largest bound on a layer's spectral norm at t = 0."""
    end: float
    """Likewise at t = 1."""
    gap: float
    """Largest last bias less the second."""
    radius: float
    """Largest norm of an input."""
    largest: int
    """The class of the largest bias, which every sample inside is predicted as."""
    norms: dict[str, tuple[float, float]]
    """Weight name to the bounds on its spectral norm at both ends."""

    @property
    def empty(self) -> bool:
        """True if the bound proves nothing; spectral norms of trained networks are loose."""
        return self.interval.empty


def network_interval(
    model: nn.Module, a: State, b: State, inputs: Tensor, *, forward: Forward | None = None
) -> NetworkInterval:
    """The interval of theorem 1 for the line between two states of a network [derived].

    A linear layer counts with its largest singular value; a convolution with the bound
    ``sqrt(kernel size)`` times the largest singular value of its kernel as a matrix, since
    every input value stands in at most that many patches.

    Args:
        model: A chain with a bias on the last layer only; left as it is.
        a: State at t = 0, its last bias zero.
        b: State at t = 1.
        inputs: All inputs that the error is of, shape (N, ...).
        forward: How the model is called.

    Returns:
        The interval, perhaps empty, and the norms.

    Raises:
        NoLayerIndex: If the network is no such chain, has biases elsewhere, or an operation
            that may make the signal larger (overlapping pooling).
        UsageError: If the last bias does not start at zero.
        StateMismatch: If the states differ in their tensors.
    """
    states.check_same(a, b)
    chain = read_chain(model, inputs[: min(2, len(inputs))], forward)
    _check_chain(chain)
    if bool(a[chain.bias].count_nonzero()):
        raise UsageError(
            "The theorem is about a last bias that starts at zero.",
            got=f"{chain.bias} up to {float(a[chain.bias].abs().max()):g}",
            remedy="Initialise biases at zero, or measure with `decompose`.",
        )
    norms = {x.weight: (_norm(a[x.weight], x), _norm(b[x.weight], x)) for x in chain.layers}
    start, end = (max(pair[i] for pair in norms.values()) for i in (0, 1))
    top = b[chain.bias].double().topk(2).values
    gap = float(top[0] - top[1])
    radius = float(inputs.double().flatten(1).norm(dim=1).max())
    interval = plateau_interval(depth=chain.depth, start=start, end=end, gap=gap, radius=radius)
    largest = int(b[chain.bias].argmax())
    return NetworkInterval(interval, chain.depth, start, end, gap, radius, largest, norms)


def _check_chain(chain: Chain) -> None:
    if chain.stretching:
        raise NoLayerIndex(
            "The signal is bounded through operations that make no norm larger.",
            got=chain.stretching,
            remedy="Pool over windows that do not overlap, or use `zero_start_prediction`.",
        )


def _norm(weight: Tensor, layer: Layer) -> float:
    """A bound on the operator norm of a layer; exact for linear ones."""
    kernel = math.prod(weight.shape[2:])
    groups = weight.double().flatten(1).chunk(layer.groups)
    return math.sqrt(kernel) * max(float(torch.linalg.matrix_norm(g, 2)) for g in groups)
