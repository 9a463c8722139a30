"""Ensembles of soft trees: differentiable, their symmetries those of trees.

Reference: Kanoh & Sugiyama, "Linear Mode Connectivity in Differentiable Tree Ensembles" (ICLR
2025, arXiv 2405.14596), equations 2 to 4 and the four architectures of their section 3.

Shapes: B samples, F features, M trees, N splits of a tree, L leaves of a tree, C outputs.
"""

import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from ridgeline.errors import UnknownName
from ridgeline.nets.initialise import check_positive, check_scale
from ridgeline.rng import stream
from ridgeline.symmetry import Generator
from ridgeline.symmetry.trees import Ensemble, symmetries_of

__all__ = ["ARCHITECTURES", "Architecture", "SoftTrees", "soft_trees", "splits_and_leaves"]

Architecture = Literal["perfect", "oblivious", "list", "modified-list"]
ARCHITECTURES: tuple[Architecture, ...] = ("perfect", "oblivious", "list", "modified-list")
"""Shapes of a tree that `SoftTrees` knows."""


def splits_and_leaves(kind: Architecture, depth: int) -> tuple[int, int]:
    """Return how many splits, N, and leaves, L, a tree has."""
    match kind:
        case "perfect":
            return 2**depth - 1, 2**depth
        case "oblivious":
            return depth, 2**depth
        case "list":
            return depth, depth + 1
        case "modified-list":
            return depth, depth
    raise UnknownName("architecture of soft trees", kind, ARCHITECTURES)


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
        check_positive(features=features, outputs=outputs, trees=trees, depth=depth)
        check_scale(scale)
        self.features, self.outputs = features, outputs
        self.trees, self.depth = trees, depth
        self.kind: Architecture = kind
        splits, leaves = splits_and_leaves(kind, depth)
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
        output = None
        for share, value in self._terms(x):
            weights = value.flatten(0, 1).t()
            term = weights @ share.flatten(0, 1) if share is not None else weights.sum(1)[:, None]
            output = term if output is None else output + term
        assert output is not None
        return output.t()

    def by_tree(self, x: Tensor) -> Tensor:
        """Return each tree's output: (B, M, C) for inputs (B, F). Their sum is `forward`'s."""
        output = None
        for share, value in self._terms(x):
            term = value if share is None else torch.einsum("pmb,pmc->bmc", share, value)
            output = term if output is None else output + term
        assert output is not None
        return output

    def symmetries(self) -> tuple[Generator, ...]:
        """Return what leaves the function unchanged, which `ridgeline.symmetries` asks for.

        Orders of splits, turned subtrees, permutations of trees, and offsets of leaves, as far
        as the shape of the trees has them.
        """
        return symmetries_of(Ensemble(self.kind, self.depth, self.trees), self.outputs)

    def _terms(self, x: Tensor) -> Iterator[tuple[Tensor | None, Tensor]]:
        """Give pairs whose products sum to the output: shares (P, M, B), None for 1, and values.

        Values are (P, M, C). One matrix product gives all splits, nodes before trees and samples
        last, so that a level of all trees is one piece of memory. What goes right is what came
        less what went left, and of the last level it is never made: a parent and its leaves give
        parent right + parent s (left - right). Products of strided slices, leaf by leaf, take
        three to five times as long.
        """
        weight = self.weight.transpose(0, 1).flatten(0, 1)
        bias = self.bias.t().reshape(-1, 1)
        splits = (
            torch.addmm(bias, weight, x.flatten(1).t()).sigmoid().unflatten(0, (-1, self.trees))
        )
        leaves = self.leaves.transpose(0, 1)
        if self.kind.endswith("list"):
            yield from _along_a_list(splits, leaves, ends=self.kind == "list")
            return
        sizes = [2**depth if self.kind == "perfect" else 1 for depth in range(self.depth)]
        *levels, last = splits.split(sizes)
        parents: Tensor | None = None
        for share in levels:
            left = share if parents is None else parents * share
            right = 1 - share if parents is None else parents - left
            parents = torch.stack([left, right], 1).flatten(0, 1)
        to_left, to_right = leaves[::2], leaves[1::2]
        yield parents, to_right  # of depth 1 a single pair of leaves: the parent gets all
        yield (last if parents is None else parents * last), to_left - to_right

    def extra_repr(self) -> str:
        """Return the sizes, as they were given."""
        sizes = f"{self.features}, {self.outputs}, trees={self.trees}, depth={self.depth}"
        return f"{sizes}, kind={self.kind!r}"


def _along_a_list(
    splits: Tensor, leaves: Tensor, *, ends: bool
) -> Iterator[tuple[Tensor | None, Tensor]]:
    """Give the terms of lists: what each node keeps times its leaf's distance from the last leaf.

    Args:
        splits: Shape (D, M, B).
        leaves: Shape (L, M, C).
        ends: True if there is a last leaf; without one it is zero.
    """
    if ends:
        yield None, leaves[-1:]
        leaves = leaves[:-1] - leaves[-1:]
    rest: Tensor | None = None
    for share, value in zip(splits.split(1), leaves.split(1), strict=True):
        left = share if rest is None else rest * share
        rest = 1 - share if rest is None else rest - left
        yield left, value


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
