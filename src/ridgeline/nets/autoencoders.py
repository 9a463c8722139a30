"""Fully connected autoencoders.

Reference: Lucas, Bae, Zhang, Fort, Zemel & Grosse (2021), "Analyzing Monotonic Linear
Interpolation in Neural Network Loss Landscapes", whose reconstruction problems use
784-512-h-512-784 with ReLU after every layer but the last, the code's layer included.
"""

from collections import OrderedDict

from torch import nn

from ridgeline.errors import UsageError
from ridgeline.nets.fully_connected import chain
from ridgeline.nets.layers import Activation, Biases, Init, Norm, biased

__all__ = ["autoencoder"]


def autoencoder(
    *widths: int,
    activation: Activation = "relu",
    bias: Biases = True,
    norm: Norm | None = None,
    init: Init = "he",
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Sequential:
    """An encoder, and a decoder that mirrors it.

    Modules are ``flatten``, ``encoder.fc1``, ``encoder.norm1`` (if there is a norm),
    ``encoder.act1``, and so on; then ``decoder.fc1`` and so on, the last of them bare. As a
    function it is `fcn` with the widths written there and back: ``autoencoder(784, 512, 32)``
    has the layers of ``fcn(784, 512, 32, 512, 784)``.

    Args:
        widths: Number of inputs, of units in each layer of the encoder, and of the code.
        activation: What follows every layer but the last.
        bias: Whether layers have one; see `fcn`. Layers are counted through both halves.
        norm: What stands between a layer and its activation.
        init: How weights are drawn; see `ridgeline.nets.initialise.fill`.
        scale: Multiplies every first weight.
        seed: The same seed gives the same network; torch's global generator is not used.

    Returns:
        A network of inputs (N, ...), flattened to (N, W), with reconstructions (N, W).

    Raises:
        UnknownName: If an activation, norm or init is not known.
        UsageError: If there are fewer than two widths, one is not positive, `scale` is not
            finite, or there is no layer of a number in `bias`.
    """
    if len(widths) < 2:
        raise UsageError(
            "An autoencoder needs at least a number of inputs and a width of its code.",
            got=repr(widths),
            remedy="Write them in order, as in `autoencoder(784, 512, 32)`.",
        )
    layers = len(widths) - 1
    biases = biased(bias, 2 * layers)
    halves: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for half, there, its_biases in (
        ("encoder", widths, biases[:layers]),
        ("decoder", widths[::-1], biases[layers:]),
    ):
        modules = chain(
            there,
            biases=its_biases,
            activation=activation,
            norm=norm,
            init=init,
            scale=scale,
            seed=seed,
            prefix=f"{half}.",
            bare=half == "decoder",
        )
        halves[half] = nn.Sequential(OrderedDict(modules))
    return nn.Sequential(halves)
