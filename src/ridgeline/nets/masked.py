"""Fully connected networks some of whose weights are held: no units can change places.

The W-asymmetric networks of Lim et al. ("The Empirical Impact of Neural Parameter Symmetries",
NeurIPS 2024, arXiv 2405.20231). In each row of a weight matrix some entries, drawn once for the
architecture, stay at normal values drawn once; only the others are trained. Rows then differ in
which entries they hold, and a permutation of units is no symmetry any more.

Which entries, and at what values, is read in their released code (lmc/models/models_mlp.py,
``random_subsets``). That their paper defines it the same way is from memory. Two things differ:
the draws are from our named streams, for theirs hash text with Python's salted `hash` and are
not the same from one process to the next; and held values are no part of a state.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ridgeline.errors import UsageError
from ridgeline.nets.fully_connected import fcn
from ridgeline.rng import stream

__all__ = ["MaskedLinear", "masked_fcn"]


class MaskedLinear(nn.Linear):
    """A linear layer that holds some entries of its weight.

    The effective weight is `weight` where an entry is free and `values` where it is held. The
    entries of `weight` that are held do nothing: they start at zero, get no gradient, and stay at
    zero under any weight decay, so that distances between states are those of free weights.

    Mask and values belong to the architecture: they are buffers outside the state, so that a path
    between two states cannot move them.

    Args:
        layer: Whose weight and bias these are; its weight's held entries are set to zero.
        held: Which entries are held; bool, shape (outputs, inputs).
        values: What they are held at; shape (outputs, inputs), zero at free entries.
    """

    held: Tensor
    values: Tensor

    def __init__(self, layer: nn.Linear, held: Tensor, values: Tensor) -> None:
        nn.Module.__init__(self)  # nn.Linear's own would draw from torch's global generator
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight, self.bias = layer.weight, layer.bias
        self.register_buffer("held", held, persistent=False)
        self.register_buffer("values", values, persistent=False)
        with torch.no_grad():
            self.weight.masked_fill_(held, 0.0)

    def forward(self, input: Tensor) -> Tensor:
        """Outputs (N, outputs) for inputs (N, inputs)."""
        return F.linear(input, torch.where(self.held, self.values, self.weight), self.bias)


def masked_fcn(
    *widths: int,
    fixed: int | Sequence[int],
    constant: float | Sequence[float] = 1.0,
    mask_seed: int = 0,
    activation: Literal["relu", "tanh", "sigmoid", "gelu", "linear"] = "relu",
    bias: bool | Literal["last"] | Sequence[int] = True,
    norm: Literal["batch", "layer"] | None = None,
    init: Literal["he", "xavier", "orthogonal", "torch"] = "he",
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Sequential:
    """A fully connected network with some weights held (W-asymmetric; Lim et al. 2024).

    Its modules are those of `fcn`, and of the same seed its free weights are equal to that
    network's. Their MLP on MNIST is 784-512-512-512-10 with ``activation="gelu"``,
    ``norm="layer"``, ``init="torch"``, ``fixed=[64, 64, 64, 256]`` and
    ``constant=[1, 1, 0.5, 0.25]`` (their released code, lmc/train-mlp-mnist.py).

    Args:
        widths: Number of inputs, of units in each hidden layer, and of outputs.
        fixed: How many entries are held in each row of a layer's weight (``num_fixed`` of the
            code): one number for all layers, or one for each.
        constant: Standard deviation of the held values, which are normal (``mask_constant``); one
            number for all layers, or one for each.
        mask_seed: Names which entries are held and their values: networks of one `mask_seed` are
            one architecture, whatever their `seed`.
        activation: As in `fcn`.
        bias: As in `fcn`.
        norm: As in `fcn`.
        init: As in `fcn`; of free entries, with the fan-in of all of a row.
        scale: Multiplies every free first weight; held values are left as they are.
        seed: Of the free first weights.

    Returns:
        A network of inputs whose first axis is the sample and whose others are flattened.

    Raises:
        UnknownName: As `fcn`.
        UsageError: As `fcn`; if a row is to hold a negative number of entries or all of them, if
            a constant is negative or not finite, or if either is not one for each layer.
    """
    plain = fcn(
        *widths, activation=activation, bias=bias, norm=norm, init=init, scale=scale, seed=seed
    )
    layers = sum(isinstance(module, nn.Linear) for module in plain)
    counts, sizes = _each("fixed", fixed, layers), _each("constant", constant, layers)
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    k = 0
    for name, module in plain.named_children():
        if isinstance(module, nn.Linear):
            held = _held(module, name, counts[k], mask_seed)
            modules[name] = MaskedLinear(module, held, _values(held, name, sizes[k], mask_seed))
            k += 1
        else:
            modules[name] = module
    return nn.Sequential(modules)


def _each(name: str, given: float | Sequence[float], layers: int) -> Sequence[float]:
    """One number for each layer."""
    found = [given] * layers if isinstance(given, int | float) else given
    if len(found) != layers:
        raise UsageError(
            f"`{name}` is one number, or one for each layer: {layers} here.", got=repr(given)
        )
    return found


def _held(layer: nn.Linear, name: str, count: float, seed: int) -> Tensor:
    """Return which entries of a weight are held: so many in each row, every set equally likely."""
    whole = isinstance(count, int) and not isinstance(count, bool)
    if not whole or not 0 <= count < layer.in_features:
        raise UsageError(
            "`fixed` is a whole number from 0, and below the number of inputs of its layer.",
            got=f"{count!r} in {name}, which has {layer.in_features} inputs",
        )
    draws = torch.rand(layer.weight.shape, generator=stream(seed, "mask", f"{name}.weight"))
    held = torch.zeros(layer.weight.shape, dtype=torch.bool)
    return held.scatter_(1, draws.argsort(1)[:, : int(count)], True)


def _values(held: Tensor, name: str, constant: float, seed: int) -> Tensor:
    """Return what held entries are held at, and zero elsewhere."""
    if not 0 <= constant < float("inf"):
        raise UsageError("`constant` is finite and not negative.", got=f"{constant!r} in {name}")
    draws = torch.randn(held.shape, generator=stream(seed, "held", f"{name}.weight"))
    return torch.where(held, constant * draws, 0.0)
