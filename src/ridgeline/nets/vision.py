"""Small vision transformers.

Reference: Dosovitskiy et al. (2021), "An Image is Worth 16x16 Words". Differs in: query, key and
value are layers of their own, and weights start as GPT-2's (normal, deviation 0.02).

Shapes: N images, C channels, P patches, W width of the model.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from ridgeline.errors import UnknownName, UsageError
from ridgeline.nets.attention import Block, draw
from ridgeline.nets.initialise import blank, check_positive

__all__ = ["vit"]

POOLED = ("class", "mean")


def vit(
    classes: int = 10,
    channels: int = 3,
    size: int = 32,
    patch: int = 4,
    width: int = 64,
    heads: int = 4,
    depth: int = 4,
    pooled: Literal["class", "mean"] = "class",
    seed: int = 0,
    *,
    scale: float = 1.0,
) -> nn.Module:
    """An encoder of `depth` blocks over the patches of an image.

    Modules are ``patch``, ``position``, ``blocks.0.norm1``, ``blocks.0.attention.query`` (``key``,
    ``value``, ``out``), ``blocks.0.norm2``, ``blocks.0.up``, ``blocks.0.down``, ``norm``, ``head``;
    the class token, if there is one, is the parameter ``token``.

    Args:
        classes: Number of outputs.
        channels: Channels of an image.
        size: Height and width of an image.
        patch: Height and width of a patch; divides `size`.
        width: Width of the residual stream.
        heads: Number of heads; divides `width`.
        depth: Number of blocks.
        pooled: What the head sees: the stream at a class token, or its mean over patches.
        seed: The same seed gives the same network; torch's global generator is not used.
        scale: Multiplies every first weight.

    Returns:
        A network of images (N, channels, size, size), with logits (N, classes).

    Raises:
        UnknownName: If the pooling is not known.
        UsageError: If a size is not positive or does not divide as it must.
    """
    check_positive(classes=classes, channels=channels, size=size, patch=patch)
    check_positive(width=width, heads=heads, depth=depth)
    if size % patch:
        raise UsageError("`patch` must divide `size`.", got=f"patch={patch}, size={size}")
    if width % heads:
        raise UsageError("`heads` must divide `width`.", got=f"heads={heads}, width={width}")
    if pooled not in POOLED:
        raise UnknownName("pooling", pooled, POOLED)
    patches = (size // patch) ** 2
    model = VisionTransformer(classes, channels, patch, patches, width, heads, depth, pooled)
    draw(model, depth, seed, scale)
    return model


class VisionTransformer(nn.Module):
    """Patches, positions, blocks, norm, head."""

    def __init__(
        self,
        classes: int,
        channels: int,
        patch: int,
        patches: int,
        width: int,
        heads: int,
        depth: int,
        pooled: str,
    ) -> None:
        super().__init__()
        self.patch = blank(nn.Conv2d, channels, width, patch, stride=patch)
        first = pooled == "class"
        self.token = nn.Parameter(torch.zeros(1, 1, width)) if first else None
        self.position = blank(nn.Embedding, patches + first, width)
        self.blocks = nn.Sequential(*(Block(width, heads, causal=False) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = blank(nn.Linear, width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x_NPW = self.patch(x).flatten(2).transpose(1, 2)
        if self.token is not None:
            x_NPW = torch.cat([self.token.expand(len(x_NPW), -1, -1), x_NPW], dim=1)
        x_NPW = self.norm(self.blocks(x_NPW + self.position.weight))
        return self.head(x_NPW[:, 0] if self.token is not None else x_NPW.mean(1))
