"""Ensembles of soft trees: differentiable, their symmetries those of trees.

Reference: Kanoh & Sugiyama, "Linear Mode Connectivity in Differentiable Tree Ensembles" (ICLR
2025, arXiv 2405.14596), equations 2 to 4 and the four architectures of their section 3.

Shapes: B samples, F features, M trees, N splits of a tree, L leaves of a tree, C outputs.
"""

import math
from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ridgeline.errors import UnknownName
from ridgeline.nets.initialise import check_positive, check_scale
from ridgeline.rng import stream

__all__ = ["ARCHITECTURES", "Architecture", "SoftTrees", "soft_trees"]

Architecture = Literal["perfect", "oblivious", "list", "modified-list"]
ARCHITECTURES: tuple[Architecture, ...] = ("perfect", "oblivious", "list", "modified-list")
"""Shapes of a tree that `SoftTrees` knows."""


class SoftTrees(nn.Module):
    """A sum of soft trees.

    At a split n a sample goes left with the share s = sigmoid(w_n x + b_n), right with 1 - s. A
    leaf is reached by the product of the shares on its way; a tree's output is the mean of its
    leaves, so weighted, and an ensemble's is the sum over its trees (no division by M).

    Parameters are ``weight`` (M, N, F), ``bias`` (M, N) and ``leaves`` (M, L, C). Where they lie:

    - ``"perfect"`` (non-oblivious): every node of a perfect binary tree has a split of its own,
      N = 2^D - 1, breadth-first: the root is 0, the children of n are 2n + 1 (left) and 2n + 2.
      L = 2^D, from left to right.
    - ``"oblivious"``: all nodes of a depth share one split, N = D. L = 2^D, from left to right:
      the most significant bit of a leaf's index belongs to depth 0, and a bit 0 means left.
    - ``"list"`` (a decision list): node d hangs right of node d - 1, N = D. Leaf d hangs left of
      node d; the last leaf, D, right of the last node, so L = D + 1.
    - ``"modified-list"``: a list whose last leaf is empty, that is zero, and is left out: L = D.

    Args:
        features: Values of a sample, F; inputs of other shapes are flattened.
        outputs: Number of classes, or of values of a regression, C.
        trees: Number of trees, M.
        depth: Splits on the longest way to a leaf, D.
        kind: Which of the shapes above.
        seed: The same seed gives the same ensemble; torch's global generator is not used.
        scale: Multiplies the first weights and leaves, not the biases.

    Raises:
        UnknownName: If there is no such shape of trees.
        UsageError: If a size is not positive, or the scale is not finite.
    """

    def __init__(
        self,
        features: int,
        outputs: int,
        *,
        trees: int = 256,
        depth: int = 2,
        kind: Architecture = "oblivious",
        seed: int = 0,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if kind not in ARCHITECTURES:
            raise UnknownName("architecture of soft trees", kind, ARCHITECTURES)
        check_positive(features=features, outputs=outputs, trees=trees, depth=depth)
        check_scale(scale)
        self.features, self.outputs = features, outputs
        self.trees, self.depth, self.kind = trees, depth, kind
        splits = 2**depth - 1 if kind == "perfect" else depth
        leaves = depth + (kind == "list") if kind.endswith("list") else 2**depth
        self.weight = nn.Parameter(torch.empty(trees, splits, features))
        self.bias = nn.Parameter(torch.empty(trees, splits))
        self.leaves = nn.Parameter(torch.empty(trees, leaves, outputs))
        self._fill(seed, scale)

    @torch.no_grad()
    def _fill(self, seed: int, scale: float) -> None:
        """Draw all parameters as torch draws a linear layer's: uniformly within 1 / sqrt(fan-in).

        The paper leaves the fan-in of leaves open. Here it is that of the sum that they enter: all
        leaves of all trees.
        """
        leaf_bound = 1 / math.sqrt(self.trees * self.leaves.shape[1])
        for name, p in self.named_parameters():
            bound = leaf_bound if name == "leaves" else 1 / math.sqrt(self.features)
            nn.init.uniform_(p, -bound, bound, generator=stream(seed, "init", name))
            if name != "bias":
                p.mul_(scale)

    def forward(self, x: Tensor) -> Tensor:
        """Return the ensemble's output: (B, C) for inputs (B, F)."""
        return self._reached(x).flatten(1) @ self.leaves.transpose(0, 1).flatten(0, 1)

    def by_tree(self, x: Tensor) -> Tensor:
        """Return each tree's output: (B, M, C) for inputs (B, F). Their sum is `forward`'s."""
        return torch.einsum("blm,mlc->bmc", self._reached(x), self.leaves)

    def _reached(self, x: Tensor) -> Tensor:
        """Return the share of each sample that reaches each leaf: (B, L, M).

        One matrix product for all splits. Nodes stand before trees, so that a level of all trees
        is one piece of memory, and what goes right is what came less what goes left: a product
        of strided slices for each leaf takes two to four times as long.
        """
        weight = self.weight.transpose(0, 1).flatten(0, 1)
        logits = F.linear(x.flatten(1), weight, self.bias.t().flatten())
        splits = logits.sigmoid().unflatten(1, (-1, self.trees))
        if self.kind.endswith("list"):
            return torch.cat(list(self._down_the_list(splits)), 1)
        here: Tensor | None = None
        for depth in range(self.depth):
            first = depth if self.kind == "oblivious" else 2**depth - 1
            count = 1 if self.kind == "oblivious" else 2**depth
            share = splits[:, first : first + count]
            left = share if here is None else here * share
            right = 1 - share if here is None else here - left
            here = torch.stack([left, right], 2).flatten(1, 2)
        assert here is not None
        return here

    def _down_the_list(self, splits: Tensor) -> Iterator[Tensor]:
        """Give the share that reaches each leaf of a list, (B, 1, M), from the root on."""
        left = splits[:, :1]
        rest = 1 - left
        yield left
        for depth in range(1, self.depth):
            left = rest * splits[:, depth : depth + 1]
            rest = rest - left
            yield left
        if self.kind == "list":
            yield rest

    def extra_repr(self) -> str:
        """Return the sizes, as they were given."""
        sizes = f"{self.features}, {self.outputs}, trees={self.trees}, depth={self.depth}"
        return f"{sizes}, kind={self.kind!r}"


def soft_trees(
    features: int,
    outputs: int,
    *,
    trees: int = 256,
    depth: int = 2,
    architecture: Architecture = "oblivious",
    scale: float = 1.0,
    seed: int = 0,
) -> SoftTrees:
    """An ensemble of soft trees, as specs name it; see `SoftTrees`.

    Args:
        features: Values of a sample.
        outputs: Number of classes, or of values of a regression.
        trees: Number of trees.
        depth: Splits on the longest way to a leaf.
        architecture: The `kind` of `SoftTrees`: in a spec that word names the network.
        scale: Multiplies the first weights and leaves, not the biases.
        seed: The same seed gives the same ensemble; torch's global generator is not used.

    Returns:
        The ensemble.

    Raises:
        UnknownName: If there is no such architecture.
        UsageError: If a size is not positive, or the scale is not finite.
    """
    return SoftTrees(
        features, outputs, trees=trees, depth=depth, kind=architecture, seed=seed, scale=scale
    )
