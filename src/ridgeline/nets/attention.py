"""Attention and the block that transformers repeat.

Reference: Vaswani et al. (2017), with normalisation before each branch as in GPT-2. Query, key and
value are layers of their own, so that a symmetry of heads acts on whole tensors; there is no
dropout.

Shapes: N sequences, T tokens, H heads, D width of a head, W width of the model.
"""

from torch import Tensor, nn
from torch.nn import functional

from ridgeline.nets.initialise import blank, check_scale
from ridgeline.rng import stream

__all__ = ["Attention", "Block", "draw"]

DEVIATION = 0.02
"""Of first weights (Radford et al. 2019)."""


class Attention(nn.Module):
    """Attention of several heads; causal if each token sees only itself and those before."""

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
        """Return what each token takes from those it sees."""
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


def draw(model: nn.Module, depth: int, seed: int, scale: float) -> None:
    """Draw the weights of a transformer, in place: normal, biases zero.

    Two branches per block add to the stream: as GPT-2 has it, the last layer of each starts
    smaller by the root of their number, so that the variance does not grow with depth.

    Args:
        model: Whose linear layers and embeddings are drawn, each from its own stream.
        depth: Number of blocks.
        seed: The network's.
        scale: Multiplies every first weight.
    """
    check_scale(scale)
    smaller = (2 * depth) ** -0.5
    for name, layer in model.named_modules():
        if not isinstance(layer, nn.Linear | nn.Embedding | nn.Conv2d):
            continue
        deviation = DEVIATION * scale * (smaller if name.endswith(("out", "down")) else 1.0)
        draws = stream(seed, "init", f"{name}.weight")
        nn.init.normal_(layer.weight, std=abs(deviation), generator=draws)
        if not isinstance(layer, nn.Embedding) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
