"""Causal transformers.

Reference: Radford et al. (2019), "Language Models are Unsupervised Multitask Learners" (GPT-2):
normalisation before each branch, learned positions, first weights normal with deviation 0.02.
Differs in: query, key and value are layers of their own, so that a symmetry of heads acts on
whole tensors; there is no dropout.

Shapes: N sequences, T tokens, V vocabulary, H heads, D width of a head, W width of the model.
"""

from torch import Tensor, nn

from ridgeline.errors import UsageError
from ridgeline.nets.attention import Block, draw
from ridgeline.nets.initialise import blank, check_positive

__all__ = ["transformer"]


def transformer(
    vocabulary: int,
    length: int,
    width: int = 64,
    heads: int = 4,
    depth: int = 2,
    tied: bool = True,
    seed: int = 0,
    *,
    scale: float = 1.0,
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
        scale: Multiplies every first weight.

    Returns:
        A network of integer tokens (N, T), with logits (N, T, vocabulary).

    Raises:
        UsageError: If a size is not positive, or `heads` does not divide `width`.
    """
    check_positive(vocabulary=vocabulary, length=length, width=width, heads=heads, depth=depth)
    if width % heads:
        raise UsageError("`heads` must divide `width`.", got=f"heads={heads}, width={width}")
    model = Transformer(vocabulary, length, width, heads, depth)
    draw(model, depth, seed, scale)
    if tied:
        model.head.weight = model.token.weight
    return model


class Transformer(nn.Module):
    """Embedding, blocks, norm, head."""

    def __init__(self, vocabulary: int, length: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.length = length
        self.token = blank(nn.Embedding, vocabulary, width)
        self.position = blank(nn.Embedding, length, width)
        self.blocks = nn.Sequential(*(Block(width, heads, causal=True) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = blank(nn.Linear, width, vocabulary, bias=False)

    def forward(self, tokens_NT: Tensor) -> Tensor:
        """Logits of each next token, (N, T, V)."""
        length = tokens_NT.shape[1]
        if length > self.length:
            raise UsageError(f"A sequence has at most {self.length} tokens.", got=f"{length}")
        x_NTW = self.token(tokens_NT) + self.position.weight[:length]
        return self.head(self.norm(self.blocks(x_NTW)))
