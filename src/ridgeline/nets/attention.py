"""What transformers share: attention, blocks, first weights.

Reference: Radford et al. (2019), "Language Models are Unsupervised Multitask Learners" (GPT-2):
normalisation before each branch, first weights normal with deviation 0.02. Differs in: query,
key and value are layers of their own, so that a symmetry of heads acts on whole tensors; there
is no dropout.

Shapes: N sequences, T tokens, H heads, D width of a head, W width of the model.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ridgeline.errors import UsageError
from ridgeline.nets.initialise import blank
from ridgeline.rng import stream

__all__ = ["Attention", "Block", "check_heads", "draw"]

DEVIATION = 0.02


class Attention(nn.Module):
    """Attention of several heads; causal where no token may see those after it."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.query = blank(nn.Linear, width, width)
        self.key = blank(nn.Linear, width, width)
        self.value = blank(nn.Linear, width, width)
        self.out = blank(nn.Linear, width, width)

    def _split(self, x_NTW: Tensor) -> Tensor:
        return x_NTW.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x_NTW: Tensor) -> Tensor:
        """What each token takes from all, or from itself and those before it."""
        query, key, value = (self._split(layer(x_NTW)) for layer in self._maps())
        y_NHTD = functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.out(y_NHTD.transpose(1, 2).flatten(2))

    def _maps(self) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
        return self.query, self.key, self.value


class Block(nn.Module):
    """Attention, then two layers for each token, both added to the stream."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads, causal)
        self.norm2 = nn.LayerNorm(width)
        self.up = blank(nn.Linear, width, 4 * width)
        self.act = nn.GELU()
        self.down = blank(nn.Linear, 4 * width, width)

    def forward(self, x_NTW: Tensor) -> Tensor:
        """The stream after this block."""
        x_NTW = x_NTW + self.attention(self.norm1(x_NTW))
        return x_NTW + self.down(self.act(self.up(self.norm2(x_NTW))))


@torch.no_grad()
def draw(model: nn.Module, *, depth: int, scale: float, seed: int) -> None:
    """Draw the first weights of a transformer, in place; biases are zero.

    Args:
        model: Whose linear layers, convolutions and embeddings are drawn.
        depth: Number of its blocks.
        scale: Multiplies every weight.
        seed: The network's seed.
    """
    # Two branches per block add to the stream: GPT-2 keeps its variance from growing with depth.
    smaller = (2 * depth) ** -0.5
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.Embedding):
            deviation = DEVIATION * (smaller if name.endswith((".out", ".down")) else 1.0)
            draws = stream(seed, "init", f"{name}.weight")
            nn.init.normal_(layer.weight, std=deviation, generator=draws).mul_(scale)
            if not isinstance(layer, nn.Embedding) and layer.bias is not None:
                layer.bias.zero_()


def check_heads(width: int, heads: int) -> None:
    """Refuse a number of heads that does not divide the width.

    Raises:
        UsageError: If so.
    """
    if width % heads:
        raise UsageError("`heads` must divide `width`.", got=f"heads={heads}, width={width}")
