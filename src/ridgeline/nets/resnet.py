"""Residual networks for small images.

Reference: He, Zhang, Ren & Sun (2015), "Deep Residual Learning for Image Recognition",
section 4.2. Differs in: shortcuts that change shape are projections (option B), where the
paper's CIFAR networks pad with zeros (option A). Padding ties the channels of one stage to
those of the next, which leaves fewer permutations for alignment.
"""

from typing import Literal

from torch import Tensor, nn

from ridgeline.errors import UnknownName
from ridgeline.nets.initialise import blank, check_positive, fill

__all__ = ["resnet20"]

STAGES, BLOCKS = 3, 3


def resnet20(
    classes: int = 10,
    width: int = 16,
    norm: Literal["batch"] | None = "batch",
    channels: int = 3,
    seed: int = 0,
) -> nn.Module:
    """The ResNet-20 of He et al. for 32 by 32 images, with projection shortcuts (option B).

    Modules are named as torchvision names them: ``conv1``, ``bn1``, ``layer1.0.conv1``,
    ``layer2.0.downsample.0``, ``fc``. Weights are drawn by He's rule and biases are zero.

    Args:
        classes: Number of outputs.
        width: Channels of the first stage; the others have two and four times as many.
        norm: Batch normalisation, or None. Without it convolutions have biases, and the last
            weight of each residual branch starts smaller by the root of their number, because
            the signal's variance would otherwise double with every block.
        channels: Channels of an image.
        seed: The same seed gives the same network; torch's global generator is not used.

    Returns:
        A network of images (N, channels, H, W), of any height and width from 4 up.

    Raises:
        UnknownName: If the norm is not known.
        UsageError: If a size is not positive.
    """
    if norm not in ("batch", None):
        raise UnknownName("norm", norm, ["batch"], "Or None.")
    check_positive(classes=classes, width=width, channels=channels)
    model = ResNet(classes, width, norm == "batch", channels)
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            ends_branch = norm is None and name.endswith("conv2")
            scale = (STAGES * BLOCKS) ** -0.5 if ends_branch else 1.0
            fill(layer, name, init="he", seed=seed, scale=scale)
    return model


def _convolution(inputs: int, outputs: int, size: int, stride: int, bias: bool) -> nn.Conv2d:
    padding = size // 2
    return blank(nn.Conv2d, inputs, outputs, size, stride=stride, padding=padding, bias=bias)


def _norm(channels: int, batch: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if batch else nn.Identity()


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, batch: bool) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs, outputs, 3, stride, not batch)
        self.bn1 = _norm(outputs, batch)
        self.conv2 = _convolution(outputs, outputs, 3, 1, not batch)
        self.bn2 = _norm(outputs, batch)
        self.relu = nn.ReLU()
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.downsample.append(_convolution(inputs, outputs, 1, stride, not batch))
            self.downsample.append(_norm(outputs, batch))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        branch = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(branch)) + self.downsample(x))


class ResNet(nn.Module):
    """Three stages of three blocks; the second and the third halve the image."""

    def __init__(self, classes: int, width: int, batch: bool, channels: int) -> None:
        super().__init__()
        self.conv1 = _convolution(channels, width, 3, 1, not batch)
        self.bn1 = _norm(width, batch)
        self.relu = nn.ReLU()
        self.layer1 = self._stage(width, width, 1, batch)
        self.layer2 = self._stage(width, 2 * width, 2, batch)
        self.layer3 = self._stage(2 * width, 4 * width, 2, batch)
        self.fc = blank(nn.Linear, 4 * width, classes)

    @staticmethod
    def _stage(inputs: int, outputs: int, stride: int, batch: bool) -> nn.Sequential:
        rest = (Block(outputs, outputs, 1, batch) for _ in range(BLOCKS - 1))
        return nn.Sequential(Block(inputs, outputs, stride, batch), *rest)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))
