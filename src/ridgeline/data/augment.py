"""Augmentation of a whole batch at once, each image with its own draw from a given generator.

Shapes: N images, C channels, H rows, W columns.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ridgeline.errors import UsageError

__all__ = ["random_crop", "random_flip"]


def random_crop(
    images: Tensor,
    padding: int,
    *,
    generator: torch.Generator,
    mode: Literal["zero", "reflect"] = "zero",
) -> Tensor:
    """Pad each image on all sides and cut its own size out at a random place.

    Args:
        images: (N, C, H, W), floating.
        padding: Pixels on each side; the shift is uniform on ``-padding..padding`` in each
            direction.
        generator: Source of the places, on any device.
        mode: What to pad with: zeros, or the image mirrored at its edge.

    Returns:
        New images of the same shape.

    Raises:
        UsageError: If the images are not (N, C, H, W), or the padding is negative or, with
            ``"reflect"``, not smaller than the image.
    """
    _check(images)
    n, _, h, w = images.shape
    if padding < 0 or (mode == "reflect" and padding >= min(h, w)):
        raise UsageError(
            "Padding is not negative, and smaller than the image when it mirrors.",
            got=f"padding {padding} of {h} x {w} images, mode {mode!r}",
        )
    if padding == 0:
        return images.clone()
    wide = F.pad(images, (padding,) * 4, mode="constant" if mode == "zero" else "reflect")
    draw = {"generator": generator, "device": generator.device}
    top_N = torch.randint(2 * padding + 1, (n,), **draw).to(images.device)
    left_N = torch.randint(2 * padding + 1, (n,), **draw).to(images.device)
    rows_NH = top_N[:, None] + torch.arange(h, device=images.device)
    cols_NW = left_N[:, None] + torch.arange(w, device=images.device)
    which_N = torch.arange(n, device=images.device)
    # Indices on both sides of the channel axis put it last.
    cut_NHWC = wide[which_N[:, None, None], :, rows_NH[:, :, None], cols_NW[:, None, :]]
    return cut_NHWC.permute(0, 3, 1, 2).contiguous()


def random_flip(images: Tensor, *, generator: torch.Generator, probability: float = 0.5) -> Tensor:
    """Mirror each image left to right with the given probability.

    Args:
        images: (N, C, H, W), floating.
        generator: Source of the choice, on any device.
        probability: Of being mirrored.

    Returns:
        New images of the same shape.

    Raises:
        UsageError: If the images are not (N, C, H, W).
    """
    _check(images)
    drawn_N = torch.rand(len(images), generator=generator, device=generator.device)
    flip_N = (drawn_N < probability).to(images.device)
    return torch.where(flip_N[:, None, None, None], images.flip(3), images)


def _check(images: Tensor) -> None:
    if images.ndim != 4 or not images.is_floating_point():
        raise UsageError(
            "Images to be augmented are floating, of shape (N, C, H, W).",
            got=f"{images.dtype} of shape {tuple(images.shape)}",
        )
