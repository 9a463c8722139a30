"""Vision transformers.

Reference: Dosovitskiy et al. (2021), "An Image is Worth 16x16 Words". Differs in: blocks and
first weights are those of `ridgeline.nets.attention`; there is no dropout.

Shapes: N images, C channels, T tokens, W width of the model.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from ridgeline.errors import UsageError
from ridgeline.nets.attention import Block, check_heads, draw
from ridgeline.nets.initialise import blank, check_finite, check_positive
from ridgeline.nets.layers import check_known

__all__ = ["vit"]


def vit(
    classes: int = 10,
    channels: int = 3,
    size: int = 32,
    *,
    patch: int = 4,
    width: int = 64,
    heads: int = 4,
    depth: int = 4,
    pool: Literal["token", "mean"] = "token",
    scale: float = 1.0,
    seed: int = 0,
) -> nn.Module:
    """A vision transformer of `depth` blocks.

    Modules are ``patch``, ``token`` (if there is a class token), ``position``,
    ``blocks.0.attention.query`` and so on as in `transformer`, ``norm``, ``head``. The class
    token is the first of the sequence.

    Args:
        classes: Number of outputs.
        channels: Channels of an image.
        size: Height and width of an image.
        patch: Height and width of a patch; divides `size`.
        width: Width of the residual stream.
        heads: Number of heads; divides `width`.
        depth: Number of blocks.
        pool: What the head sees: the class ``"token"``, or the ``"mean"`` of the patches, and
            then there is no class token.
        scale: Multiplies every first weight, token and positions too.
        seed: The same seed gives the same network; torch's global generator is not used.

    Returns:
        A network of images (N, channels, size, size), with logits (N, classes).

    Raises:
        UnknownName: If the pooling is not known.
        UsageError: If a size is not positive, `heads` does not divide `width`, `patch` does not
            divide `size`, or `scale` is not finite.
    """
    check_known("pooling", pool, ["token", "mean"])
    check_positive(classes=classes, channels=channels, size=size, patch=patch)
    check_positive(width=width, heads=heads, depth=depth)
    check_heads(width, heads)
    check_finite(scale=scale)
    if size % patch:
        raise UsageError("`patch` must divide `size`.", got=f"patch={patch}, size={size}")
    patches = (size // patch) ** 2
    model = VisionTransformer(classes, channels, patch, patches, width, heads, depth, pool)
    draw(model, depth=depth, scale=scale, seed=seed)
    return model


class VisionTransformer(nn.Module):
    """Patches, blocks, norm, head."""

    def __init__(
        self,
        classes: int,
        channels: int,
        patch: int,
        patches: int,
        width: int,
        heads: int,
        depth: int,
        pool: str,
    ) -> None:
        super().__init__()
        self.patch = blank(nn.Conv2d, channels, width, patch, stride=patch)
        self.token = blank(nn.Embedding, 1, width) if pool == "token" else None
        self.position = blank(nn.Embedding, patches + (pool == "token"), width)
        self.blocks = nn.Sequential(*(Block(width, heads, causal=False) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = blank(nn.Linear, width, classes)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x_NTW = self.patch(x_NCHW).flatten(2).mT
        if self.token is not None:
            first_N1W = self.token.weight.expand(x_NTW.shape[0], 1, -1)
            x_NTW = torch.cat([first_N1W, x_NTW], 1)
        x_NTW = self.norm(self.blocks(x_NTW + self.position.weight))
        return self.head(x_NTW.mean(1) if self.token is None else x_NTW[:, 0])
