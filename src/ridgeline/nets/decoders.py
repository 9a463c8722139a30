"""Causal transformers.

Reference: Radford et al. (2019), "Language Models are Unsupervised Multitask Learners" (GPT-2):
normalisation before each branch, learned positions, first weights normal with deviation 0.02.
Differs in: query, key and value are layers of their own, so that a symmetry of heads acts on
whole tensors; there is no dropout.

Shapes: N sequences, T tokens, V vocabulary, H heads, D width of a head, W width of the model.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ridgeline.errors import UsageError
from ridgeline.nets.initialise import blank, check_positive
from ridgeline.rng import stream

__all__ = ["transformer"]

DEVIATION = 0.02


def transformer(
    vocabulary: int,
    length: int,
    width: int = 64,
    heads: int = 4,
    depth: int = 2,
    tied: bool = True,
    seed: int = 0,
) -> nn.Module:
    """A decoder of `depth` blocks that predicts each next token.

    Modules are ``token``, ``position``, ``blocks.0.norm1``, ``blocks.0.attention.query`` (``key``,
    ``value``, ``out``), ``blocks.0.norm2``, ``blocks.0.up``, ``blocks.0.down``, ``norm``, ``head``.

    Args:
        vocabulary: Number of tokens.
        length: Longest sequence.
        width: Width of the residual stream.
        heads: Number of heads; divides `width`.
        depth: Number of blocks.
        tied: Whether the head's weight is the embedding's: one tensor under both names.
        seed: The same seed gives the same network; torch's global generator is not used.

    Returns:
        A network of integer tokens (N, T), with logits (N, T, vocabulary).

    Raises:
        UsageError: If a size is not positive, or `heads` does not divide `width`.
    """
    check_positive(vocabulary=vocabulary, length=length, width=width, heads=heads, depth=depth)
    if width % heads:
        raise UsageError("`heads` must divide `width`.", got=f"heads={heads}, width={width}")
    model = Transformer(vocabulary, length, width, heads, depth)
    # Two branches per block add to the stream: GPT-2 keeps its variance from growing with depth.
    smaller = (2 * depth) ** -0.5
    with torch.no_grad():
        for name, layer in model.named_modules():
            if isinstance(layer, nn.Linear | nn.Embedding):
                deviation = DEVIATION * (smaller if name.endswith(("out", "down")) else 1.0)
                draws = stream(seed, "init", f"{name}.weight")
                nn.init.normal_(layer.weight, std=deviation, generator=draws)
                if isinstance(layer, nn.Linear) and layer.bias is not None:
                    layer.bias.zero_()
    if tied:
        model.head.weight = model.token.weight
    return model


class Attention(nn.Module):
    """Causal attention of several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = blank(nn.Linear, width, width)
        self.key = blank(nn.Linear, width, width)
        self.value = blank(nn.Linear, width, width)
        self.out = blank(nn.Linear, width, width)

    def _split(self, x_NTW: Tensor) -> Tensor:
        return x_NTW.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x_NTW: Tensor) -> Tensor:
        """What each token takes from itself and those before it."""
        query, key, value = (self._split(layer(x_NTW)) for layer in self._maps())
        y_NHTD = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.out(y_NHTD.transpose(1, 2).flatten(2))

    def _maps(self) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
        return self.query, self.key, self.value


class Block(nn.Module):
    """Attention, then two layers for each token, both added to the stream."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.up = blank(nn.Linear, width, 4 * width)
        self.act = nn.GELU()
        self.down = blank(nn.Linear, 4 * width, width)

    def forward(self, x_NTW: Tensor) -> Tensor:
        """The stream after this block."""
        x_NTW = x_NTW + self.attention(self.norm1(x_NTW))
        return x_NTW + self.down(self.act(self.up(self.norm2(x_NTW))))


class Transformer(nn.Module):
    """Embedding, blocks, norm, head."""

    def __init__(self, vocabulary: int, length: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.length = length
        self.token = blank(nn.Embedding, vocabulary, width)
        self.position = blank(nn.Embedding, length, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = blank(nn.Linear, width, vocabulary, bias=False)

    def forward(self, tokens_NT: Tensor) -> Tensor:
        """Logits of each next token, (N, T, V)."""
        length = tokens_NT.shape[1]
        if length > self.length:
            raise UsageError(f"A sequence has at most {self.length} tokens.", got=f"{length}")
        x_NTW = self.token(tokens_NT) + self.position.weight[:length]
        return self.head(self.norm(self.blocks(x_NTW)))
