"""Plain convolutional networks: VGG and LeNet.

References: Simonyan & Zisserman (2015), "Very Deep Convolutional Networks for Large-Scale Image
Recognition", table 1, with the head that is usual on CIFAR (one linear layer; the paper's three
are for 224 x 224); LeCun et al. (1998), "Gradient-Based Learning Applied to Document
Recognition", figure 2 (LeNet-5), with the maxima, full second layer and ReLU that are usual now.
"""

import itertools
from collections import OrderedDict
from typing import Literal, TypeVar

from torch import Tensor, nn

from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets.fully_connected import ACTIVATIONS
from ridgeline.nets.initialise import blank, check_positive, check_scale, fill
from ridgeline.nets.norms import norm_of

__all__ = ["lenet", "vgg", "vgg11", "vgg16"]

POOL = 0
PLANS: dict[int, tuple[int, ...]] = {
    11: (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
    13: (64, 64, POOL, 128, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
    16: (
        *(64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL),
        *(512, 512, 512, POOL, 512, 512, 512, POOL),
    ),
    19: (
        *(64, 64, POOL, 128, 128, POOL, 256, 256, 256, 256, POOL),
        *(512, 512, 512, 512, POOL, 512, 512, 512, 512, POOL),
    ),
}
"""Channels of each convolution, by the number of weight layers of the paper's network."""


def vgg(
    depth: int = 16,
    classes: int = 10,
    width: float = 1.0,
    norm: Literal["batch", "layer"] | None = None,
    channels: int = 3,
    bias: bool = True,
    seed: int = 0,
    *,
    init: Literal["he", "xavier", "orthogonal", "torch"] = "he",
    scale: float = 1.0,
) -> nn.Module:
    """A VGG for small images: the paper's convolutions, then one linear layer.

    Modules are ``features.0`` and so on, numbered as torchvision numbers them, and ``classifier``.

    Args:
        depth: 11, 13, 16 or 19: the paper's count, its three linear layers included.
        classes: Number of outputs.
        width: Multiplies the channels of every convolution.
        norm: What stands between a convolution and its ReLU.
        channels: Channels of an image.
        bias: Whether convolutions and the classifier have one.
        seed: The same seed gives the same network; torch's global generator is not used.
        init: How weights are drawn; see `ridgeline.nets.initialise.fill`.
        scale: Multiplies every first weight.

    Returns:
        A network of images (N, channels, H, W), of 28 x 28 or 32 x 32; of larger ones the last
        feature maps are averaged. Poolings round up, so that five of them leave one pixel of 28.

    Raises:
        UnknownName: If the depth, norm or init is not known.
        UsageError: If a size is not positive.
    """
    check_positive(classes=classes, channels=channels)
    check_scale(scale)
    if depth not in PLANS:
        raise UnknownName("depth of a VGG", str(depth), map(str, PLANS))
    if not width > 0:
        raise UsageError("`width` must be positive.", got=repr(width))
    features: list[nn.Module] = []
    before = channels
    for planned in PLANS[depth]:
        if planned == POOL:
            features.append(nn.MaxPool2d(2, ceil_mode=True))
            continue
        after = max(1, round(planned * width))
        features.append(blank(nn.Conv2d, before, after, 3, padding=1, bias=bias))
        features += [norm_of(norm, after)] if norm is not None else []
        features.append(nn.ReLU())
        before = after
    return _filled(_Plain(features, before, classes, bias), init, scale, seed)


def vgg11(
    classes: int = 10,
    width: float = 1.0,
    norm: Literal["batch", "layer"] | None = None,
    channels: int = 3,
    bias: bool = True,
    seed: int = 0,
    *,
    init: Literal["he", "xavier", "orthogonal", "torch"] = "he",
    scale: float = 1.0,
) -> nn.Module:
    """`vgg` of depth 11."""
    return vgg(11, classes, width, norm, channels, bias, seed, init=init, scale=scale)


def vgg16(
    classes: int = 10,
    width: float = 1.0,
    norm: Literal["batch", "layer"] | None = None,
    channels: int = 3,
    bias: bool = True,
    seed: int = 0,
    *,
    init: Literal["he", "xavier", "orthogonal", "torch"] = "he",
    scale: float = 1.0,
) -> nn.Module:
    """`vgg` of depth 16."""
    return vgg(16, classes, width, norm, channels, bias, seed, init=init, scale=scale)


class _Plain(nn.Module):
    """Convolutions, the mean over what is left of the image, one linear layer."""

    def __init__(self, features: list[nn.Module], width: int, classes: int, bias: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.classifier = blank(nn.Linear, width, classes, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        return self.classifier(self.features(x).mean((2, 3)))


def lenet(
    classes: int = 10,
    channels: int = 1,
    size: int = 28,
    activation: Literal["relu", "tanh", "sigmoid", "gelu", "linear"] = "relu",
    seed: int = 0,
    *,
    init: Literal["he", "xavier", "orthogonal", "torch"] = "he",
    scale: float = 1.0,
) -> nn.Sequential:
    """LeNet-5: two convolutions with maxima, three linear layers.

    Modules are ``conv1``, ``act1``, ``pool1``, ``conv2``, ``act2``, ``pool2``, ``flatten``,
    ``fc1``, ``act3``, ``fc2``, ``act4``, ``fc3``. (LeNet-300-100 is ``fcn(784, 300, 100, 10)``.)

    Args:
        classes: Number of outputs.
        channels: Channels of an image.
        size: Height and width of an image; those of 28 are padded to the paper's 32.
        activation: What follows every layer but the last.
        seed: The same seed gives the same network; torch's global generator is not used.
        init: How weights are drawn; see `ridgeline.nets.initialise.fill`.
        scale: Multiplies every first weight.

    Returns:
        A network of images (N, channels, size, size).

    Raises:
        UnknownName: If the activation or the init is not known.
        UsageError: If a size is not positive, or images are too small for two poolings.
    """
    check_positive(classes=classes, channels=channels, size=size)
    check_scale(scale)
    if activation not in ACTIVATIONS:
        raise UnknownName("kind of activation", activation, ACTIVATIONS)
    padding = 2 if size <= 28 else 0
    left = ((size + 2 * padding - 4) // 2 - 4) // 2
    if left < 1:
        raise UsageError("Images of a LeNet are at least 12 x 12.", got=f"{size} x {size}")
    act = ACTIVATIONS[activation]
    modules: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=blank(nn.Conv2d, channels, 6, 5, padding=padding),
        act1=act(),
        pool1=nn.MaxPool2d(2),
        conv2=blank(nn.Conv2d, 6, 16, 5),
        act2=act(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
    )
    widths = (16 * left * left, 120, 84, classes)
    for k, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=1):
        modules[f"fc{k}"] = blank(nn.Linear, inputs, outputs)
        if k < 3:
            modules[f"act{k + 2}"] = act()
    return _filled(nn.Sequential(modules), init, scale, seed)


Net = TypeVar("Net", bound=nn.Module)


def _filled(model: Net, init: str, scale: float, seed: int) -> Net:
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fill(layer, name, init=init, seed=seed, scale=scale)
    return model
