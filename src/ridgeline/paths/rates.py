"""Rates: how far along its segment a tensor is when the path is at t.

A rate r has r(0) = 0 and r(1) = 1. The uniform rate is r(t) = t. A power t**l lets the bias
of layer l keep pace with the signal: in a network of r layers without normalisation the signal
that arrives at layer l has been multiplied by l weights, each of which moves like t, so it
grows like t**l, while a bias at the uniform rate grows like t and drowns it at small t.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from ridgeline.errors import NoLayerIndex, UnknownName, UsageError
from ridgeline.graph import Forward, layer_index

__all__ = ["Curved", "Power", "Rate", "TwoPowers", "homogeneous_biases"]


@runtime_checkable
class Rate(Protocol):
    """A schedule with r(0) = 0 and r(1) = 1."""

    def __call__(self, t: float, /) -> float:
        """Return how far along its segment a tensor is at t."""
        ...

    def slope(self, t: float, /) -> float:
        """The derivative by t."""
        ...


@runtime_checkable
class Curved(Rate, Protocol):
    """A rate whose second derivative is known, as derivatives of outputs along a path need."""

    def curvature(self, t: float, /) -> float:
        """The second derivative by t."""
        ...


@dataclass(frozen=True)
class Power:
    """The rate r(t) = t**exponent.

    Args:
        exponent: At least 1; 1 is the uniform rate.

    Raises:
        UsageError: If the exponent is below 1.
    """

    exponent: float = 1.0

    def __post_init__(self) -> None:
        if not self.exponent >= 1:
            raise UsageError("The exponent of a rate is at least 1.", got=f"{self.exponent}")

    def __call__(self, t: float, /) -> float:
        """The rate at t; odd powers carry the sign of t beyond the start."""
        return float(np.sign(t) * np.abs(t) ** self.exponent)

    def slope(self, t: float, /) -> float:
        """The derivative by t."""
        return float(self.exponent * np.abs(t) ** (self.exponent - 1))

    def curvature(self, t: float, /) -> float:
        """The second derivative by t; at 0 from the right, infinite for exponents in (1, 2)."""
        factor = self.exponent * (self.exponent - 1)
        if factor == 0:
            return 0.0
        if t == 0 and self.exponent < 2:
            return float("inf")
        return float((1 if t >= 0 else -1) * factor * np.abs(t) ** (self.exponent - 2))


@dataclass(frozen=True)
class TwoPowers(Power):
    """The point ``(1 - t)**exponent a + t**exponent b``: the start fades as the end grows.

    The two coefficients do not sum to one; what is missing is on zero. As a rate, it is the
    coefficient of b; `rest` is the coefficient of a.

    Args:
        exponent: At least 1; 1 is the uniform rate.
    """

    @property
    def rest(self) -> Power:
        """The power of 1 - t that multiplies a."""
        return Power(self.exponent)


# Layers that keep a homogeneous function homogeneous, for chains read without an example.
_WEIGHTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NEUTRAL = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.Flatten,
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.Unflatten,
)


def homogeneous_biases(
    model: nn.Module,
    example: torch.Tensor | None = None,
    *,
    forward: Forward | None = None,
    start: Literal["complement", "power"] = "complement",
) -> dict[str, Rate]:
    """Rates at which biases stay homogeneous with the weights (Wang et al. 2023).

    The bias of weight layer l moves like t**l while weights move like t, so that from a zero
    initialisation f(x; theta(t)) = t**r f(x; theta(1)) for a network of r layers: the labels,
    and so the error, cannot change along the path. A start b0 that is not zero can be carried
    along in two ways, which agree at the ends and for b0 = 0; the paper's rule for that case is
    not known to us.

    Layer indices come from the network itself: by tracing it with the example, or, without
    one, from an `nn.Sequential` of layers known to be homogeneous.

    Args:
        model: A chain of linear or convolutional layers joined by homogeneous functions (ReLU,
            pooling, dropout in evaluation mode). Odd saturating activations (tanh, sigmoid, GELU)
            are let through: the layer index exists, homogeneity then holds only near zero.
        example: A batch of inputs, needed unless the model is an `nn.Sequential`.
        forward: How the model is called on the example; ``model(example)`` by default.
        start: ``"complement"``: the bias is (1 - t**l) b0 + t**l b1. ``"power"``: it is
            (1 - t)**l b0 + t**l b1, the start as homogeneous in 1 - t as the end is in t.

    Returns:
        The name of each bias to its rate, for ``Line(a, b, rates=...)``.

    Raises:
        NoLayerIndex: If the network has no single layer index (residual sums of unequal
            depth, normalisation, attention), saying where.
        NotTraceable: If an example is given and the network cannot be traced.
        UnknownName: If there is no such rule for the start.
    """
    if start not in ("complement", "power"):
        raise UnknownName("rule for the start", start, ["complement", "power"])
    index = layer_index(model, example, forward) if example is not None else _chain_index(model)
    kind = Power if start == "complement" else TwoPowers
    return {name: (kind if depth > 1 else Power)(depth) for name, depth in index.items()}


def _chain_index(model: nn.Module) -> dict[str, int]:
    """Layer index of each bias in nested `nn.Sequential`s; anything else is refused."""
    names = {id(module): name for name, module in model.named_modules()}
    found: dict[str, int] = {}
    depth = 0

    def visit(module: nn.Module) -> None:
        nonlocal depth
        if isinstance(module, nn.Sequential):
            for child in module:
                visit(child)
        elif isinstance(module, _WEIGHTS):
            depth += 1
            if module.bias is not None:
                found[f"{names[id(module)]}.bias".lstrip(".")] = depth
        elif not isinstance(module, (*_NEUTRAL, nn.Tanh, nn.Sigmoid, nn.GELU)):
            raise NoLayerIndex(
                "Without an example the layer index is read off an nn.Sequential of linear or "
                "convolutional layers and homogeneous functions.",
                got=f"{type(module).__name__} at {names.get(id(module), '')!r}",
                remedy="Pass a batch of inputs as `example`, or give the rates yourself: "
                "rates={'fc1.bias': Power(1), 'fc2.bias': Power(2), ...}.",
            )

    visit(model)
    return found
