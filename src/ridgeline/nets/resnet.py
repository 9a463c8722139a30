"""Residual networks for small images.

Reference: He, Zhang, Ren & Sun (2015), "Deep Residual Learning for Image Recognition": section
4.2 for the narrow ones of three stages, table 1 for ResNet-18. Differs in: shortcuts that change
shape are projections (option B), where the paper's CIFAR networks pad with zeros (option A).
Padding ties the channels of one stage to those of the next, which leaves fewer permutations for
alignment. ResNet-18 begins with a 3 by 3 convolution and no pooling, as is usual for 32 by 32
images; the paper's begins with 7 by 7 and a pooling.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from torch import Tensor, nn

from ridgeline.errors import UnknownName
from ridgeline.nets.fixup import FixupResNet
from ridgeline.nets.initialise import INITS, blank, check_finite, check_positive, fill
from ridgeline.nets.layers import IMAGE_NORMS, Init, check_known, convolution, stages

__all__ = ["resnet18", "resnet20", "resnet_cifar"]

ResidualNorm = Literal["batch", "layer", "fixup"]

BLOCKS = {20: 3, 32: 5, 44: 7, 56: 9, 110: 18}
"""Blocks in each of the three stages of the paper's CIFAR networks."""


def resnet20(
    classes: int = 10,
    width: int = 16,
    norm: ResidualNorm | None = "batch",
    channels: int = 3,
    seed: int = 0,
    *,
    init: Init = "he",
    scale: float = 1.0,
) -> nn.Module:
    """The ResNet-20 of He et al. for 32 by 32 images, with projection shortcuts (option B).

    See `resnet_cifar`, of which this is the one of depth 20.
    """
    return resnet_cifar(20, classes, width, norm, channels, seed, init=init, scale=scale)


def resnet_cifar(
    depth: Literal[20, 32, 44, 56, 110],
    classes: int = 10,
    width: int = 16,
    norm: ResidualNorm | None = "batch",
    channels: int = 3,
    seed: int = 0,
    *,
    init: Init = "he",
    scale: float = 1.0,
) -> nn.Module:
    """A ResNet of three stages for 32 by 32 images, with projection shortcuts (option B).

    Modules are named as torchvision names them: ``conv1``, ``bn1``, ``layer1.0.conv1``,
    ``layer2.0.downsample.0``, ``fc``; ``bn1`` is the norm, whichever it is. Biases are zero.

    Args:
        depth: Layers with weights, besides projections.
        classes: Number of outputs.
        width: Channels of the first stage; the others have two and four times as many.
        norm: Batch normalisation, layer normalisation over the channels at each position,
            ``"fixup"`` (see `ridgeline.nets.fixup`), or None. With None convolutions have
            biases, and the last weight of each residual branch starts smaller by the root of
            their number, because the signal's variance would otherwise double with every block.
        channels: Channels of an image.
        seed: The same seed gives the same network; torch's global generator is not used.
        init: How weights are drawn; see `ridgeline.nets.initialise.fill`.
        scale: Multiplies every first weight.

    Returns:
        A network of images (N, channels, H, W), of any height and width from 4 up.

    Raises:
        UnknownName: If the depth, the norm or the init is not known.
        UsageError: If a size is not positive, or `scale` is not finite.
    """
    if depth not in BLOCKS:
        raise UnknownName("depth of a ResNet for CIFAR", str(depth), map(str, BLOCKS))
    return _build((BLOCKS[depth],) * 3, classes, width, norm, channels, seed, init, scale)


def resnet18(
    classes: int = 10,
    width: int = 64,
    norm: ResidualNorm | None = "batch",
    channels: int = 3,
    seed: int = 0,
    *,
    init: Init = "he",
    scale: float = 1.0,
) -> nn.Module:
    """The ResNet-18 of He et al. with the first layer that is usual for 32 by 32 images.

    Four stages of two blocks. Modules are named as torchvision names them.

    Args:
        classes: Number of outputs.
        width: Channels of the first stage; the others have two, four and eight times as many.
        norm: As for `resnet_cifar`.
        channels: Channels of an image.
        seed: The same seed gives the same network; torch's global generator is not used.
        init: How weights are drawn; see `ridgeline.nets.initialise.fill`.
        scale: Multiplies every first weight.

    Returns:
        A network of images (N, channels, H, W), of any height and width from 8 up.

    Raises:
        UnknownName: If the norm or the init is not known.
        UsageError: If a size is not positive, or `scale` is not finite.
    """
    return _build((2, 2, 2, 2), classes, width, norm, channels, seed, init, scale)


def _build(
    blocks: Sequence[int],
    classes: int,
    width: int,
    norm: str | None,
    channels: int,
    seed: int,
    init: str,
    scale: float,
) -> nn.Module:
    check_known("norm", norm, [*IMAGE_NORMS, "fixup"], optional=True)
    check_known("way to initialise", init, INITS)
    check_positive(classes=classes, width=width, channels=channels)
    check_finite(scale=scale)
    if norm == "fixup":
        model = FixupResNet(blocks, classes, width, channels)
    else:
        model = ResNet(blocks, classes, width, norm, channels)
    # The one weight of a branch that is smaller by the root of the number of branches.
    smaller = {None: ".conv2", "fixup": ".conv1"}.get(norm)
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            ends = smaller is not None and name.endswith(smaller)
            factor = sum(blocks) ** -0.5 if ends else 1.0
            fill(layer, name, init=init, seed=seed, scale=scale * factor)
    if isinstance(model, FixupResNet):
        model.silence()
    return model


def _norm(channels: int, norm: str | None) -> nn.Module:
    return nn.Identity() if norm is None else IMAGE_NORMS[norm](channels)


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: str | None) -> None:
        super().__init__()
        bias = norm is None
        self.conv1 = convolution(inputs, outputs, 3, stride, bias)
        self.bn1 = _norm(outputs, norm)
        self.conv2 = convolution(outputs, outputs, 3, 1, bias)
        self.bn2 = _norm(outputs, norm)
        self.relu = nn.ReLU()
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.downsample.append(convolution(inputs, outputs, 1, stride, bias))
            self.downsample.append(_norm(outputs, norm))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        branch = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(branch)) + self.downsample(x))


class ResNet(nn.Module):
    """A convolution, stages of blocks, the mean over positions, a linear layer."""

    def __init__(
        self, blocks: Sequence[int], classes: int, width: int, norm: str | None, channels: int
    ) -> None:
        super().__init__()
        self.conv1 = convolution(channels, width, 3, 1, norm is None)
        self.bn1 = _norm(width, norm)
        self.relu = nn.ReLU()
        self.stages: list[str] = []
        for name, stage in stages(partial(Block, norm=norm), blocks, width):
            self.add_module(name, stage)
            self.stages.append(name)
        self.fc = blank(nn.Linear, width * 2 ** (len(blocks) - 1), classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.relu(self.bn1(self.conv1(x)))
        for name in self.stages:
            x = self.get_submodule(name)(x)
        return self.fc(x.mean((2, 3)))
