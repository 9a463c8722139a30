"""Fully connected networks."""

import itertools
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from torch import nn

from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets.initialise import blank, check_positive, fill

__all__ = ["fcn"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "linear": nn.Identity,
}
NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


def fcn(
    *widths: int,
    activation: Literal["relu", "tanh", "sigmoid", "gelu", "linear"] = "relu",
    bias: bool = True,
    norm: Literal["batch", "layer"] | None = None,
    init: Literal["he", "xavier", "orthogonal", "torch"] = "he",
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Sequential:
    """A fully connected network.

    Its modules are ``flatten``, then ``fc1``, ``norm1`` (if there is a norm), ``act1``, and so
    on; the last is ``fcK``, bare.

    Args:
        widths: Number of inputs, of units in each hidden layer, and of outputs.
        activation: What follows every layer but the last.
        bias: Whether layers have one.
        norm: What stands between a layer and its activation.
        init: How weights are drawn; see `ridgeline.nets.initialise.fill`. Biases start at zero,
            except with ``"torch"``.
        scale: Multiplies every first weight (the α of large and small initialisations).
        seed: The same seed gives the same network; torch's global generator is not used.

    Returns:
        A network of inputs whose first axis is the sample and whose others are flattened.

    Raises:
        UnknownName: If an activation, norm or init is not known.
        UsageError: If there are fewer than two widths, or one is not positive.
    """
    if activation not in ACTIVATIONS:
        raise UnknownName("kind of activation", activation, ACTIVATIONS)
    if norm is not None and norm not in NORMS:
        raise UnknownName("norm", norm, NORMS, "Or None.")
    if len(widths) < 2:
        raise UsageError(
            "A network needs at least a number of inputs and a number of outputs.",
            got=repr(widths),
            remedy="Write them in order, as in `fcn(784, 256, 10)`.",
        )
    if not math.isfinite(scale):
        raise UsageError("`scale` must be finite.", got=repr(scale))
    check_positive(**{f"widths[{i}]": width for i, width in enumerate(widths)})
    modules: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    last = len(widths) - 1
    for k, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=1):
        layer = modules[f"fc{k}"] = blank(nn.Linear, inputs, outputs, bias=bias)
        fill(layer, f"fc{k}", init=init, seed=seed, scale=scale)
        if k < last:
            if norm is not None:
                modules[f"norm{k}"] = NORMS[norm](outputs)
            modules[f"act{k}"] = ACTIVATIONS[activation]()
    return nn.Sequential(modules)
