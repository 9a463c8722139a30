"""Residual networks for small images.

References: He, Zhang, Ren & Sun (2015), "Deep Residual Learning for Image Recognition", section
4.2 (ResNet-20) and table 1 (ResNet-18, here with a stem of one 3 x 3 convolution and without
pooling, as is usual on CIFAR); Zhang, Dauphin & Ma (2019), "Fixup Initialization". Differs in:
shortcuts that change shape are projections (option B), where the first paper's CIFAR networks
pad with zeros (option A). Padding ties the channels of one stage to those of the next, which
leaves fewer permutations for alignment.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ridgeline.errors import UnknownName
from ridgeline.nets.initialise import blank, check_positive, check_scale, fill
from ridgeline.nets.norms import NORMS, norm_of

__all__ = ["resnet18", "resnet20"]

Norm = Literal["batch", "layer", "fixup"]


def resnet20(
    classes: int = 10,
    width: int = 16,
    norm: Norm | None = "batch",
    channels: int = 3,
    seed: int = 0,
    *,
    init: Literal["he", "xavier", "orthogonal", "torch"] = "he",
    scale: float = 1.0,
) -> nn.Module:
    """The ResNet-20 of He et al. for 32 by 32 images, with projection shortcuts (option B).

    Modules are named as torchvision names them: ``conv1``, ``bn1``, ``layer1.0.conv1``,
    ``layer2.0.downsample.0``, ``fc``; with Fixup, scalars are named as by its authors
    (``layer1.0.bias1a``, ``layer1.0.scale``).

    Args:
        classes: Number of outputs.
        width: Channels of the first stage; the others have two and four times as many.
        norm: Batch normalisation, layer normalisation over channels (`ChannelNorm`), Fixup, or
            None. With None convolutions have biases, and the last weight of each residual branch
            starts smaller by the root of their number, because the signal's variance would
            otherwise double with every block. With Fixup the last weight of each branch and the
            classifier start at zero and the others smaller by that root (its rule for branches
            of two layers), and each convolution has scalar biases in place of its own.
        channels: Channels of an image.
        seed: The same seed gives the same network; torch's global generator is not used.
        init: How weights are drawn; see `ridgeline.nets.initialise.fill`.
        scale: Multiplies every first weight.

    Returns:
        A network of images (N, channels, H, W), of any height and width from 4 up.

    Raises:
        UnknownName: If the norm or the init is not known.
        UsageError: If a size is not positive.
    """
    check_positive(classes=classes, width=width, channels=channels)
    widths = (width, 2 * width, 4 * width)
    return _built(ResNet(classes, widths, 3, norm, channels), norm, init, scale, seed)


def resnet18(
    classes: int = 10,
    width: int = 64,
    norm: Norm | None = "batch",
    channels: int = 3,
    seed: int = 0,
    *,
    init: Literal["he", "xavier", "orthogonal", "torch"] = "he",
    scale: float = 1.0,
) -> nn.Module:
    """The ResNet-18 of He et al. with the stem that is usual for 32 by 32 images.

    That stem is one 3 x 3 convolution of stride one, without pooling; names are torchvision's.

    Args:
        classes: Number of outputs.
        width: Channels of the first stage; the others have two, four and eight times as many.
        norm: As for `resnet20`.
        channels: Channels of an image.
        seed: The same seed gives the same network; torch's global generator is not used.
        init: How weights are drawn; see `ridgeline.nets.initialise.fill`.
        scale: Multiplies every first weight.

    Returns:
        A network of images (N, channels, H, W), of any height and width from 8 up.

    Raises:
        UnknownName: If the norm or the init is not known.
        UsageError: If a size is not positive.
    """
    check_positive(classes=classes, width=width, channels=channels)
    widths = (width, 2 * width, 4 * width, 8 * width)
    return _built(ResNet(classes, widths, 2, norm, channels), norm, init, scale, seed)


def _built(model: "ResNet", norm: str | None, init: str, scale: float, seed: int) -> nn.Module:
    """Draw the weights of a network."""
    check_scale(scale)
    smaller = model.branches**-0.5
    for name, layer in model.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        first, last = name.endswith(".conv1"), name.endswith(".conv2")
        shrunk = (norm is None and last) or (norm == "fixup" and first)
        fill(layer, name, init=init, seed=seed, scale=scale * (smaller if shrunk else 1.0))
        if norm == "fixup" and (last or name == "fc"):
            nn.init.zeros_(layer.weight)
    return model


def _convolution(inputs: int, outputs: int, size: int, stride: int, bias: bool) -> nn.Conv2d:
    padding = size // 2
    return blank(nn.Conv2d, inputs, outputs, size, stride=stride, padding=padding, bias=bias)


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: str | None) -> None:
        super().__init__()
        bias = norm is None
        self.conv1 = _convolution(inputs, outputs, 3, stride, bias)
        self.bn1 = norm_of(norm, outputs)
        self.conv2 = _convolution(outputs, outputs, 3, 1, bias)
        self.bn2 = norm_of(norm, outputs)
        self.relu = nn.ReLU()
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.downsample.append(_convolution(inputs, outputs, 1, stride, bias))
            self.downsample.append(norm_of(norm, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        branch = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(branch)) + self.downsample(x))


class FixupBlock(nn.Module):
    """Two convolutions with scalar biases, a scalar factor, and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bias1a, self.bias1b = (nn.Parameter(torch.zeros(1)) for _ in range(2))
        self.conv1 = _convolution(inputs, outputs, 3, stride, False)
        self.bias2a, self.bias2b = (nn.Parameter(torch.zeros(1)) for _ in range(2))
        self.conv2 = _convolution(outputs, outputs, 3, 1, False)
        self.scale = nn.Parameter(torch.ones(1))
        self.relu = nn.ReLU()
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.downsample.append(_convolution(inputs, outputs, 1, stride, False))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        shifted = x + self.bias1a
        branch = self.relu(self.conv1(shifted) + self.bias1b)
        branch = self.conv2(branch + self.bias2a) * self.scale + self.bias2b
        return self.relu(branch + (self.downsample(shifted) if len(self.downsample) else x))


class ResNet(nn.Module):
    """Stages of blocks; each but the first halves the image."""

    def __init__(
        self, classes: int, widths: Sequence[int], blocks: int, norm: str | None, channels: int
    ) -> None:
        super().__init__()
        if norm not in (*NORMS, "fixup", None):
            raise UnknownName("norm", str(norm), [*NORMS, "fixup"], "Or None.")
        self.conv1 = _convolution(channels, widths[0], 3, 1, norm is None)
        if norm == "fixup":
            self.bias1, self.bias2 = (nn.Parameter(torch.zeros(1)) for _ in range(2))
        else:
            self.bn1 = norm_of(norm, widths[0])
        self.relu = nn.ReLU()
        self.stages = len(widths)
        self.branches = blocks * len(widths)
        """Residual branches in all."""
        before = widths[0]
        for i, width in enumerate(widths, start=1):
            made = []
            for j in range(blocks):
                inputs, stride = (before, 1 if i == 1 else 2) if j == 0 else (width, 1)
                made.append(
                    FixupBlock(inputs, width, stride)
                    if norm == "fixup"
                    else Block(inputs, width, stride, norm)
                )
            self.add_module(f"layer{i}", nn.Sequential(*made))
            before = width
        self.fc = blank(nn.Linear, before, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        fixup = hasattr(self, "bias1")
        x = self.conv1(x)
        x = self.relu(x + self.bias1 if fixup else self.bn1(x))
        for i in range(1, self.stages + 1):
            x = self.get_submodule(f"layer{i}")(x)
        x = x.mean((2, 3))
        return self.fc(x + self.bias2 if fixup else x)
