"""VGG networks for small images.

Reference: Simonyan & Zisserman (2015), "Very Deep Convolutional Networks for Large-Scale Image
Recognition", table 1, columns A, B, D and E. Differs in: one linear layer follows the
convolutions, where the paper has three with dropout. So do the CIFAR variants of
kuangliu/pytorch-cifar, and of Frankle et al. (2020) in open_lth.
"""

import math
from collections import OrderedDict
from typing import Literal

from torch import nn

from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets.initialise import INITS, blank, check_finite, check_positive, fill
from ridgeline.nets.layers import (
    IMAGE_NORMS,
    Biases,
    Init,
    Norm,
    biased,
    check_known,
    convolution,
)

__all__ = ["vgg", "vgg11", "vgg16"]

STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions before each pooling."""
CHANNELS = (64, 128, 256, 512, 512)
"""Their channels, at the width of the paper."""
SMALLEST = 17
"""Five poolings halve an image of 17 to 9, 5, 3, 2 and 1; one of 16 is 1 after four."""


def vgg(
    depth: Literal[11, 13, 16, 19],
    classes: int = 10,
    channels: int = 3,
    size: int = 32,
    *,
    width: float = 1.0,
    norm: Norm | None = "batch",
    bias: Biases = True,
    init: Init = "he",
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Sequential:
    """A VGG network with one linear layer after its convolutions.

    Modules are named as torchvision names them, ``features.0`` and so on, and ``classifier``.
    Pooling rounds up, so that images of 28 pixels end as one pixel, like those of 32.

    Args:
        depth: Layers with weights in the paper's network, whose head has three; ours has one.
        classes: Number of outputs.
        channels: Channels of an image.
        size: Height and width of an image, at least 17.
        width: Multiplies the channels of every convolution.
        norm: What stands between a convolution and its ReLU: batch normalisation, layer
            normalisation over the channels at each position, or None.
        bias: Whether layers have one; see `fcn`. The convolutions are counted, then the head.
            As in torchvision they have one before a norm, too.
        init: How weights are drawn; see `ridgeline.nets.initialise.fill`.
        scale: Multiplies every first weight.
        seed: The same seed gives the same network; torch's global generator is not used.

    Returns:
        A network of images (N, channels, size, size), with logits (N, classes).

    Raises:
        UnknownName: If the depth, the norm or the init is not known.
        UsageError: If the images are too small for five poolings, another size or the width is
            not positive, `scale` is not finite, or there is no layer of a number in `bias`.
    """
    if depth not in STAGES:
        raise UnknownName("depth of a VGG network", str(depth), map(str, STAGES))
    check_known("norm", norm, [*IMAGE_NORMS], optional=True)
    check_known("way to initialise", init, INITS)
    check_positive(classes=classes, channels=channels, size=size)
    check_finite(width=width, scale=scale)
    if width <= 0:
        raise UsageError("`width` must be positive: it multiplies channels.", got=repr(width))
    if size < SMALLEST:
        raise UsageError(
            f"An image must be at least {SMALLEST} pixels wide and high: VGG halves it five times.",
            got=f"size={size}",
            remedy="Enlarge or pad the images, or take a network with fewer poolings.",
        )
    biases = iter(biased(bias, sum(STAGES[depth]) + 1))
    features: list[nn.Module] = []
    inputs = channels
    for count, full in zip(STAGES[depth], CHANNELS, strict=True):
        outputs = max(1, round(full * width))
        for _ in range(count):
            features.append(convolution(inputs, outputs, 3, 1, next(biases)))
            features += [] if norm is None else [IMAGE_NORMS[norm](outputs)]
            features.append(nn.ReLU())
            inputs = outputs
        features.append(nn.MaxPool2d(2, ceil_mode=True))
    pixels = math.ceil(size / 32) ** 2
    model = nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*features),
            flatten=nn.Flatten(),
            classifier=blank(nn.Linear, inputs * pixels, classes, bias=next(biases)),
        )
    )
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fill(layer, name, init=init, seed=seed, scale=scale)
    return model


def vgg11(
    classes: int = 10,
    channels: int = 3,
    size: int = 32,
    *,
    width: float = 1.0,
    norm: Norm | None = "batch",
    bias: Biases = True,
    init: Init = "he",
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Sequential:
    """`vgg` of depth 11: eight convolutions and a linear layer."""
    return vgg(
        11,
        classes,
        channels,
        size,
        width=width,
        norm=norm,
        bias=bias,
        init=init,
        scale=scale,
        seed=seed,
    )


def vgg16(
    classes: int = 10,
    channels: int = 3,
    size: int = 32,
    *,
    width: float = 1.0,
    norm: Norm | None = "batch",
    bias: Biases = True,
    init: Init = "he",
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Sequential:
    """`vgg` of depth 16: thirteen convolutions and a linear layer."""
    return vgg(
        16,
        classes,
        channels,
        size,
        width=width,
        norm=norm,
        bias=bias,
        init=init,
        scale=scale,
        seed=seed,
    )
