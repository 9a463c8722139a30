"""Fully connected networks and autoencoders."""

import itertools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Literal

from torch import Tensor, nn

from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets.initialise import blank, check_positive, check_scale, fill

__all__ = ["ACTIVATIONS", "autoencoder", "fcn"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "linear": nn.Identity,
}
NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
Biases = bool | Literal["last"] | Sequence[int]


def fcn(
    *widths: int,
    activation: Literal["relu", "tanh", "sigmoid", "gelu", "linear"] = "relu",
    bias: Biases = True,
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
        bias: Whether layers have one: all or none, ``"last"`` for the last alone (the networks
            of Wang et al. 2023, theorem 1), or the numbers of those that do, counted from 1.
        norm: What stands between a layer and its activation.
        init: How weights are drawn; see `ridgeline.nets.initialise.fill`. Biases start at zero,
            except with ``"torch"``.
        scale: Multiplies every first weight (the α of large and small initialisations).
        seed: The same seed gives the same network; torch's global generator is not used.

    Returns:
        A network of inputs whose first axis is the sample and whose others are flattened.

    Raises:
        UnknownName: If an activation, norm or init is not known.
        UsageError: If there are fewer than two widths, one is not positive, or there is no
            such layer to have a bias.
    """
    modules: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    modules |= _layers(
        widths, activation=activation, bias=bias, norm=norm, init=init, scale=scale, seed=seed
    )
    return nn.Sequential(modules)


def autoencoder(
    *widths: int,
    activation: Literal["relu", "tanh", "sigmoid", "gelu", "linear"] = "relu",
    bias: bool = True,
    init: Literal["he", "xavier", "orthogonal", "torch"] = "he",
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Module:
    """A fully connected autoencoder: layers down to a code, the same widths up again.

    Modules are ``encoder.fc1``, ``encoder.act1``, ... and ``decoder.fc1``, ... . Code and output
    are bare. Train it with the inputs as targets, flattened.

    Args:
        widths: Number of inputs, of units in each layer of the encoder, and of the code.
        activation: What follows every layer but the code's and the output's.
        bias: Whether layers have one.
        init: How weights are drawn; see `ridgeline.nets.initialise.fill`.
        scale: Multiplies every first weight.
        seed: The same seed gives the same network; torch's global generator is not used.

    Returns:
        A network of inputs whose axes but the first are flattened, with outputs (N, widths[0]).

    Raises:
        UnknownName: If an activation or init is not known.
        UsageError: If there are fewer than two widths, or one is not positive.
    """
    options = {"activation": activation, "bias": bias, "init": init, "scale": scale, "seed": seed}
    encoder = _layers(widths, prefix="encoder.", norm=None, **options)  # type: ignore[arg-type]  # options are checked by the function
    decoder = _layers(widths[::-1], prefix="decoder.", norm=None, **options)  # type: ignore[arg-type]  # options are checked by the function
    return Autoencoder(nn.Sequential(encoder), nn.Sequential(decoder))


class Autoencoder(nn.Module):
    """An encoder and a decoder."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction, flattened: (N, inputs)."""
        return self.decoder(self.encoder(x.flatten(1)))


def _layers(
    widths: Sequence[int],
    *,
    activation: str,
    bias: Biases,
    norm: str | None,
    init: str,
    scale: float,
    seed: int,
    prefix: str = "",
) -> "OrderedDict[str, nn.Module]":
    """Linear layers with what stands between them; `prefix` names their streams."""
    if activation not in ACTIVATIONS:
        raise UnknownName("kind of activation", activation, ACTIVATIONS)
    if norm is not None and norm not in NORMS:
        raise UnknownName("norm", norm, NORMS, "Or None.")
    if len(widths) < 2:
        raise UsageError(
            "A network needs at least a number of inputs and a number of outputs.",
            got=repr(tuple(widths)),
            remedy="Write them in order, as in `fcn(784, 256, 10)`.",
        )
    check_scale(scale)
    check_positive(**{f"widths[{i}]": width for i, width in enumerate(widths)})
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    last = len(widths) - 1
    biased = _biased(bias, last)
    for k, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=1):
        layer = modules[f"fc{k}"] = blank(nn.Linear, inputs, outputs, bias=k in biased)
        fill(layer, f"{prefix}fc{k}", init=init, seed=seed, scale=scale)
        if k < last:
            if norm is not None:
                modules[f"norm{k}"] = NORMS[norm](outputs)
            modules[f"act{k}"] = ACTIVATIONS[activation]()
    return modules


def _biased(bias: Biases, last: int) -> set[int]:
    """The numbers of the layers that have a bias."""
    if isinstance(bias, bool):
        return set(range(1, last + 1)) if bias else set()
    if bias == "last":
        return {last}
    if isinstance(bias, str) or not all(isinstance(k, int) and 1 <= k <= last for k in bias):
        raise UsageError(
            f"`bias` is true, false, 'last', or numbers of layers from 1 to {last}.",
            got=repr(bias),
        )
    return set(bias)
