"""Normalisation of feature maps."""

from torch import Tensor, nn

from ridgeline.errors import UnknownName

__all__ = ["NORMS", "ChannelNorm", "norm_of"]

NORMS = ("batch", "layer")
"""Kinds that convolutional networks know, besides None."""


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels at each position of feature maps (N, C, H, W).

    As flax's `LayerNorm` does it in the networks of Git Re-Basin (Ainsworth et al. 2022), whose
    features lie on the last axis. A permutation of channels permutes its weight and bias.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Feature maps of the same shape."""
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


def norm_of(kind: str | None, channels: int) -> nn.Module:
    """Return what follows a convolution: ``"batch"``, ``"layer"``, or None for nothing.

    Raises:
        UnknownName: If there is no such norm.
    """
    if kind is None:
        return nn.Identity()
    if kind not in NORMS:
        raise UnknownName("norm", kind, NORMS, "Or None.")
    return nn.BatchNorm2d(channels) if kind == "batch" else ChannelNorm(channels)
