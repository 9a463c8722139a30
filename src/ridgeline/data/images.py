"""Pixels to numbers that a network likes: batched, without a loop over images."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ridgeline.errors import DataError

__all__ = ["STATISTICS", "normalise", "to_unit"]

STATISTICS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "mnist": ((0.1307,), (0.3081,)),
    "fashion-mnist": ((0.2860,), (0.3530,)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
}
"""Mean and standard deviation per channel of the training images, pixels in [0, 1]."""


def to_unit(pixels: Tensor) -> Tensor:
    """Bytes as float32 in [0, 1]."""
    return pixels.to(torch.float32).div_(255)


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Shift and scale each channel.

    Args:
        images: Float images (N, C, H, W).
        mean: What to subtract, one number per channel.
        std: What to divide by, one number per channel.

    Returns:
        New images.

    Raises:
        DataError: If the channels do not match.
    """
    if images.ndim != 4 or not images.shape[1] == len(mean) == len(std):
        raise DataError(
            "Images are (N, C, H, W), with a mean and a deviation for each channel.",
            got=f"shape {tuple(images.shape)}, {len(mean)} means and {len(std)} deviations",
        )
    shape = (1, -1, 1, 1)
    return (images - images.new_tensor(mean).view(shape)) / images.new_tensor(std).view(shape)
