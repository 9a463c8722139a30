"""LeNet-5.

Reference: LeCun, Bottou, Bengio & Haffner (1998), "Gradient-Based Learning Applied to Document
Recognition", figure 2. Differs in: pooling takes the maximum and has no weights, the second
convolution sees all channels, and the last layer is linear with a softmax in the loss. With 28
by 28 images this is the 61,706-parameter network that goes by the name today. LeNet-300-100 is
``fcn(784, 300, 100, 10)``.
"""

from collections import OrderedDict
from typing import Literal

from torch import nn

from ridgeline.errors import UsageError
from ridgeline.nets.initialise import INITS, blank, check_finite, check_positive, fill
from ridgeline.nets.layers import ACTIVATIONS, Activation, Biases, Init, biased, check_known

__all__ = ["lenet"]

SIZES = (28, 32)


def lenet(
    classes: int = 10,
    channels: int = 1,
    size: Literal[28, 32] = 28,
    *,
    activation: Activation = "relu",
    bias: Biases = True,
    init: Init = "he",
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Sequential:
    """LeNet-5 with max-pooling.

    Modules are ``conv1``, ``act1``, ``pool1``, ``conv2``, ``act2``, ``pool2``, ``flatten``,
    ``fc1``, ``act3``, ``fc2``, ``act4``, ``fc3``.

    Args:
        classes: Number of outputs.
        channels: Channels of an image.
        size: Height and width of an image. One of 28 is padded to the 32 of the paper.
        activation: What follows every layer but the last.
        bias: Whether layers have one; see `fcn`. The five layers are counted in order.
        init: How weights are drawn; see `ridgeline.nets.initialise.fill`.
        scale: Multiplies every first weight.
        seed: The same seed gives the same network; torch's global generator is not used.

    Returns:
        A network of images (N, channels, size, size), with logits (N, classes).

    Raises:
        UnknownName: If an activation or init is not known.
        UsageError: If the size is neither 28 nor 32, another size is not positive, `scale` is
            not finite, or there is no layer of a number in `bias`.
    """
    check_known("kind of activation", activation, [*ACTIVATIONS])
    check_known("way to initialise", init, INITS)
    check_positive(classes=classes, channels=channels)
    check_finite(scale=scale)
    if size not in SIZES:
        raise UsageError("LeNet's images are 28 or 32 pixels wide and high.", got=f"size={size!r}")
    b1, b2, b3, b4, b5 = biased(bias, 5)
    act = ACTIVATIONS[activation]
    modules: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=blank(nn.Conv2d, channels, 6, 5, padding=(32 - size) // 2, bias=b1),
        act1=act(),
        pool1=nn.MaxPool2d(2),
        conv2=blank(nn.Conv2d, 6, 16, 5, bias=b2),
        act2=act(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=blank(nn.Linear, 16 * 5 * 5, 120, bias=b3),
        act3=act(),
        fc2=blank(nn.Linear, 120, 84, bias=b4),
        act4=act(),
        fc3=blank(nn.Linear, 84, classes, bias=b5),
    )
    for name, layer in modules.items():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fill(layer, name, init=init, seed=seed, scale=scale)
    return nn.Sequential(modules)
