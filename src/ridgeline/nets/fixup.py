"""Residual networks without normalisation that start as the identity.

Reference: Zhang, Dauphin & Ma (2019), "Fixup Initialization: Residual Learning Without
Normalization". Each branch has a scalar bias before each convolution and each activation, and
a scalar multiplier; the last convolution of each branch and the classifier start at zero; the
other convolutions of a branch of m layers start smaller by L^(-1/(2m-2)), L branches in all:
with m = 2, by L^(-1/2). Scalars are named as in hongyi-zhang/Fixup. Differs in: shortcuts
that change shape are projections, as in that code's networks for ImageNet, where those for
CIFAR pad with zeros; He's rule counts fan-in, where that code counts fan-out.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ridgeline.nets.initialise import blank
from ridgeline.nets.layers import convolution, stages

__all__ = ["FixupResNet"]


def _scalar(value: float) -> nn.Parameter:
    return nn.Parameter(torch.full((1,), value))


class FixupBlock(nn.Module):
    """Two convolutions and a shortcut, with four biases and a multiplier, each one number."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bias1a = _scalar(0.0)
        self.conv1 = convolution(inputs, outputs, 3, stride, bias=False)
        self.bias1b = _scalar(0.0)
        self.relu = nn.ReLU()
        self.bias2a = _scalar(0.0)
        self.conv2 = convolution(outputs, outputs, 3, 1, bias=False)
        self.scale = _scalar(1.0)
        self.bias2b = _scalar(0.0)
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.downsample.append(convolution(inputs, outputs, 1, stride, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        branch = self.relu(self.conv1(x + self.bias1a) + self.bias1b)
        branch = self.conv2(branch + self.bias2a) * self.scale + self.bias2b
        shortcut = self.downsample(x + self.bias1a) if len(self.downsample) else x
        return self.relu(branch + shortcut)


class FixupResNet(nn.Module):
    """A convolution, stages of blocks, the mean over positions, a linear layer."""

    def __init__(self, blocks: Sequence[int], classes: int, width: int, channels: int) -> None:
        super().__init__()
        self.conv1 = convolution(channels, width, 3, 1, bias=False)
        self.bias1 = _scalar(0.0)
        self.relu = nn.ReLU()
        self.stages: list[str] = []
        for name, stage in stages(FixupBlock, blocks, width):
            self.add_module(name, stage)
            self.stages.append(name)
        self.bias2 = _scalar(0.0)
        self.fc = blank(nn.Linear, width * 2 ** (len(blocks) - 1), classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.relu(self.conv1(x) + self.bias1)
        for name in self.stages:
            x = self.get_submodule(name)(x)
        return self.fc(x.mean((2, 3)) + self.bias2)

    @torch.no_grad()
    def silence(self) -> None:
        """Set to zero what starts there: the end of each branch, and the classifier."""
        for module in self.modules():
            if isinstance(module, FixupBlock):
                module.conv2.weight.zero_()
        self.fc.weight.zero_()
        self.fc.bias.zero_()
