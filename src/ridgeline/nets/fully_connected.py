"""Fully connected networks."""

import itertools
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from ridgeline.errors import UsageError
from ridgeline.nets.initialise import INITS, blank, check_finite, check_positive, fill
from ridgeline.nets.layers import (
    ACTIVATIONS,
    NORMS,
    Activation,
    Biases,
    Init,
    Norm,
    biased,
    check_known,
)

__all__ = ["chain", "fcn"]


def fcn(
    *widths: int,
    activation: Activation = "relu",
    bias: Biases = True,
    norm: Norm | None = None,
    init: Init = "he",
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Sequential:
    """A fully connected network.

    Its modules are ``flatten``, then ``fc1``, ``norm1`` (if there is a norm), ``act1``, and so
    on; the last is ``fcK``, bare. LeNet-300-100 (LeCun et al. 1998) is ``fcn(784, 300, 100, 10)``.

    Args:
        widths: Number of inputs, of units in each hidden layer, and of outputs.
        activation: What follows every layer but the last.
        bias: Whether layers have one: all, none, the ``"last"`` one only (Wang et al. 2023), or
            those with these numbers, as in ``bias=[1, 3]``.
        norm: What stands between a layer and its activation.
        init: How weights are drawn; see `ridgeline.nets.initialise.fill`. Biases start at zero,
            except with ``"torch"``.
        scale: Multiplies every first weight (the α of large and small initialisations).
        seed: The same seed gives the same network; torch's global generator is not used.

    Returns:
        A network of inputs whose first axis is the sample and whose others are flattened.

    Raises:
        UnknownName: If an activation, norm or init is not known.
        UsageError: If there are fewer than two widths, one is not positive, `scale` is not
            finite, or there is no layer of a number in `bias`.
    """
    if len(widths) < 2:
        raise UsageError(
            "A network needs at least a number of inputs and a number of outputs.",
            got=repr(widths),
            remedy="Write them in order, as in `fcn(784, 256, 10)`.",
        )
    layers = chain(
        widths,
        biases=biased(bias, len(widths) - 1),
        activation=activation,
        norm=norm,
        init=init,
        scale=scale,
        seed=seed,
    )
    return nn.Sequential(OrderedDict(flatten=nn.Flatten(), **layers))


def chain(
    widths: Sequence[int],
    *,
    biases: Sequence[bool],
    activation: str,
    norm: str | None,
    init: str,
    scale: float,
    seed: int,
    prefix: str = "",
    bare: bool = True,
) -> dict[str, nn.Module]:
    """Fully connected layers in a row: ``fc1``, ``norm1``, ``act1``, ``fc2``, ...

    Args:
        widths: Number of inputs, and of units in each layer.
        biases: Whether each layer has biases.
        activation: What follows a layer.
        norm: What stands between a layer and its activation.
        init: How weights are drawn.
        scale: Multiplies every weight.
        seed: The network's seed.
        prefix: Of the layers' names in the network, as in ``"encoder."``; it names the streams.
        bare: Whether nothing follows the last layer.

    Returns:
        The modules by name.

    Raises:
        UnknownName: If an activation, norm or init is not known.
        UsageError: If a width is not positive, or `scale` is not finite.
    """
    check_known("kind of activation", activation, [*ACTIVATIONS])
    check_known("norm", norm, [*NORMS], optional=True)
    check_known("way to initialise", init, INITS)
    check_finite(scale=scale)
    check_positive(**{f"widths[{i}]": width for i, width in enumerate(widths)})
    modules: dict[str, nn.Module] = {}
    last = len(widths) - 1
    for k, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=1):
        layer = modules[f"fc{k}"] = blank(nn.Linear, inputs, outputs, bias=biases[k - 1])
        fill(layer, f"{prefix}fc{k}", init=init, seed=seed, scale=scale)
        if k < last or not bare:
            if norm is not None:
                modules[f"norm{k}"] = NORMS[norm](outputs)
            modules[f"act{k}"] = ACTIVATIONS[activation]()
    return modules
